"""Threads of a run: what can be computed or read while something else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


def beside(n_threads: int, function: Callable[..., T], *given: Any) -> Callable[[], T]:
    """Begin a computation in a thread of its own.

    Parameters
    ----------
    n_threads : int
        Of the run. With one, the computation begins when it is asked for.
    function : callable
        It spends its time where Python lets other threads work, such as in sorts of NumPy.
    *given : object
        Its arguments.

    Returns
    -------
    callable
        Waits for the result and gives it, or raises what the computation has raised.
    """
    if n_threads < 2:
        return partial(function, *given)
    worker = ThreadPoolExecutor(1, thread_name_prefix="beside")
    coming = worker.submit(function, *given)
    worker.shutdown(wait=False)
    return coming.result


def ahead(values: Iterator[T]) -> Iterator[T]:
    """Get the next value while one is used; values are never None."""
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as reader:
        coming = reader.submit(next, values, None)
        while (value := coming.result()) is not None:
            coming = reader.submit(next, values, None)
            yield value
