"""Excel sheets (.xlsx) as text cells, with the standard library; formulas are not computed."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime, timedelta
from xml.etree import ElementTree

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
MOST_BYTES = 1 << 29  # that one part may unpack to
DATE_FORMATS = {14, 15, 16, 17, 22, 27, 30, 36, 50, 57}  # numbers of Excel's own
DAY_ZERO = datetime(1899, 12, 30)
DAY_ZERO_1904 = datetime(1904, 1, 1)


def rows_of(raw: bytes, sheet: str | None) -> list[list[str | None]]:
    """Rows of a sheet, the header among them; dates as ISO 8601, logical values as true and false.

    Parameters
    ----------
    raw : bytes
        Of the file.
    sheet : str, optional
        Its name; None is the first.

    Raises
    ------
    ValueError
        If the file or the sheet cannot be read.
    """
    try:
        book = zipfile.ZipFile(io.BytesIO(raw))
        sheets, is_1904 = _sheets(book)
        if sheet is not None and sheet not in sheets:
            raise ValueError(f"it has no sheet {sheet}; its sheets are {', '.join(sheets)}")
        texts, dates = _texts(book), _date_styles(book)
        root = _tree(book, sheets[sheet] if sheet is not None else next(iter(sheets.values())))
    except (zipfile.BadZipFile, ElementTree.ParseError, StopIteration, NotImplementedError) as error:
        raise ValueError(f"it is no whole .xlsx file ({error})") from error
    zero = DAY_ZERO_1904 if is_1904 else DAY_ZERO
    rows = [_cells(row, texts, dates, zero) for row in root.iter(f"{MAIN}row")]
    return [row for row in rows if any(cell is not None for cell in row)]


def _tree(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if book.getinfo(name).file_size > MOST_BYTES:
        raise ValueError(f"{name} unpacks to more than {MOST_BYTES >> 20} MiB")
    text = book.read(name)
    if b"<!DOCTYPE" in text[:4096] or b"<!ENTITY" in text:
        raise ValueError("it defines entities, as no spreadsheet does")
    return ElementTree.fromstring(text)  # entities, the way to harm with XML, were refused


def _sheets(book: zipfile.ZipFile) -> tuple[dict[str, str], bool]:
    """Parts of the file by the names of the sheets, and whether days count from 1904."""
    links = {link.get("Id"): link.get("Target") for link in _tree(book, "xl/_rels/workbook.xml.rels")}
    root, found = _tree(book, "xl/workbook.xml"), {}
    for one in root.iter(f"{MAIN}sheet"):
        target = links[one.get(RELATION)]
        found[one.get("name")] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    about = root.find(f"{MAIN}workbookPr")
    return found, about is not None and about.get("date1904") in ("1", "true")


def _texts(book: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    return ["".join(part.text or "" for part in one.iter(f"{MAIN}t")) for one in _tree(book, "xl/sharedStrings.xml")]


def _date_styles(book: zipfile.ZipFile) -> set[int]:
    """Numbers of the styles that show a number as a date."""
    if "xl/styles.xml" not in book.namelist():
        return set()
    root, own = _tree(book, "xl/styles.xml"), set(DATE_FORMATS)
    for one in root.iter(f"{MAIN}numFmt"):
        code = re.sub(r'"[^"]*"|\[[^\]]*\]|\\.', "", one.get("formatCode") or "")
        own |= {int(one.get("numFmtId"))} if re.search(r"[yd]", code, re.IGNORECASE) else set()
    styles = root.find(f"{MAIN}cellXfs")
    return {place for place, one in enumerate(styles if styles is not None else ()) if int(one.get("numFmtId", 0)) in own}


def _cells(row: ElementTree.Element, texts: list[str], dates: set[int], zero: datetime) -> list[str | None]:
    cells: list[str | None] = []
    for cell in row.iter(f"{MAIN}c"):
        place = _column(cell.get("r")) if cell.get("r") else len(cells)
        cells += [None] * (place - len(cells))
        cells.append(_value(cell, texts, dates, zero))
    return cells


def _column(reference: str) -> int:
    number = 0
    for letter in re.match(r"[A-Z]+", reference)[0]:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _value(cell: ElementTree.Element, texts: list[str], dates: set[int], zero: datetime) -> str | None:
    kind, value = cell.get("t", "n"), cell.findtext(f"{MAIN}v")
    if kind == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{MAIN}t")) or None
    if value is None:
        return None
    if kind == "s":
        return texts[int(value)] or None
    if kind == "b":
        return "true" if value == "1" else "false"
    if kind == "n" and int(cell.get("s", 0)) in dates:
        moment = zero + timedelta(seconds=round(float(value) * 86400))
        return moment.date().isoformat() if moment.time() == datetime.min.time() else moment.isoformat()
    return value
