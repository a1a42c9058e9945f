"""The document of a model says what its run recorded, and nothing else."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import FEW_FOLDS, run_warm

from bank_models.errors import ConfigError
from bank_models.report import number as formats
from bank_models.report.decision import COUNTS, per_thousand
from bank_models.report.model_card import render
from bank_models.report.model_card.command import command
from bank_models.report.model_card.markdown import block, code, number, share, table, text

ENTRY = {"model_id": "UC-COMP-008-v1.0.0", "version": "1.0.0", "created_at": "2026-01-02T03:04:05Z",
         "created_by": "ada", "status": "staging"}  # fmt: skip
RUNS = {
    "fair": ["use_case=fair_lending", "data_split.train_ratio=0.4", "data_split.val_ratio=0.3", "data_split.test_ratio=0.3",
             *FEW_FOLDS],
    "forecast": ["use_case=atm_cash_optimization", "model=linear_regression", "cv.n_folds=2"],
    "classes": ["use_case=product_recommendation", "model=dummy", "data_source.rows=1500", *FEW_FOLDS],
    "anomalies": ["use_case=insider_fraud", "data_source.rows=6000"],
    "clusters": ["use_case=branch_optimization"],
}  # fmt: skip


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run of each kind, made on first use: run_dir("fair")."""
    base, made = tmp_path_factory.mktemp("runs"), {}

    def train(kind: str) -> Path:
        if kind not in made:
            made[kind] = base / kind
            result = run_warm(*RUNS[kind], "registry=none", f"hydra.run.dir={made[kind]}")
            assert result.returncode == 0, result.stderr
        return made[kind]

    return train


@pytest.fixture
def copy(run_dir, tmp_path):
    """A run folder whose facts may be changed: copy("fair", ("metrics", lambda facts: facts.pop("threshold")))."""

    def changed(kind: str, change=None) -> Path:
        folder = tmp_path / kind
        shutil.copytree(run_dir(kind), folder)
        if change:
            name, edit = change
            facts = json.loads((folder / f"{name}.json").read_text())
            edit(facts)
            (folder / f"{name}.json").write_text(json.dumps(facts))
        return folder

    return changed


def section(card: str, title: str) -> str:
    return card.split(f"\n## {title}\n")[1].split("\n## ")[0]


def of_1000_cases(metrics: dict) -> set[str]:
    """What a page says of 1,000 cases, from the counts of test rows."""
    tn, fp, fn, tp = (metrics.get(f"test_{name}", 0) for name in COUNTS)
    counts = [fp + tp, tp, fn, *(metrics.get(name, 0) for name in ("test_cost", "baseline_cost"))]
    of_classes = [per_thousand(metrics["test_accuracy"], 1)] if "test_accuracy" in metrics else []
    return {per_thousand(count, tn + fp + fn + tp) for count in counts if tn} | set(of_classes)


def recorded_numbers(folder: Path, entry: dict) -> set[str]:
    """Every number that the run's files hold, as the card would write it."""
    found, words = [], []

    def walk(value):
        if isinstance(value, dict):
            for name, each in value.items():
                walk(name)
                walk(each)
        elif isinstance(value, list):
            found.append(len(value))
            for each in value:
                walk(each)
        elif isinstance(value, bool) or value is None:
            return
        elif isinstance(value, int | float):
            found.append(value)
        else:
            words.append(str(value))

    for name in ("metadata", "metrics", "drift_reference"):
        walk(json.loads((folder / f"{name}.json").read_text()))
    for name in ("slices", "fairness", "reliability", "importance", "profiles"):
        if (path := folder / f"{name}.csv").exists():
            walk(pd.read_csv(path, keep_default_na=False, na_values=[""]).astype(object).to_dict("list"))
    walk(entry)
    found = [value for value in found if np.isfinite(value)]
    written = {form(value) for value in found for form in (number, share, repr, formats.formatted, formats.share)}
    written |= of_1000_cases(json.loads((folder / "metrics.json").read_text()))
    return {token for text in [*written, *words] for token in NUMBER.findall(text)}


NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?")
IN_OUR_WORDS = {
    "95",
    "256",
    "1",
    "0",
    "99",
    "1,000",
}  # 95 % interval, SHA-256, gains above 0, clusters of -1, 99 % of anomalies


@pytest.mark.parametrize("kind", RUNS)
def test_every_number_of_the_card_was_recorded(run_dir, kind):
    folder = run_dir(kind)
    printed = set(NUMBER.findall(render(folder, ENTRY)))
    assert printed - recorded_numbers(folder, ENTRY) - IN_OUR_WORDS == set()


