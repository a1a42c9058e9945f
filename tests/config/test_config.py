import pytest
import yaml
from conftest import ROOT, options
from pydantic import TypeAdapter

from bank_models.config.schema import Constraint, Model
from bank_models.errors import ConfigError
from bank_models.models.estimators import ESTIMATORS

GROUPS = [path.name for path in sorted((ROOT / "conf").iterdir()) if path.is_dir()]


@pytest.mark.parametrize("use_case", options("use_case"))  # every file in conf/use_case: a new one is tested by existing
def test_every_use_case_composes_and_names_a_model_that_fits_its_task(compose, use_case):
    config = compose(f"use_case={use_case}")
    assert config.use_case.task in config.model.estimator


@pytest.mark.parametrize("use_case", sorted(set(options("use_case")) - {"fraud"}))
def test_a_use_case_is_named_like_its_file(compose, use_case):
    assert compose(f"use_case={use_case}").use_case.key == use_case


@pytest.mark.parametrize("model", options("model"))
def test_a_model_of_any_task_is_named_like_its_file_and_names_estimators_we_know(model):
    facts = yaml.safe_load((ROOT / "conf/model" / f"{model}.yaml").read_text())
    assert facts["name"] == model
    assert set(facts["estimator"].values()) <= set(ESTIMATORS)


@pytest.mark.parametrize("model", options("model"))
def test_a_model_keeps_its_own_rules(model):
    facts = yaml.safe_load((ROOT / "conf/model" / f"{model}.yaml").read_text())
    config = Model.model_validate({key: value for key, value in facts.items() if key != "defaults"})
    for name, value in config.params.items():
        TypeAdapter(config.constraints[name].annotation()).validate_python(value)
    assert set(config.params) == set(config.constraints)
    assert set(config.search_space) <= set(config.params)
    for name, values in config.grid.items():
        for value in values:
            TypeAdapter(config.constraints[name].annotation()).validate_python(value)


@pytest.mark.parametrize("group", [g for g in GROUPS if g not in ("use_case", "experiment", "hydra")])
def test_every_option_of_a_group_has_the_same_keys(group):
    keys = {path.stem: set(yaml.safe_load(path.read_text())) - {"defaults"} for path in (ROOT / "conf" / group).glob("*.yaml")}
    assert len(set(map(frozenset, keys.values()))) == 1, keys


def test_fraud_is_another_name_of_transaction_fraud(compose):
    assert compose("use_case=fraud") == compose("use_case=transaction_fraud")


@pytest.mark.parametrize("overrides", [("use_case=fraud", "model=random_forest"), ("model=random_forest", "use_case=fraud")])
def test_the_command_line_beats_the_model_of_the_use_case(compose, overrides):
    assert compose(*overrides).model.name == "random_forest"


@pytest.mark.parametrize("override", ["report.cases=-1", "report.cases=6", "report.cases=all", "+report.case=0"])
def test_a_number_of_cases_that_no_report_can_show_is_refused(compose, override):
    with pytest.raises(ConfigError, match=r"report\.case"):
        compose(override)


