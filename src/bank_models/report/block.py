"""Elements of a page: charts, tables, figures, texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading."""

    key: str
    title: str
    blocks: Sequence[Any]
    lead: str = ""


@dataclass(frozen=True)
class Text:
    """A paragraph; muted for remarks."""

    text: str
    is_remark: bool = False
    kind: str = "text"


@dataclass(frozen=True)
class Missing:
    """Something that the run did not record, and what would hold it."""

    what: str
    kind: str = "missing"


@dataclass(frozen=True)
class Heading:
    text: str
    kind: str = "heading"


@dataclass(frozen=True)
class Facts:
    """Labels with values; None is shown as not recorded."""

    pairs: Sequence[tuple[str, Any]]
    kind: str = "facts"


@dataclass(frozen=True)
class Figures:
    """Large numbers: label, value, small print (a sequence of texts and numbers)."""

    items: Sequence[tuple[str, Any, Sequence[Any]]]
    kind: str = "figures"


@dataclass(frozen=True)
class Headline:
    """The number of the page, and what it is."""

    number: Any
    small: Sequence[Any]
    kind: str = "headline"


@dataclass(frozen=True)
class Answer:
    """A question, its answer with a tone, and the section that shows why."""

    question: str
    text: str
    tone: str
    section: str = ""
    link: str = ""


@dataclass(frozen=True)
class Answers:
    items: Sequence[Answer]
    kind: str = "answers"


@dataclass(frozen=True)
class Hero:
    """What a page is about on the left, what follows from it on the right."""

    left: Sequence[Any]
    right: Sequence[Any]
    kind: str = "hero"


@dataclass(frozen=True)
class Badges:
    """Short statements with a tone: good, warn, bad, info or none."""

    items: Sequence[tuple[str, str]]
    kind: str = "badges"


@dataclass(frozen=True)
class Listing:
    items: Sequence[str]
    kind: str = "listing"


@dataclass(frozen=True)
class Table:
    """Rows of texts, numbers, badges and None.

    Attributes
    ----------
    caption : str
    header : sequence of str
    rows : sequence of sequences
        The first cell of each heads its row.
    hidden : str
        Behind this summary, if there is one.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    hidden: str = ""
    kind: str = "table"

    def is_number(self, column: int) -> bool:
        """Whether a column is set flush right."""
        return any(hasattr(row[column], "origin") for row in self.rows)


@dataclass(frozen=True)
class Matrix:
    """Counts by true class (row) and decided class (column), shaded by their share of the row."""

    caption: str
    classes: Sequence[str]
    rows: Sequence[Sequence[Any]]
    kind: str = "matrix"

    def share(self, row: int, column: int) -> int:
        """How much of its row a cell holds, in per cent of a shade that leaves the text readable."""
        total = sum(number.value for number in self.rows[row] if number)
        return round(50 * self.rows[row][column].value / total) if total and self.rows[row][column] else 0


@dataclass(frozen=True)
class Scale:
    """A score with its interval between baseline and ceiling; positions in per cent."""

    label: str
    marks: Sequence[tuple[str, Any, float, bool]]
    low: float
    high: float
    kind: str = "scale"


@dataclass(frozen=True)
class Raw:
    """Text in fixed-width letters, behind a summary."""

    summary: str
    text: str
    kind: str = "raw"


@dataclass(frozen=True)
class Columns:
    """Blocks side by side where there is room."""

    blocks: Sequence[Any]
    kind: str = "columns"


@dataclass(frozen=True)
class Slider:
    """A slider, and the blocks that `threshold.js` moves with it.

    Attributes
    ----------
    label : str
    at, n_steps : int
        Where it stands at first, and how many places it has.
    steps : dict
        What stands at each place.
    blocks : sequence
    """

    label: str
    at: int
    n_steps: int
    steps: dict[str, Any]
    blocks: Sequence[Any]
    kind: str = "slider"


@dataclass(frozen=True)
class Chart:
    """A figure that `charts.js` draws, with a caption that says what is to be seen.

    Attributes
    ----------
    title, caption : str
    x, y : dict
        Axis: `label`, and as needed `min`, `max`, `type` ("linear", "logarithmic", "category"), `labels`; of a swarm `names`,
        the features down the page, and `rows`, what its points are called.
    series : list of dict
        `name`, `points` (pairs, or [low, high] spans of `bars`; see `series.swarm`), `style` ("line", "dashed", "points",
        "bars", "spans", "band" with low and high, "swarm"), `color`.
    is_horizontal : bool
        Categories run down the page.
    is_square : bool
        Both axes are equally long.
    moves : sequence of pairs of str
        Columns of `thresholds.csv` that give the place of each series of style "marker".
    ramp : tuple of str
        What the colours of a swarm mean: the lowest, the highest, and grey.
    """

    title: str
    caption: str
    x: dict[str, Any]
    y: dict[str, Any]
    series: list[dict[str, Any]]
    is_horizontal: bool = False
    is_tall: bool = False
    is_square: bool = False
    moves: Sequence[tuple[str, str]] = ()
    ramp: tuple[str, str, str] | None = None
    kind: str = "chart"

    def height_rem(self) -> float | None:
        """Room for every category that runs down the page, two lines of it if its name has two parts; None if none does."""
        if "names" in self.y:
            return round(6 + len(self.y["names"]) * 2.6, 1)
        if not self.is_horizontal:
            return None
        labels = self.y["labels"]
        each = 2.3 if any(": " in str(label) for label in labels) else max(1.5, 0.8 * len(self.series))
        return round(6 + len(labels) * each, 1)

    def spec(self) -> dict[str, Any]:
        spec = {"title": self.title, "x": self.x, "y": self.y, "series": self.series, "horizontal": self.is_horizontal}
        return spec | ({"moves": self.moves} if self.moves else {})


@dataclass
class Page:
    """All that the template is given."""

    run: Any
    title: str
    sections: list[Section] = field(default_factory=list)
