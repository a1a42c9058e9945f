"""What several parts of the product must agree on stands in one place, and all of them take it from there."""

import pytest
from pydantic import TypeAdapter, ValidationError

from bank_models.config import CONF, effects
from bank_models.config.catalogue import catalogue
from bank_models.config.schema import TrainingConfig
from bank_models.config.use_case import Metric
from bank_models.gate import read_limit
from bank_models.metrics import influence, names
from bank_models.metrics.figures import change, figure, six_digits
from bank_models.metrics.headline import headline
from bank_models.metrics.names import METRICS, NEEDS_TRUE_GROUPS, as_score, title
from bank_models.metrics.scores import FUNCTIONS, SCORING, metrics_for
from bank_models.registry import versions
from bank_models.report.meaning import meaning
from bank_models.runs.fingerprint import fingerprint
from bank_models.scoreboard.skill import skill_score
from bank_models.stages.resolve import determining

TASKS = ("binary", "multiclass", "regression")


class OfRun:
    """As much of a run as a sentence about a metric, or its skill, asks for."""

    def __init__(self, metric: str):
        self.metric, self.unit = metric, "EUR"
        self.headline = headline(metric, {f"baseline_{metric}": 0.3, f"gain_{metric}": 0.1})

    def use_case(self, name: str):
        return {"target": "loss_eur", "quantile": 0.9}.get(name)


def is_metric_of_a_use_case(metric: str) -> bool:
    try:
        return bool(TypeAdapter(Metric).validate_python(metric))
    except ValidationError:
        return False


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_is_known_wherever_metrics_are_named(metric):
    known = METRICS[metric]
    assert is_metric_of_a_use_case(metric) == (metric != NEEDS_TRUE_GROUPS)  # configuration
    assert (metric in FUNCTIONS) == (known.of != "clusters")  # computation
    assert read_limit(f"{metric}=0.1").metric == metric  # the check of CI
    assert as_score(metric, 2.0) == (-2.0 if known.is_loss else 2.0)  # tuning, registry, scoreboard
    assert "_" not in title(metric)  # report
    assert "{" not in meaning(metric, 0.5, OfRun(metric))
    found = skill_score(OfRun(metric))  # scoreboard
    assert found is None if known.best is None else found.share == pytest.approx(0.1 / abs(known.best - 0.3))


@pytest.mark.parametrize("metric", FUNCTIONS)
def test_a_metric_is_reported_for_its_tasks_alone(metric):
    kinds = {METRICS[metric].needs} - {None}
    assert {task for task in TASKS if metric in metrics_for(task, kinds)} == set(TASKS) & set(METRICS[metric].tasks)


def test_every_metric_of_cross_validation_and_every_influence_function_is_of_a_metric_that_is_known():
    assert {name for of_task in SCORING.values() for name in of_task} <= set(FUNCTIONS)
    assert {*influence.RANKINGS, *influence.MEANS, *influence.CELLS} <= set(names.METRICS)


def test_every_use_case_is_judged_by_a_metric_of_its_task():
    entries = catalogue([CONF])
    assert len(entries) >= 64
    assert all(entry["task"] in METRICS[entry["metric"]].tasks for entry in entries)


LOOKED_INTO = {"use_case", "data_source", "model", "tuning", "members"}  # part by part


@pytest.mark.parametrize("setting", sorted(set(TrainingConfig.model_fields) - LOOKED_INTO))
def test_identities_leave_out_what_changes_no_number_and_nothing_else(compose, setting):
    settings = compose("use_case=credit_scoring").model_dump(mode="json")
    other = settings | {setting: "of another run"}
    assert (determining(other) == determining(settings)) == (setting in (*effects.HOW, *effects.AFTERWARDS))
    assert (fingerprint(other, "code") == fingerprint(settings, "code")) == (setting in effects.HOW)
    same = versions.configuration_sha256(other) == versions.configuration_sha256(settings)
    assert same == (setting in effects.NO_NUMBER)


@pytest.mark.parametrize(
    ("value", "written", "signed"),
    [(0.78624, "0.7862", "+0.7862"), (30056.84, "30,057", "+30,057"), (-0.003123, "-0.003123", "-0.003123"), (0, "0", "+0"),
     (5e-5, "0.00005", "+0.00005"), (1e-9, "1e-09", "+1e-09"), (-12345.6, "-12,346", "-12,346")],
)  # fmt: skip
def test_numbers_in_sentences_have_separators_and_no_powers_of_ten(value, written, signed):
    assert (figure(value), change(value)) == (written, signed)


def test_numbers_in_tables_have_six_digits_and_all_else_is_as_it_was():
    assert [six_digits(value) for value in (0.123456789, -1234567.8, 1234567, "0.1234567", None)] == [
        0.123457, -1234570.0, 1234567, "0.1234567", None,
    ]  # fmt: skip