@pytest.mark.parametrize("kind", RUNS)
def test_every_run_folder_has_its_card_and_the_manifest_knows_it(run_dir, kind):
    folder = run_dir(kind)
    card = (folder / "model_card.md").read_text()
    assert card == render(folder)
    assert "**Card of a run.** A version that is registered from it has a card of its own" in card
    assert {"model_card.md", "drift_reference.json"} <= set(json.loads((folder / "manifest.json").read_text())["files"])


def test_a_registered_version_says_which_and_by_whom(run_dir):
    card = render(run_dir("fair"), ENTRY)
    assert "- Model: UC-COMP-008-v1.0.0\n- Version: 1.0.0\n- Status: staging\n" in card
    assert "Card of a run" not in card
    assert "- Not recorded: Registered by." in render(run_dir("fair"), {**ENTRY, "created_by": None})


def test_who_signs_reads_half_a_page_in_which_nothing_declared_is_left_out(copy):
    declared = {"purpose": "approve loans", "owner": "J. Doe", "uses_to_avoid": ["pricing", "marketing"], "approval": None}
    folder = copy("fair", ("metadata", lambda facts: facts["config"]["use_case"].update(card=declared)))
    page = section(render(folder), "Summary")
    lines = [line.strip("| ") for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    rows = dict(line.split(" | ") for line in lines if line)
    assert (rows["Purpose"], rows["Owner"]) == ("approve loans", "J. Doe")
    assert rows["Uses to avoid"] == "pricing; marketing"
    assert rows["Users"] == rows["Approval"] == "**open**"
    assert rows["Quality on test"].startswith("ROC AUC ")
    assert "Signed: ____" in page
    assert len(page.splitlines()) < 30


TITLES = ["Summary", "Purpose", "Data and its limits", "Split", "Features", "Performance", "Slices of the test rows",
          "Calibration", "Threshold and costs", "Fairness", "Explanations", "Monitoring", "Parameters and tuning", "Versions",
          "How to reproduce"]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "without"),
    [
        ("fair", []),
        ("forecast", ["Calibration", "Threshold and costs", "Fairness"]),
        ("classes", ["Calibration", "Fairness"]),
        ("anomalies", ["Slices of the test rows", "Calibration", "Threshold and costs", "Fairness"]),
        ("clusters", ["Slices of the test rows", "Calibration", "Threshold and costs", "Fairness"]),
    ],
)
def test_sections_follow_the_task_and_fairness_what_is_declared(run_dir, kind, without):
    found = re.findall(r"^## (.+)$", render(run_dir(kind)), re.MULTILINE)
    assert found == [title for title in TITLES if title not in without]


def test_groups_of_people_are_told_apart_where_protected_columns_are_declared(run_dir):
    fairness = section(render(run_dir("fair")), "Fairness")
    rates = pd.read_csv(run_dir("fair") / "fairness.csv")
    assert fairness.count("\n| `is_black` |") == 2 + 1  # two groups, and how far they are apart
    assert f"| {share(rates['selection_rate'][0])} |" in fairness
    assert "none declared, so nothing is known" in render(run_dir("forecast"))


@pytest.mark.parametrize(
    ("name", "remove", "says"),
    [
        ("metadata", lambda facts: facts["data"].pop("licence"), "- Not recorded: Licence."),
        ("metadata", lambda facts: facts["split"].pop("sha256"), "- Not recorded: SHA-256 of the positions."),
        ("metadata", lambda facts: facts["environment"].pop("git"), "- Not recorded: Git revision, Edited since"),
        ("metadata", lambda facts: facts["config"]["use_case"].pop("row"), "- Not recorded: A row is."),
        ("metadata", lambda facts: facts["config"]["use_case"].pop("protected"), "Protected columns."),
        ("metadata", lambda facts: facts["config"].pop("seed"), "- Not recorded: the setting seed, and so the command."),
        ("metadata", lambda facts: facts.pop("slices"), "- Not recorded: performance by slice (slices.csv)."),
        ("metrics", lambda facts: facts.pop("threshold"), "- Not recorded: Threshold on the score."),
        ("metrics", lambda facts: facts.pop("gain_roc_auc"), "- Not recorded: Gain on the baseline (above 0 is better)."),
        ("metrics", lambda facts: facts.pop("test_f1"), "| `f1` | not recorded |"),
        ("drift_reference", lambda facts: facts.pop("floors"), "`roc_auc` worth a look"),
    ],
)  # fmt: skip
def test_a_removed_fact_is_named_as_missing(copy, name, remove, says):
    card = render(copy("fair", (name, remove)))
    assert any(says in line for line in card.splitlines() if "ot recorded" in line), card


