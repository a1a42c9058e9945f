"""Repeated cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

FEW_ROWS = 2000  # of a table: with fewer the score depends on how the folds are drawn
FEW_CELLS = 500_000  # rows times features: with more, 25 fits take minutes
N_REPEATS = 5  # draws of the folds with few rows


def n_repeats_of(n_repeats: int | None, n_rows: int, n_features: int, shuffle: bool, is_average: bool = False) -> int:
    """How often folds are drawn and scored: as often as asked, or several times if rows are few and the draw is random.

    Parameters
    ----------
    n_repeats : int, optional
    n_rows, n_features : int
        Of the whole table.
    shuffle : bool
        Whether another draw gives other folds.
    is_average : bool
        Of several models, which are weighted by folds of their own: 25 fits of it are hundreds of theirs.
    """
    if not shuffle:
        return 1
    is_small = n_rows < FEW_ROWS and n_rows * n_features <= FEW_CELLS and not is_average
    return n_repeats or (N_REPEATS if is_small else 1)


def described(
    metrics: Mapping[str, float], metric: str, drawn: Mapping[str, int] | None, shown: Callable = "{:.3f}".format
) -> str:
    """Score of a repeated cross-validation with half of its 95 % interval: "0.780 ± 0.033 (5 x 5)"; else empty."""
    if not drawn or drawn["n_repeats"] == 1:
        return ""
    mean, half = (shown(metrics[f"cv_{metric}{end}"]) for end in ("", "_ci_half"))
    return f"{mean} ± {half} ({drawn['n_repeats']} x {drawn['n_folds']})"
