"""Data: sources, validation, lags and splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bank_models.config.use_case import UseCase
    from bank_models.data.dataset import Dataset


def simulate(use_case: UseCase | str, rows: int | None = None, seed: int = 42) -> Dataset:
    """Draw rows of a use case: see `bank_models.data.simulated.simulate`.

    Parameters
    ----------
    use_case : UseCase or str
        With a simulation, or the name of one in `conf/use_case`.
    rows : int, optional
        As many as its simulation says, unless given.
    seed : int
        The same seed gives the same bytes.

    Returns
    -------
    Dataset
        `frame`, and the best answer that is possible in `true_score`.
    """
    from bank_models.data.sample import find
    from bank_models.data.simulated import simulate as draw

    found = find(use_case) if isinstance(use_case, str) else use_case
    return draw(found, found.simulation.rows if rows is None and found.simulation else rows, seed)