def test_a_model_without_rounds_switches_early_stopping_off(compose):
    assert compose("model=xgboost").early_stopping.patience == 10
    assert compose("model=logistic_regression").early_stopping.patience is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["early_stopping=patience", "model=random_forest"], "does not train in rounds"),
        (["early_stopping=none", "early_stopping.min_delta=0.1"], "without patience has nothing to stop at"),
        (["data_split.test_ratio=0.3"], r"must sum to 1, but 0.8 \+ 0.1 \+ 0.3 = 1.2"),
        (["data_split.test_ratio=0", "data_split.val_ratio=0.2"], "data_split.test_ratio=0: must be greater than 0"),
        (["data_split.random_state=null"], "data_split.random_state must be a number"),
        (["data_split=temporal"], "names no time_column"),
        (["use_case=fraud", "data_split.random_state=1"], "shuffles nothing"),
        (["use_case=fraud", "cv=stratified_kfold"], "Choose cv=time_series"),
        (["data_split=group"], "data_split keeps groups together, but use_case=credit_scoring names no group_column"),
        (["cv=group_kfold"], "cv keeps groups together"),
        (["data_split=none"], "is binary: choose data_split=stratified, random, temporal"),
        (["use_case=market_risk_var", "data_split=stratified"], "predicts a number"),
        (["use_case=market_risk_var", "calibration=sigmoid"], "calibration is for task binary"),
        (["use_case=market_risk_var", "class_weight=balanced"], "class_weight is for classes"),
        (["use_case=market_risk_var", "model=linear_regression"], "the quantile 0.99, which model=linear_regression cannot"),
        (["use_case=market_risk_var", "model=logistic_regression"], "binary and multiclass, but use_case=market_risk_var"),
        (["use_case=fraud", "cv.shuffle=true"], "leave cv.shuffle at false"),
        (["cv=time_series"], "cv orders rows by time"),
        (["cv.n_folds=1"], "must be at least 2"),
        (["cv=none", "cv.n_folds=3"], "cv=none has no folds"),
        (["cv=none", "cv.n_repeats=3"], "cv=none has no folds"),
        (["cv.shuffle=false", "cv.random_state=null", "cv.n_repeats=3"], "draws the same folds every time: leave it null"),
        (["cv.scoring=[acuracy]"], "cv.scoring.0=acuracy is not known. Did you mean accuracy?"),
        (["model=xgboost", "model.params.learning_rate=-1"], "model.params.learning_rate=-1: must be greater than 0"),
        (["model=xgboost", "model.params.max_depth=3.5"], "model.params.max_depth=3.5: must be a valid integer"),
        (["model=xgboost", "+model.params.max_dept=3"], "has no such parameter.\nDid you mean model.params.max_depth?"),
        (["+model.typo=1"], "model.typo is not a setting"),
        (["+seeed=1"], "seeed is not a setting. Did you mean seed?"),
        (["seed=-1"], "seed=-1: must be greater than or equal to 0"),
        (["n_threads=0"], "n_threads=0: must be greater than or equal to 1"),
        (["model=logistic_regression", "model.params.penalty=l1"], "solver=lbfgs cannot fit model.params.penalty=l1"),
        (["model=logistic_regression", "model.params.l1_ratio=0.5"], "l1_ratio goes with"),
        (["data_source=simulated"], "declares no simulation"),
        (["use_case=fraud", "data_source=packaged"], "fit use_case=transaction_fraud.\nChoose data_source=simulated"),
        (
            ["use_case=default_prediction", "data_source.name=gmcs"],
            "name=gmcs does not fit use_case=default_prediction.\nChoose data_source.name=gmsc, or",
        ),
        (["data_source.rows=10"], "data_source=packaged does not understand data_source.rows"),
        (["data_source=file"], "data_source.path must be given"),
        (["use_case=fraud", "data_source.rows=0"], "data_source.rows=0: must be greater than or equal to 1"),
        (["use_case.key=../../x"], "use_case.key=../../x: String should match"),
        (
            ["use_case=default_prediction", "device=cuda"],
            "device=cuda, but model=random_forest trains on the CPU only.\nChoose .*: neural_network, xgboost",
        ),
        (
            ["model=ensemble", "model.members.binary=[lightgbm,linear_regression]"],
            "model.members.binary=linear_regression is not",
        ),
        (["model=ensemble", "+members={}"], "members is not a setting. Did you mean model.members?"),
        (
            ["use_case=market_risk_var", "model=ensemble"],
            "0.99, which model=linear_regression cannot.\nChoose a model that can: ",
        ),
        (
            ["use_case=default_prediction", "+use_case.requires_monotone=true"],
            "which model=random_forest cannot keep.\nChoose a model that can: catboost, hist_gradient_boost",
        ),
        (["model.name=a/b"], "model.name=a/b: String should match"),
        (["model.estimator.binary=os.system"], "model.estimator.binary=os.system is not known."),
    ],
    ids=lambda case: " ".join(case) if isinstance(case, list) else "",
)
def test_settings_that_cannot_work_are_refused_in_at_most_three_lines(compose, overrides, message):
    with pytest.raises(ConfigError, match=message) as refused:
        compose(*overrides)
    assert len(str(refused.value).splitlines()) <= 3


def test_a_model_for_other_tasks_is_refused_with_those_that_fit(compose):
    with pytest.raises(ConfigError, match=r"is binary.\nChoose a model that fits binary: catboost, dummy, ensemble,"):
        compose("model=linear_regression")


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        ({"type": "int", "ge": 1}, 3, 2.5),
        ({"type": "float", "gt": 0, "le": 1}, 1, 0),
        ({"type": "int", "ge": 1, "nullable": True}, None, 0),
        ({"type": "str", "choices": ["a", "b"]}, "a", "c"),
        ({"type": "bool"}, True, 1),
    ],
)
def test_a_constraint_accepts_and_refuses(constraint, good, bad):
    accepts = TypeAdapter(Constraint.model_validate(constraint).annotation())
    assert accepts.validate_python(good) == good
    with pytest.raises(ValueError, match="1 validation error"):
        accepts.validate_python(bad)
