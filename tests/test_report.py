import base64
import csv
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from conftest import KINDS, ROOT

from src import report
from src.outputs import publish, rows_path
from src.report import number
from src.report.__main__ import main
from src.report.page import LIBRARY, embedded

MOST_BYTES = 600_000
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;{{7*7}}"


class Page(HTMLParser):
    """Numbers with their origin, charts, and what a browser would fetch or run."""

    def __init__(self, html: str):
        super().__init__()
        self.numbers, self.charts, self.scripts, self.links, self.tags, self.handlers = [], [], [], [], [], []
        self._inside = None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.links += [given[name] for name in ("src", "href", "srcset", "action", "data", "poster") if given.get(name)]
        self.handlers += [name for name in given if name.startswith("on")]
        if tag == "data":
            self.numbers.append((given, ""))
        if tag == "script":
            self.scripts.append("")
        self._inside = (tag, given)

    def handle_data(self, text):
        tag, given = self._inside or (None, {})
        if tag == "data":
            self.numbers[-1] = (given, text)
        if tag == "script" and given.get("type") == "application/json":
            self.charts.append(json.loads(text))
        elif tag == "script":
            self.scripts[-1] += text

    def handle_endtag(self, tag):
        self._inside = None


def recorded(folder, origin: dict) -> float:
    """The number that a page claims to show, read from the file it names."""
    if "data-metric" in origin:
        return json.loads((folder / "metrics.json").read_text())[origin["data-metric"]]
    if "data-fact" in origin:
        value = json.loads((folder / "metadata.json").read_text())
        for key in origin["data-fact"].split("/"):
            value = value[key]
        return value
    rows = list(csv.DictReader((folder / origin["data-csv"]).open()))
    return float(rows[int(origin["data-row"])][origin["data-column"]])


