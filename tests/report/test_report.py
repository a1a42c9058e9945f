import base64
import csv
import hashlib
import html
import json
import re
import shutil
from itertools import pairwise

import pyarrow.parquet as pq
import pytest
from conftest import KINDS, ROOT, run_warm
from html_page import Page

from bank_models import report
from bank_models.errors import TrainingError
from bank_models.registry.__main__ import main as registry_main
from bank_models.registry.promotion import judge, of_run, write
from bank_models.registry.store import Registry
from bank_models.report import model_card, number
from bank_models.report.__main__ import main
from bank_models.report.answers import decides
from bank_models.report.class_names import class_names
from bank_models.report.meaning import against_baseline, meaning
from bank_models.report.model_card import markdown
from bank_models.report.page import LIBRARY, embedded
from bank_models.report.run import Run, read
from bank_models.stages.outputs import publish

MOST_BYTES = 600_000
COUNTS = ("true_negatives", "false_positives", "false_negatives", "true_positives")
NOBODYS = "--experiments=/dev/null"  # looks of other runs are not these tests' matter
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;{{7*7}}"


def recorded(folder, origin: dict) -> float:
    """The number that a page claims to show, read from the file it names."""
    if "data-metric" in origin:
        return json.loads((folder / "metrics.json").read_text())[origin["data-metric"]]
    for kind, name in (("data-fact", "metadata.json"), ("data-gates", "gates.json")):
        if kind in origin:
            value = json.loads((folder / name).read_text())
            for key in origin[kind].split("/"):
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
        if text.startswith(("below ", "above ")):  # numbers that would be nothing but zeros
            assert 0 < abs(value) < abs(as_number(text.split()[1])), origin
            continue
        assert as_number(text) == pytest.approx(value, rel=6e-3, abs=6e-4 if "%" in text else 0), origin
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {origin.get("data-metric") for origin, _ in page.numbers} >= set(metrics)


def test_a_hostile_value_of_a_row_stays_a_value(run_of, tmp_path):
    folder = shutil.copytree(run_of("binary"), tmp_path / "run")
    kinds = json.loads((folder / "metadata.json").read_text())["config"]["use_case"]["features"]
    with (folder / "contributions.csv").open() as file:
        rows = list(csv.DictReader(file))
    changed = next(row for row in rows if kinds[row["feature"]]["type"] == "category")
    changed["value"] = HOSTILE
    with (folder / "contributions.csv").open("w") as file:
        writer = csv.DictWriter(file, changed)
        writer.writeheader()
        writer.writerows(rows)
    page = Page(report.render(folder))
    assert page.scripts == Page((folder / report.NAME).read_text()).scripts
    assert not page.handlers
    assert HOSTILE in json.dumps(page.charts, ensure_ascii=False).replace('\\"', '"')


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_light_and_asks_for_nothing(run_of, kind):
    html = (run_of(kind) / report.NAME).read_text()
    page = Page(html)
    assert len(html.encode()) < MOST_BYTES
    assert not [link for link in page.links if not link.startswith(("#", "data:"))]
    assert not re.search(r"@import|url\(", html.split("</style>")[0])
    assert not {"svg", "img", "iframe", "object", "embed"} & set(page.tags)
    assert "sourceMappingURL" not in html


def sections(html: str) -> list[str]:
    return re.findall(r'<section class="card" id="([^"]*)"', html)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_goes_from_the_verdict_to_what_drives_it_to_quality_and_leaves_hashes_for_the_end(run_of, kind):
    order = [
        "verdict",
        "explanation",
        "quality",
        "cases",
        "slices",
        "data",
        "folds",
        "training",
        "tuning",
        "limits",
        "appendix",
    ]
    found = sections((run_of(kind) / report.NAME).read_text())
    assert found == [key for key in order if key in found]
    assert {"verdict", "quality", "data", "appendix"} <= set(found)


def test_sections_without_anything_to_say_are_left_out(run_of):
    assert {"tuning", "training"} <= set(sections((run_of("tuned") / report.NAME).read_text()))
    assert not {"tuning", "training"} & set(sections((run_of("binary") / report.NAME).read_text()))
    assert "folds" not in sections((run_of("quantile") / report.NAME).read_text())


def figures(html: str, label: str) -> tuple[str, str]:
    """Value and small print of a figure of the page, as text."""
    found = re.search(rf"<dt>{re.escape(label)}</dt><dd>(.*?)</dd>", html)[1]
    value, _, small = re.sub(r"</?data[^>]*>", "", found).removesuffix("</small>").partition("<small>")
    return value, small


