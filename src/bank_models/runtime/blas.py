"""Threads of linear algebra."""

from __future__ import annotations

from contextlib import AbstractContextManager


def one_thread_of_blas() -> AbstractContextManager:
    """One thread while a block runs: more add up in another order, and last bits would depend on the cores."""
    import scipy.linalg  # noqa: F401  what is not loaded yet would not be limited
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")