@pytest.mark.parametrize(
    ("name", "says"),
    [("fairness.csv", "rates of each group (fairness.csv)"), ("slices.csv", "performance by slice (slices.csv)"),
     ("reliability.csv", "predicted against observed rates (reliability.csv)"), ("metrics.json", "metrics"),
     ("drift_reference.json", "what to watch (drift_reference.json)"),
     (".hydra/overrides.yaml", "the settings that were typed")],
)  # fmt: skip
def test_a_removed_file_is_named_as_missing(copy, name, says):
    folder = copy("fair")
    (folder / name).unlink()
    assert f"- Not recorded: {says}" in render(folder)


@pytest.mark.parametrize("text", ["!!python/object/apply:os.getcwd []", "a: [", "just a word", "&a [*a, *a]"])
@pytest.mark.parametrize("name", ["overrides.yaml", "hydra.yaml"])
def test_settings_that_hydra_did_not_write_are_refused_in_one_sentence(copy, name, text):
    folder = copy("fair")
    (folder / ".hydra" / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=name):
        render(folder)


@pytest.mark.parametrize(("floor", "why"), [(0.7, "the scorecard has it"), (None, None)])
def test_the_card_says_what_production_asks_for_and_why(copy, floor, why):
    def ask(facts):
        facts["config"]["use_case"] |= {"minimum_score": floor, "minimum_reason": why}

    card = render(copy("fair", ("metadata", ask)))
    assert (f"- Least that production asks for: {floor}\n- Why that much: {why}\n" in card) == (floor is not None)
    assert ("Why that much" in card) == (floor is not None)


def test_a_folder_without_any_facts_still_gets_a_card_that_names_them(tmp_path):
    card = render(tmp_path)
    assert card.startswith("# Model card: a use case whose name is not recorded\n")
    assert len(re.findall("[Nn]ot recorded", card)) > 10


def paths_of(record, at=()):
    for name, value in record.items() if isinstance(record, dict) else ():
        yield (*at, name)
        yield from paths_of(value, (*at, name))


@pytest.mark.parametrize("name", ["metadata", "metrics", "drift_reference"])
def test_whatever_fact_is_removed_the_card_can_be_written(copy, name):
    folder = copy("fair")
    path = folder / f"{name}.json"
    facts = json.loads(path.read_text())
    removable = [place for place in paths_of(facts) if "simulate" not in place and (len(place) < 5 or place[3] == "occupancy")]
    for place in removable[:: max(1, len(removable) // 40)]:
        changed = json.loads(json.dumps(facts))
        parent = changed
        for step in place[:-1]:
            parent = parent[step]
        del parent[place[-1]]
        path.write_text(json.dumps(changed))
        assert render(folder).startswith("# Model card"), place


def test_explanations_are_shown_if_the_run_made_some(copy):
    folder = copy("fair")
    pd.DataFrame({"feature": ["loan_kusd", "a|b"], "importance": [0.25, 0.125]}).to_csv(folder / "importance.csv", index=False)
    assert "| loan_kusd | 0.25 |\n| a&#124;b | 0.125 |" in section(render(folder), "Explanations")
    (folder / "importance.csv").unlink()
    assert "- Not recorded: which features move the answers (importance.csv)." in section(render(folder), "Explanations")


HOSTILE = "x | y\n\n# Title\n| a | b |\n|---|---|\n<script>alert(1)</script> `code` **bold** [l](javascript:1) ~~s~~ $m$ \\|"


def poison(facts) -> None:
    """Put hostile words wherever people may write something."""
    use_case = facts["config"]["use_case"]
    use_case["name"] = use_case["row"] = facts["data"]["citation"] = HOSTILE
    use_case["features"]["occupancy"]["description"] = use_case["features"]["occupancy"]["categories"][0] = HOSTILE
    use_case["features"][HOSTILE] = use_case["features"].pop("loan_kusd")
    facts["feature_names"][0] = facts["notes"][0] = HOSTILE
    facts["data"]["left_out"]["action"] = HOSTILE
    use_case["card"] = {"owner": HOSTILE}


def test_hostile_words_cannot_break_out_of_their_place(run_dir, copy):
    plain, card = render(run_dir("fair")), render(copy("fair", ("metadata", poison)))
    titles, widths = (
        [re.findall(r"^#.*$", each, re.MULTILINE)[1:] for each in (plain, card)],
        [[line.count("|") for line in each.splitlines() if line.startswith("|")] for each in (plain, card)],
    )
    assert titles[0] == titles[1]
    assert widths[0] == widths[1]
    assert "<script" not in card
    assert not re.search(r"(?<!\\)(\*\*bold|\[l\]|~~s|`code|\$m)", card)
    assert card.count("alert(1)") == 10


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a_b and _c_", "a_b and \\_c\\_"), ("# x", "\\# x"), ("1. x", "1\\. x"), ("- x", "\\- x"), ("---", "\\---"),
        ("-5 to 3", "-5 to 3"),
        ("2.5", "2.5"), ("a\nb\x00\u2028c", "a b c"), ("a & <b>", "a &amp; &lt;b&gt;"), ("x|y\\", "x&#124;y\\\\"),
    ],
)  # fmt: skip
def test_text_is_shown_as_it_is(given, shown):
    assert text(given) == shown