def test_the_verdict_says_how_many_of_1000_cases_are_flagged_and_missed_and_what_that_costs(run_of):
    folder = run_of("tuned")  # credit scoring, whose mistakes have a price
    metrics, html = json.loads((folder / "metrics.json").read_text()), (folder / report.NAME).read_text()
    tn, fp, fn, tp = (metrics[f"test_{name}"] for name in COUNTS)
    scale = 1000 / (tn + fp + fn + tp)
    for label, count in (("Flagged, of 1,000 cases", tp + fp), ("Of these, bad", tp), ("Of these, not bad", fp),
                         ("Missed, of 1,000 cases: bad", fn)):  # fmt: skip
        assert as_number(figures(html, label)[0]) == pytest.approx(count * scale, abs=0.5)
    cost, small = figures(html, "Cost of 1,000 cases (refused good applicants)")
    assert as_number(cost) == pytest.approx((fp + 5 * fn) * scale, abs=0.5)
    ends = [as_number(each) for each in re.search(r"95 % interval ([\d,.]+) to ([\d,.]+);", small).groups()]
    assert ends == [pytest.approx(metrics[f"test_cost_ci_{end}"] * scale, abs=0.5) for end in ("low", "high")]
    assert "A case is an applicant for a consumer credit." in html


@pytest.mark.parametrize("kind", KINDS)
def test_report_and_model_card_say_the_same_of_score_and_decisions(run_of, kind):
    folder = run_of(kind)
    run, card = read(folder), model_card.render(folder)
    shown = html.unescape(re.sub(r"<[^>]*>", "", report.render(folder)))
    said = [meaning(run.metric, run.headline.value, run), against_baseline(run)]
    said += [found.text] if (found := decides(run)) else []
    for sentence in filter(None, said):
        assert sentence in shown
        assert markdown.text(sentence) in card


def test_nobody_is_flagged_for_what_people_want(run_of):
    html = (run_of("binary") / report.NAME).read_text()  # of approvals
    assert figures(html, "Called approved, of 1,000 cases")
    shown = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", "", html, flags=re.DOTALL)
    assert not re.search(r"flagged|false alarm|missed", shown)


def cases(folder) -> dict[str, dict]:
    html = (folder / report.NAME).read_text()
    part = html.split('<section class="card" id="cases"')[1].split("</section>")[0]
    return {chart["title"]: chart for chart in Page(part).charts}


@pytest.mark.parametrize("kind", ["binary", "tuned", "multiclass", "regression"])
def test_the_steps_of_a_case_lead_from_the_usual_to_the_raw_score_of_its_row(run_of, kind):
    folder = run_of(kind)
    explained = [
        {name: row[name] for name in ("base", "raw_score")} for row in csv.DictReader((folder / "explained_rows.csv").open())
    ]
    found = cases(folder)
    assert len(found) >= 3
    for chart in found.values():
        both = [[span for span in spans if span] for spans in zip(*(each["points"] for each in chart["series"]), strict=True)]
        steps = [spans[0] for spans in both]
        assert all(low[1] == pytest.approx(high[0], rel=1e-3, abs=1e-4) for low, high in pairwise(steps))
        assert any(
            steps[0][0] == pytest.approx(float(row["base"]), rel=1e-3, abs=1e-4)
            and steps[-1][1] == pytest.approx(float(row["raw_score"]), rel=1e-3, abs=1e-3 * abs(float(row["base"])) + 1e-4)
            for row in explained
        )


def test_no_case_shows_a_text_of_somebody(run_of):
    texts = [label for chart in cases(run_of("multiclass")).values() for label in chart["y"]["labels"]]
    assert {label.split(" = ")[1] for label in texts if " = " in label} == {"a text"}


def with_cases(folder, to, n: int):
    """A copy of a run that was made with `report.cases` of `n`."""
    shutil.copytree(folder, to)
    facts = json.loads((to / "metadata.json").read_text())
    assert facts["config"]["report"] == {"cases": 5, "sections": []}
    facts["config"]["report"]["cases"] = n
    (to / "metadata.json").write_text(json.dumps(facts))
    return Page(report.render(to))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_with_no_cases_wanted_the_page_holds_no_values_of_a_row(run_of, tmp_path, kind):
    page = with_cases(run_of(kind), tmp_path / "run", 0)
    styles = {series["style"] for chart in page.charts for series in chart["series"]}
    assert not {"waterfall", "swarm", "rug"} & styles
    assert not any("rows" in chart["x"] for chart in page.charts)
    assert "cases" not in sections(report.render(tmp_path / "run"))
    assert "swarm" in {series["style"] for chart in Page(report.render(run_of(kind))).charts for series in chart["series"]}


