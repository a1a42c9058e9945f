"""Split of a run folder: `split.parquet`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from bank_models.data.split import Split


def write_split(path: Path, parts: Split) -> None:
    """Save the part of every row: column `part`, in the order of the rows."""
    part = np.empty(sum(map(len, parts.parts().values())), dtype=np.int8)
    for code, rows in enumerate(parts.parts().values()):
        part[rows] = code
    column = pa.DictionaryArray.from_arrays(part, list(parts.parts()))
    pq.write_table(pa.table({"part": column}), path, write_page_checksum=True)