def test_a_name_is_code_unless_it_could_end_it():
    assert (code("age_years"), code("a`b"), code("a|b"), code("a\\b")) == ("`age_years`", "a\\`b", "a&#124;b", "a\\\\b")


def test_numbers_are_written_for_people():
    values = [0.123456, 1234567, 1234.5678, 3.0, 0.00001234, float("nan"), None, np.int64(5), -25.0, 16.0]
    assert list(map(number, values)) == ["0.1235", "1,234,567", "1,235", "3", "1.234e-05", "–", "–", "5", "-25", "16"]  # noqa: RUF001
    assert (share(0.1234), share(1)) == ("12.3 %", "100.0 %")


def test_a_table_has_as_many_cells_in_every_row():
    assert table(["a", "b"], [["1", ""]]) == "| a | b |\n| --- | --- |\n| 1 |   |"


def test_a_block_outlasts_the_backticks_in_it():
    assert block("a ````` b") == "``````\na ````` b\n``````"


def typed(card: str) -> list[str]:
    """The arguments of the command that makes a run again."""
    (lines,) = re.findall(r"```\n(python -m src\.train .+?)\n```", card, re.DOTALL)
    return shlex.split(lines.replace("\\\n", " "))[3:]


def test_the_command_of_the_card_gives_the_same_metrics_and_the_same_card(run_dir, tmp_path):
    arguments = [each for each in typed(render(run_dir("fair"))) if not each.startswith("hydra.run.dir=")]
    result = run_warm(*arguments, f"hydra.run.dir={tmp_path}/again")
    assert result.returncode == 0, result.stderr
    first, again = (folder / "metrics.json" for folder in (run_dir("fair"), tmp_path / "again"))
    assert first.read_bytes() == again.read_bytes()
    cards = [without_times((folder / "model_card.md").read_text()) for folder in (run_dir("fair"), tmp_path / "again")]
    assert cards[0] == cards[1]


def without_times(card: str) -> str:
    """A card without what tells when, how fast and from which edits; and without the command, which is now written in full."""
    facts = card.split("\n## How to reproduce\n")[0]
    return re.sub(
        r"^- (Run made at|Seconds of each step|SHA-256 of the code|Git revision|Edited since).*\n", "", facts, flags=re.M
    )


def test_the_command_repeats_what_was_typed_and_pins_what_may_change(run_dir):
    arguments = typed(render(run_dir("fair")))
    assert arguments[:2] == ["use_case=fair_lending", "model=logistic_regression"]
    assert {"data_split.val_ratio=0.3", "model.params.C=1.0", "seed=42", "registry=none"} <= set(arguments)
    assert len({each.partition("=")[0] for each in arguments}) == len(arguments)


def test_values_of_the_command_are_read_back_as_they_were(compose):
    metadata = {
        "config": {
            "use_case": {"key": "credit_scoring"},
            "model": {"name": "logistic_regression", "params": {"C": 1e-05, "penalty": "l2", "l1_ratio": None}},
            "data_source": {"kind": "file", "name": None, "path": "my 'new' \"rows\", a=b.csv", "rows": None, "seed": None},
            "data_split": {"method": "stratified"}, "cv": {"method": "none"}, "tuning": {"method": "none"},
            "calibration": "none", "class_weight": "none", "device": "cpu", "seed": 7,
        },
        "n_threads": 1,
    }  # fmt: skip
    line = command(metadata, ["seed=7", "use_case.cost=null", "hydra.verbose=true", "n_threads=4"], {}, ["my conf"])
    assert line.startswith("python -m src.train --config-dir 'my conf' \\\n  use_case=credit_scoring")
    arguments = shlex.split(line.replace("\\\n", " "))[5:]
    config = compose(*(each for each in arguments if not each.startswith("hydra.")))
    assert config.data_source.path == "my 'new' \"rows\", a=b.csv"
    assert (config.model.params["C"], config.model.params["l1_ratio"], config.seed, config.n_threads) == (1e-05, None, 7, 1)
    assert config.use_case.cost is None
    assert "hydra.verbose=true" not in line