def test_as_many_cases_are_shown_as_wanted(run_of, tmp_path):
    page = with_cases(run_of("tuned"), tmp_path / "run", 2)
    assert sum(any(series["style"] == "waterfall" for series in chart["series"]) for chart in page.charts) == 2


def test_a_run_of_before_the_setting_shows_as_many_cases_as_the_configuration_asks_for(compose, run_of):
    facts = json.loads((run_of("binary") / "metadata.json").read_text())
    del facts["config"]["report"]
    assert Run(facts, {}, run_of("binary")).n_cases == compose().report.cases


def test_quality_by_period_is_that_of_the_file_and_only_where_there_is_time(run_of):
    folder = run_of("regression")
    rows = list(csv.DictReader((folder / "periods.csv").open()))
    chart = next(each for each in Page((folder / report.NAME).read_text()).charts if each["title"].endswith("error over time"))
    assert chart["x"]["labels"] == [row["period"] for row in rows]
    values = next(each["points"] for each in chart["series"] if each["style"] == "dots")
    assert values == pytest.approx([float(row["value"]) for row in rows], rel=1e-4)
    assert sum(int(row["n_rows"]) for row in rows) == len(pq.read_table(folder / "test_scores.parquet"))
    assert not (run_of("binary") / "periods.csv").exists()


def test_the_verdict_of_classes_counts_right_decisions_and_the_most_frequent_mistake(run_of):
    folder = run_of("multiclass")
    metrics, html = json.loads((folder / "metrics.json").read_text()), (folder / report.NAME).read_text()
    right = as_number(figures(html, "Decided rightly, of 1,000 cases")[0])
    assert right == pytest.approx(1000 * metrics["test_accuracy"], abs=0.5)
    true, decided = figures(html, "Most frequent mistake, of 1,000")[1].split(" called ")
    counts = {name: n for name, n in metrics.items() if re.fullmatch(r"test_confusion_(\w+)_as_(?!\1$)\w+", name)}
    assert metrics[f"test_confusion_{true}_as_{decided}"] == max(counts.values())


def test_the_verdict_of_values_gives_the_error_in_its_unit_and_in_per_cent(run_of):
    folder = run_of("regression")
    metrics, html = json.loads((folder / "metrics.json").read_text()), (folder / report.NAME).read_text()
    actual = pq.read_table(folder / "test_scores.parquet")["y_true"].to_numpy()
    assert figures(html, "Typical error")[1] == "euro, mean absolute error"
    share = metrics["test_mae"] / actual.mean()
    assert as_number(figures(html, "In per cent")[0]) == pytest.approx(share, abs=6e-4)
    smaller = 1 - metrics["test_mae"] / min(metrics[f"{name}_mae"] for name in ("seasonal_naive", "last_value"))
    said = re.search(r"Its mean absolute error is ([\d.]+ %) (smaller|larger) than that of the best naive forecast", html)
    assert as_number(said[1]) == pytest.approx(abs(smaller), abs=6e-4)
    assert said[2] == ("smaller" if smaller > 0 else "larger")


@pytest.mark.parametrize(("declared", "names"), [
    ({"target": "bad"}, ("not bad", "bad")),
    ({"target": "is_fraud"}, ("not fraud", "fraud")),
    ({"target": "defaulted_12m"}, ("not defaulted within 12 months", "defaulted within 12 months")),
    ({"target": "default_1y"}, ("not default within 1 year", "default within 1 year")),
    ({"target": "loan_status", "positive": "Charged Off", "negative": "Paid"}, ("Paid", "Charged Off")),
    ({"target": "grade", "positive": "2", "negative": "1"}, ("grade = 1", "grade = 2")),
])  # fmt: skip
def test_classes_are_called_as_declared_or_by_their_target(tmp_path, declared, names):
    assert class_names(Run({"config": {"use_case": declared}}, {}, tmp_path)) == names


@pytest.mark.parametrize("kind", ["binary", "tuned"])
def test_the_threshold_that_a_page_starts_with_is_the_one_that_the_run_decides_by(run_of, kind):
    folder = run_of(kind)
    metrics = json.loads((folder / "metrics.json").read_text())
    page = Page((folder / report.NAME).read_text())
    at, steps = page.steps["chosen"], page.steps["steps"]
    assert steps["threshold"][at] == metrics["threshold"]
    for name in (*COUNTS, *(["cost"] if kind == "tuned" else [])):
        assert steps[name][at] == metrics[f"test_{name}"]
    rows = list(csv.DictReader((folder / "thresholds.csv").open()))
    assert steps == {name: [None if row[name] == "" else float(row[name]) for row in rows] for name in rows[0]}


