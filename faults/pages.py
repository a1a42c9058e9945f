"""Hostile texts in what people open: pages, cards, tables for spreadsheets, and the terminal."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import yaml

from faults import command, prepared
from faults.case import Attempt, Group, expect

GROUP = Group("pages")
ORDER = "canary(1)"  # that nothing may carry out
TEXTS = (
    f"<script>{ORDER}</script>",
    f'"><img src=x onerror={ORDER}>',
    f"</script><script>{ORDER}</script>",
    f"<svg/onload={ORDER}>",
    f"<iframe src=javascript:{ORDER}>",
    f"' onmouseover={ORDER} x='",
    f"</title><script>{ORDER}</script>",
    f"<!--{ORDER}",
    f"]]>{ORDER}",
    f"</style><script>{ORDER}</script>",
    f"javascript:{ORDER}",
    f"[x](javascript:{ORDER})",
    f"`{ORDER}`",
    f"| {ORDER} | x |",
    f"# {ORDER}",
    f"{{{{{ORDER}}}}}",
    f"{{% if {ORDER} %}}",
    f"&lt;script&gt;{ORDER}",
    f"\\u003cscript>{ORDER}",
    f"=cmd|'/C {ORDER}'!A0",
    f"+{ORDER}",
    f"-{ORDER}",
    f"@{ORDER}",
    f"\t={ORDER}",
    f" ={ORDER}",
    f"=1+1;{ORDER}",
    f"\x1b]0;{ORDER}\x07",
    f"\u202e{ORDER}",
    f"\u2028{ORDER}",
    f"\ufeff={ORDER}",
    f"%0d%0a{ORDER}",
    f"\uff1cscript\uff1e{ORDER}",
)
FIRST_LINES = (
    "# @package _global_",
    "defaults:",
    "  - override /data_source: file",
    "  - override /model: logistic_regression",
    "  - _self_",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class Page(HTMLParser):
    """What of a page a browser would carry out."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.orders: list[str] = []
        self.in_script = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.in_script = tag == "script" and "json" not in (given.get("type") or "")
        self.orders += [f"{name}={value}" for name, value in attributes if name.startswith("on")]
        links = [value or "" for name, value in attributes if name in ("href", "src", "action", "srcdoc")]
        self.orders += [link for link in links if link.strip().lower().startswith(("javascript:", "data:text"))]
        self.orders += [f"<{tag}>"] if tag in ("iframe", "object", "embed", "base") else []

    def handle_endtag(self, tag):
        self.in_script = False

    def handle_data(self, data):
        if self.in_script and ORDER in data and not _is_data(data):
            self.orders.append(data[:60])


def _is_data(script: str) -> bool:
    """Whether the words stand inside a text of JSON there: a quote before them that is still open."""
    before = script[: script.index(ORDER)]
    return (before.count('"') - before.count('\\"')) % 2 == 1


def check_page(path: Path) -> None:
    orders = [
        order
        for order in Page(path.read_text(encoding="utf-8")).orders
        if ORDER in order or order.startswith(("javascript", "<"))
    ]
    expect(not orders, f"{path.name} would carry out {orders[:2]}")


def check_csv(path: Path) -> None:
    for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
        bad = [cell for cell in row if ORDER in cell and cell.startswith(FORMULA)]
        expect(not bad, f"{path.name} has the formula {bad[:1]}")


def check_card(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    expect(f"<script>{ORDER}" not in text and "<img src=x" not in text, "markup stands in the model card")
    expect(f"](javascript:{ORDER}" not in text.replace("\\]", ""), "a link to code stands in the model card")
    expect("\x1b" not in text, "a terminal's order stands in the model card")


def _use_case(text: str) -> dict:
    return {
        "id": "UC-TEST-001", "key": "stranger", "name": text, "department": "credit_analysis", "row": text,
        "task": "multiclass", "target": "rating", "metric": "f1_macro", "classes": ["low", "middle", text],
        "protected": ["group"],
        "features": {
            "amount": {"type": "float", "description": text},
            "segment": {"type": "category", "description": text},
            "remark": {"type": "text"},
        },
    }  # fmt: skip


def _rows(attempt: Attempt) -> pd.DataFrame:
    draw, text = attempt.draw, attempt.case
    return pd.DataFrame(
        {
            "amount": [draw.gauss(i % 3, 1) for i in range(240)],
            "segment": [draw.choice(["mass", text]) for _ in range(240)],
            "remark": [draw.choice(["a b", text]) for _ in range(240)],
            "group": [draw.choice(["x", text]) for _ in range(240)],
            "rating": [["low", "middle", text][i % 3] for i in range(240)],
            "more": [f"{text} {i}" for i in range(240)],
        }
    )


@GROUP.promise(
    "hostile texts in a table and a use case",
    "Report, scoreboard, model card, scores and tables show them as text: no markup, no order, no formula comes to life.",
    cases=TEXTS,
    share=1.6,
    limit_s=120,
)
def hostile(attempt: Attempt) -> None:
    start = "".join(f"{line}\n" for line in FIRST_LINES)
    Path("conf/use_case").mkdir(parents=True)
    Path("conf/use_case/stranger.yaml").write_text(
        start + yaml.safe_dump({"use_case": _use_case(attempt.case)}), encoding="utf-8"
    )
    _rows(attempt).to_parquet("rows.parquet")  # in which a text may begin as a formula does
    settings = "use_case=stranger", "data_source.path=rows.parquet", "cv.n_folds=2", "registry=none", "tracking=none"
    answer = command.run("src.train", "--config-dir", "conf", *settings, limit_s=70)
    answer.check_is_a_sentence(0, 2)
    expect("\x1b" not in answer.out + answer.err, "a terminal's order was printed")
    if answer.code:
        return
    run = Path("runs/stranger/logistic_regression")
    scored = command.run(
        "src.predict", f"run_dir={run}", "input=rows.parquet", "output=scores.csv", "reasons=2", "id_column=more"
    )
    scored.check_is_good()
    command.run("src.scoreboard", "--config-dir", "conf").check_is_a_sentence(0, 2)
    for path in Path().rglob("*.html"):
        check_page(path)
    for path in Path().rglob("*.csv"):
        check_csv(path)
    for path in run.rglob("*.md"):
        check_card(path)


@GROUP.promise(
    "hostile words of the registry's commands",
    "Reasons and names that are typed are kept as they are and shown as text, without a terminal's orders.",
    cases=TEXTS[::3],
    share=0.3,
)
def reasons(attempt: Attempt) -> None:
    run = prepared.run_folder("credit")
    word = attempt.case
    command.run("src.registry", "register", run, "--reason", word, "--by", word).check_is_a_sentence(0, 2)
    for words in (["show", "credit_scoring"], ["show", "credit_scoring", "--json"], ["list"]):
        answer = command.run("src.registry", *words)
        answer.check_is_a_sentence(0, 2)
        expect("\x1b" not in answer.out + answer.err, "a terminal's order was printed")
