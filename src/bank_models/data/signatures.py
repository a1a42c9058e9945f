"""File signatures: what the first bytes of a file say that it is."""

from __future__ import annotations

SIGNATURES = {
    b"PAR1": "a Parquet file",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "a gzip file",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"{": "JSON",
    b"[": "JSON",
    b"<": "HTML or XML",
}


GZIP = b"\x1f\x8b"


EXPORT = "Export the table as CSV in UTF-8, or as Parquet."


def looks_like(raw: bytes) -> str:
    return next((f"it looks like {kind}" for start, kind in SIGNATURES.items() if raw.lstrip().startswith(start)), "")


def one_line(error: object) -> str:
    """A message as one line of at most 120 characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= 120 else f"{text[:119]}…"