@pytest.mark.parametrize(("kind", "titles"), {
    "binary": ["ROC curve", "Precision and recall", "KS curve", "Calibration by tenth",
               "Decisions by group", "Importance by permutation"],
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


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """Two runs that became versions: the first one was promoted before the second was trained; and their registry."""
    root = tmp_path_factory.mktemp("registered")
    runs = []
    for name, *overrides in (("first",), ("second", "model.params.C=0.001")):
        result = run_warm(
            "use_case=credit_scoring",
            "~use_case.benchmarks.scorecard",
            "cv=none",
            *overrides,
            f"hydra.run.dir={root}/{name}",
            f"registry.path={root}/models",
        )
        assert result.returncode == 0, result.stderr
        runs.append(root / name)
        if name == "first":
            assert (
                registry_main(["promote", "credit_scoring@1.0.0", "--reason", "first", f"--registry={root}/models", NOBODYS])
                == 0
            )
    return *runs, root / "models"


def test_the_first_run_of_a_use_case_shows_the_gates_that_need_no_other_version(registered):
    first, _, _ = registered
    found = json.loads((first / "gates.json").read_text())
    assert found["production"] is None
    assert [gate["name"] for gate in found["gates"]] == [
        "data", "score", "gain", "split seed", "parts", "leakage", "plausible", "four fifths",
    ]  # fmt: skip
    assert "No version is in production yet: there is nothing to compare this run with." in (first / report.NAME).read_text()


def test_a_page_shows_the_gates_that_promoting_the_run_then_asks(registered, capsys):
    _, second, models = registered
    found = json.loads((second / "gates.json").read_text())
    code = registry_main(["promote", "credit_scoring@1.1.0", "--reason", "better?", "--json", f"--registry={models}", NOBODYS])
    asked = json.loads(capsys.readouterr().out)["gates"]
    assert code == (0 if all(gate["is_met"] for gate in asked) else 3)
    assert asked[0]["name"] == "integrity"
    assert found["gates"] == asked[1:]
    assert [gate["name"] for gate in asked] == [
        "integrity", "data", "score", "gain", "split seed", "parts", "leakage", "plausible", "four fifths", "production",
        "calibration", "fairness",
    ]  # fmt: skip
    html = (second / report.NAME).read_text()
    for gate in asked[1:]:
        said = html[html.index(f'<th scope="row">{gate["name"]}</th>') :]
        assert f">{'met' if gate['is_met'] else 'not met'}</span>" in said.split("</tr>")[0]
        assert gate["reason"] in said.split("</tr>")[0]


def test_a_page_shows_production_and_the_difference_from_it(registered, capsys):
    first, second, models = registered
    found = json.loads((second / "gates.json").read_text())
    was = json.loads((first / "metrics.json").read_text())
    ends = {end: was[f"test_roc_auc_ci_{end}"] for end in ("low", "high")}
    about = {"version": "1.0.0", "model": "logistic_regression", "metric": "roc_auc", "score": was["test_roc_auc"]}
    assert found["production"] == about | ends
    registry_main(["compare", "credit_scoring@1.1.0", "@1.0.0", "--json", f"--registry={models}"])
    assert json.loads(capsys.readouterr().out)["difference"] == found["difference"]
    shown = [(origin["data-gates"], text) for origin, text in Page((second / report.NAME).read_text()).numbers
             if "data-gates" in origin]  # fmt: skip
    names = [f"production/{name}" for name in ("score", "low", "high")]
    assert "2 looks at these test rows so far" in (second / report.NAME).read_text()
    assert "looks at these test rows" not in (first / report.NAME).read_text()
    assert [name for name, _ in shown] == [*names, *(f"difference/{name}" for name in ("gain", "low", "high", "p_value"))]
    for name, text in shown:
        assert as_number(text) == pytest.approx(recorded(second, {"data-gates": name}), rel=6e-3)


def test_a_run_that_is_not_to_be_registered_leaves_the_gates_to_whoever_promotes_it(run_of):
    assert not (run_of("binary") / "gates.json").exists()
    assert "are judged when a version is promoted, not by the run itself." in (run_of("binary") / report.NAME).read_text()


def test_a_broken_registry_costs_no_run(registered, tmp_path):
    models = shutil.copytree(registered[2], tmp_path / "models")
    ledger = models / "credit_scoring/registry.jsonl"
    ledger.write_text(ledger.read_text().replace("first", "forced"))
    overrides = ["use_case=credit_scoring", "cv=none", f"hydra.run.dir={tmp_path}/run", f"registry.path={models}"]
    result = run_warm(*overrides)
    assert result.returncode == 4
    assert "is not the line that was written" in result.stderr
    assert (tmp_path / "run" / report.NAME).exists()
    assert not (tmp_path / "run/gates.json").exists()


def test_production_that_was_changed_is_warned_of_and_costs_no_run(registered, tmp_path):
    models = shutil.copytree(registered[2], tmp_path / "models")
    scores = next(one.folder for one in Registry(models).versions("credit_scoring") if one.status == "production")
    (scores / "test_scores.parquet").chmod(0o644)
    (scores / "test_scores.parquet").write_bytes(b"")
    overrides = ["use_case=credit_scoring", "cv=none", f"hydra.run.dir={tmp_path}/run", f"registry.path={models}"]
    result = run_warm(*overrides)
    assert result.returncode == 0
    assert "The report of this run does not compare it with production" in result.stdout + result.stderr
    assert not (tmp_path / "run/gates.json").exists()
    with pytest.raises(TrainingError, match=r"test_scores.parquet is not the file that was written"):
        of_run(tmp_path / "run", models)


def test_anomalies_are_compared_with_production_too(run_of, tmp_path):
    registry = Registry(tmp_path / "models")
    version = registry.register(run_of("anomaly"))
    registry.promote(version, None, "me", "first", [], False)
    found = of_run(run_of("anomaly"), tmp_path / "models")
    gates = judge(registry.register(run_of("anomaly")), version)
    assert found["gates"] == [gate.as_dict() for gate in gates[1:]]
    assert found["difference"]["test"] == "paired"
    assert found["difference"]["gain"] == 0
    folder = shutil.copytree(run_of("anomaly"), tmp_path / "run")
    write(folder, tmp_path / "models")
    html = report.render(folder)
    assert "on its own test rows" in html
    assert "Both answered the same test rows" in html


def test_what_was_not_recorded_is_said_to_be_so(run_of, tmp_path):
    folder = shutil.copytree(run_of("binary"), tmp_path / "run")
    for path in folder.iterdir():
        if path.name not in ("metadata.json", "metrics.json") and path.is_file():
            path.unlink()
    html = report.render(folder)
    tables = ("importance", "contributions", "slices", "fairness", "reliability", "resources")
    for name in (*(f"{table}.csv" for table in tables), "test_scores.parquet"):
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
    assert list(filter(None, page.scripts)) == list(filter(None, scripts))  # drift adds a chart, whose data is no script
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
        (1.2e-5, "0.000012"),
        (3e-41, "below 0.000001"),
        (-3e-9, "above \N{MINUS SIGN}0.000001"),
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
    assert f"src/bank_models/report/vendored/{LIBRARY.name}" in notice
    assert hashlib.sha256(LIBRARY.read_bytes()).hexdigest() in notice
    assert LIBRARY.stat().st_size < 500_000


@pytest.mark.parametrize("kind", ["binary", "clustering"])
def test_a_run_that_dvc_keeps_without_clock_times_has_a_page_too(run_of, tmp_path, kind):
    run_dir = tmp_path / "run"
    shutil.copytree(run_of(kind), run_dir)
    publish(run_dir, tmp_path / "home")
    page = report.render(tmp_path / "home/run")
    assert "when it was trained is not recorded" in page
    assert "data-metric" in page or "<data" in page


def test_the_four_fifths_of_two_protected_columns_together_count_in_every_place_that_speaks_of_them(run_of, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run_of("binary"), folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert min(value for name, value in metrics.items() if name.startswith("demographic_parity_ratio_is_")) > 0.5
    (folder / "metrics.json").write_text(json.dumps(metrics | {"demographic_parity_ratio_is_male_and_is_married": 0.5}))
    report.write(folder)
    html = (folder / report.NAME).read_text()
    shown = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", "", html, flags=re.DOTALL)
    assert "four-fifths rule broken" in shown
    assert "By is_male and is_married, the group that is favoured least gets 50.0 % of the rate" in shown
    assert "four fifths are missed" in shown
    card = model_card.render(folder)
    assert "By is_male and is_married, the group that is favoured least gets 50.0 % of the rate" in card
    assert "`is_male_and_is_married`" in card