def as_number(text: str) -> float:
    text = text.replace(",", "").replace("\N{MINUS SIGN}", "-")
    return float(text.removesuffix(" %")) / 100 if text.endswith("%") else float(text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_a_page_is_the_one_that_the_run_recorded(run_of, kind):
    folder = run_of(kind)
    page = Page((folder / report.NAME).read_text())
    assert len(page.numbers) > 20
    for origin, text in page.numbers:
        value = recorded(folder, origin)
        assert float(origin["value"]) == value, origin
        assert as_number(text) == pytest.approx(value, rel=6e-3, abs=6e-4 if "%" in text else 0), origin
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {origin.get("data-metric") for origin, _ in page.numbers} >= set(metrics)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_light_and_asks_for_nothing(run_of, kind):
    html = (run_of(kind) / report.NAME).read_text()
    page = Page(html)
    assert len(html.encode()) < MOST_BYTES
    assert not [link for link in page.links if not link.startswith(("#", "data:"))]
    assert not re.search(r"@import|url\(", html.split("</style>")[0])
    assert not {"svg", "img", "iframe", "object", "embed"} & set(page.tags)
    assert "sourceMappingURL" not in html


@pytest.mark.parametrize(("kind", "titles"), {
    "binary": ["ROC curve", "Precision and recall", "Calibration", "Decisions by group", "Importance by permutation"],
    "tuned": ["Loss by round", "Best so far", "Cost by threshold"],
    "multiclass": ["ROC curve of each class", "Precision and recall of each class"],
    "regression": ["Forecast against actual", "Predicted against actual", "Residuals", "Loss by round"],
    "quantile": ["Forecast against actual", "Coverage"],
    "clustering": ["Sizes", "Silhouettes", "Projection", "What tells the clusters apart"],
    "anomaly": ["ROC curve", "Precision and recall", "Projection"],
}.items())  # fmt: skip
def test_a_page_has_the_charts_of_its_task_and_none_is_empty(run_of, kind, titles):
    charts = Page((run_of(kind) / report.NAME).read_text()).charts
    assert not set(titles) - {chart["title"] for chart in charts}
    assert all(series["points"] for chart in charts for series in chart["series"])


@pytest.mark.parametrize("kind", ["tuned", "regression"])
def test_the_curve_of_training_is_the_history_and_marks_the_restored_round(run_of, kind):
    folder = run_of(kind)
    chart = next(chart for chart in Page((folder / report.NAME).read_text()).charts if chart["title"] == "Loss by round")
    series = {each["name"]: each["points"] for each in chart["series"]}
    history = {float(row["round"]): float(row["val_loss"]) for row in csv.DictReader((folder / "history.csv").open())}
    assert all(history[at] == pytest.approx(loss, rel=1e-4) for at, loss in series["val"])
    assert series["restored"][0][0] == json.loads((folder / "metadata.json").read_text())["best_iteration"]


def test_what_was_not_recorded_is_said_to_be_so(run_of, tmp_path):
    folder = shutil.copytree(run_of("binary"), tmp_path / "run")
    for path in folder.iterdir():
        if path.name not in ("metadata.json", "metrics.json") and path.is_file():
            path.unlink()
    html = report.render(folder)
    for name in ("importance.csv", "slices.csv", "fairness.csv", "test_scores.parquet", "reliability.csv", "resources.csv"):
        assert re.search(rf"Not recorded: [^<]*{re.escape(name)}", html), name


def test_hostile_texts_of_a_run_stay_texts(run_of, tmp_path):
    folder = shutil.copytree(run_of("multiclass"), tmp_path / "run")
    facts = json.loads((folder / "metadata.json").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    scripts = Page((folder / report.NAME).read_text()).scripts
    facts["notes"] = [HOSTILE]
    facts["config"]["use_case"] |= {"name": HOSTILE, "department": HOSTILE, "row": HOSTILE, "target": HOSTILE}
    facts["config"]["use_case"]["classes"][0] = HOSTILE
    facts["data"] |= {"title": HOSTILE, "citation": HOSTILE, "left_out": {HOSTILE: HOSTILE}}
    facts["params"][HOSTILE] = HOSTILE
    facts["durations_s"][HOSTILE] = 1.0
    facts["split"]["drift"][HOSTILE] = 9.0
    metrics |= {name.replace("negative", HOSTILE): value for name, value in metrics.items()}
    (folder / "metadata.json").write_text(json.dumps(facts))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / ".hydra/config.yaml").write_text(HOSTILE)
    html = report.render(folder)
    page = Page(html)
    assert page.scripts == scripts
    assert not page.handlers
    assert "img" not in page.tags
    assert "49" not in re.sub(r"[^>]*alert[^<]*", "", "".join(re.findall(r"<h1>.*?</h1>", html)))
    assert any(HOSTILE in label for chart in page.charts for label in chart["y"].get("labels", []))


def test_the_policy_of_a_page_runs_its_own_scripts_only(run_of):
    html = report.render(run_of("binary"))
    scripts = [script for script in re.findall(r"<script>(.*?)</script>", html, re.S)]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert policy.startswith("default-src 'none'")
    assert re.findall(r"sha256-([^']*)'", policy) == hashes


def test_a_page_is_the_same_for_the_same_files(run_of):
    folder = run_of("clustering")
    assert report.render(folder) == (folder / report.NAME).read_text()


def test_embedded_json_ends_no_script():
    assert embedded({"a": "</script><!--\u2028"}) == '{"a":"\\u003c/script\\u003e\\u003c!--\\u2028"}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.78761, "0.788"),
        (2330.01, "2,330"),
        (1200, "1,200"),
        (-0.25, "\N{MINUS SIGN}0.250"),
        (1.2e-5, "1.2e-05"),
        (12.345, "12.35"),
        (0.0, "0"),
    ],
)
def test_a_number_has_about_three_digits(value, text):
    assert number.formatted(value) == text


def test_the_command_writes_beside_the_run_and_leaves_it_whole(run_of, tmp_path, capsys):
    folder = shutil.copytree(run_of("clustering"), tmp_path / "kmeans")
    before = sorted(path.name for path in folder.iterdir())
    assert main([str(folder)]) == 0
    assert (tmp_path / "kmeans-report.html").read_text() == (folder / report.NAME).read_text()
    assert sorted(path.name for path in folder.iterdir()) == before
    assert capsys.readouterr().out.strip().endswith("kmeans-report.html")


def test_the_command_refuses_what_is_no_run(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path} is not a run folder: it holds no metadata.json.\n"
        "Give the folder of a run, such as runs/transaction_fraud/xgboost.\n"
    )


def test_the_notice_names_the_library_with_its_hash():
    notice = (ROOT / "NOTICE").read_text()
    assert f"src/report/vendored/{LIBRARY.name}" in notice
    assert hashlib.sha256(LIBRARY.read_bytes()).hexdigest() in notice
    assert LIBRARY.stat().st_size < 500_000


@pytest.mark.parametrize("kind", ["binary", "clustering"])
def test_a_run_that_dvc_keeps_without_clock_times_has_a_page_too(run_of, tmp_path, kind):
    run_dir = tmp_path / "run"
    shutil.copytree(run_of(kind), run_dir)
    rows_path(run_dir).write_bytes(b"")
    publish(run_dir, tmp_path / "home")
    page = report.render(tmp_path / "home/run")
    assert "when it was trained is not recorded" in page
    assert "data-metric" in page or "<data" in page
