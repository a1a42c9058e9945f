"""History of a run folder: an earlier run with other settings is kept when a new one takes its place."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from bank_models.runs.listing import ListedRun, settings
from bank_models.runs.record import read

log = logging.getLogger(__name__)
FOLDER = "history"


def place_of(earlier: Path, newest: Path) -> Path | None:
    """Where the run that stood at a place goes, now that another stands there.

    Parameters
    ----------
    earlier : Path
        The run that was there.
    newest : Path
        The place; the new run stands there already.

    Returns
    -------
    Path or None
        `history/<name>-<number>` beside the place, numbered from 1. None if both runs come from the same settings and rows,
        so that the new one says all that the earlier one said, or if what was there is no run.
    """
    try:
        runs = [ListedRun(folder, read(folder)) for folder in (earlier, newest)]
        made_of = [(settings(run), run.record.fact("data", "frame_sha256")) for run in runs]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if made_of[0] == made_of[1]:
        return None
    folder = newest.parent / FOLDER
    numbered = re.compile(re.escape(newest.name) + r"-(\d+)")
    taken = [int(found[1]) for path in folder.glob("*") if (found := numbered.fullmatch(path.name))]
    place = folder / f"{newest.name}-{max(taken, default=0) + 1}"
    log.info(f"The run that was here had other settings: it is kept in {os.path.relpath(place)}.")
    return place
