"""Transformers, derived columns and data sources of a team, from the training rows of a fold to scores."""

import numpy as np
import pandas as pd
import pytest
import yaml
from extensions.package import CONF, TEAM, enable, install
from pydantic import ValidationError

from bank_models.check_extension import main as check_extension
from bank_models.command_line import CONF as OURS
from bank_models.config.compose import check_job, compose_job, composer, parse
from bank_models.config.feature import Feature
from bank_models.config.transform import Transform, check_transforms
from bank_models.config.use_case import UseCase
from bank_models.data import load
from bank_models.data.table import make_table
from bank_models.errors import ConfigError, DataError, TrainingError
from bank_models.extensions import packages
from bank_models.features.preprocessing import make_features, matrix_columns, matrix_facts
from bank_models.features.transformers.own import OwnColumns
from bank_models.runs import extensions

REGION = {"region": Feature(type="category"), "income": Feature(type="float")}
OWN = {"mean_target": Transform(columns=["region"], params={"smoothing": 5.0})}
CONFIG = ["use_case=branch_loans", "data_source.settings.rows=400"]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (TEAM, tmp_path / "site"):
        monkeypatch.syspath_prepend(str(path))
    packages._opened.cache_clear()
    packages.content_sha256.cache_clear()
    enable(tmp_path, "team-models")
    yield tmp_path
    packages._opened.cache_clear()
    packages.content_sha256.cache_clear()


def read(*overrides):
    folders = [OURS, CONF]
    parse(list(overrides), folders)
    with composer(folders) as compose:
        return check_job(compose_job(compose, list(overrides), folders))


def declared(**changes) -> UseCase:
    """The use case of the team with other facts, checked without composing a job."""
    facts = yaml.safe_load((CONF / "use_case/branch_loans.yaml").read_text())["use_case"] | changes
    found = UseCase.model_validate(facts)
    check_transforms(found.transformers, found.inputs(), found.task)
    return found


def drawn(n=200):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"region": pd.Categorical(rng.choice(["a", "b", "c"], n)), "income": rng.normal(size=n)})
    return frame.astype({"income": "float32"}), (rng.random(n) < 0.3).astype("int8")


def test_a_transformer_takes_the_place_of_the_usual_steps_of_its_columns_and_its_outputs_have_their_source():
    frame, y = drawn()
    step = make_features(REGION, "median", "standard", "one_hot", transforms=OWN)
    X = step.fit_transform(frame, y)
    assert X.shape == (200, 2)
    assert [(one.name, one.feature) for one in matrix_columns(step)] == [("income", "income"), ("region_mean_target", "region")]


def test_a_transformer_is_fitted_on_the_rows_that_it_is_given_and_on_no_other():
    frame, y = drawn()
    fits = [make_features(REGION, "median", None, "ordinal", transforms=OWN).fit(frame[:100], y[:100]) for _ in range(2)]
    fits[1].transform(frame[100:])
    np.testing.assert_array_equal(*(step.transform(frame) for step in fits))
    by_hand = y[:100][frame["region"][:100] == "a"]
    expected = (by_hand.sum() + 5 * y[:100].mean()) / (len(by_hand) + 5)
    row = int((frame["region"] == "a").to_numpy().argmax())
    assert fits[0].transform(frame)[row, 1] == pytest.approx(expected, rel=1e-6)


def test_a_direction_is_told_of_a_transformer_that_keeps_order_and_of_no_other():
    features = {"region": Feature(type="category"), "income": Feature(type="float", monotone=1)}
    frame, y = drawn()
    step = make_features(features, None, None, "native", transforms=OWN).fit(frame, y)
    assert matrix_facts(step, features)[2] == [1, 0]


class Bad:
    """A transformer that gives what a test says."""

    def __init__(self, values=None, names=("income",)):
        self.values, self.names = values, names

    def get_params(self, deep=True):
        return {"values": self.values, "names": self.names}

    def fit_transform(self, X, y=None):
        return self.values

    def get_feature_names_out(self):
        return self.names


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [
        (np.zeros((3, 1)), ["first"], "bad gives a column first, whose name begins with none of those that it takes: income."),
        (np.zeros((2, 1)), ["income"], r"bad must give numbers of shape \(3, 1\), but gave float64 of shape \(2, 1\)"),
        (np.zeros((3, 2)), ["income"], r"bad must give numbers of shape \(3, 1\)"),
        (np.full((3, 1), "x"), ["income"], "bad must give numbers"),
    ],
)
def test_what_a_transformer_may_not_give_is_refused(values, names, message):
    with pytest.raises(TrainingError, match=message):
        OwnColumns("bad", Bad(values, names)).fit_transform(pd.DataFrame({"income": [1.0, 2.0, 3.0]}))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("{mean_target: {columns: [income_eur]}}", "mean_target takes category, but income_eur is float"),
        ("{mean_target: {columns: [income]}}", "mean_target takes income, which is neither a feature, a lag nor a derived"),
        ("{mean_target: {columns: [monthly_debt_eur]}}", "takes monthly_debt_eur, which is neither a feature"),
        ("{mean_target: {columns: [region], params: {smooth: 1}}}", "mean_target does not take .*TypeError"),
        ("{os.system: {columns: [region]}}", "os.system"),
        ("{mean_target: {columns: []}}", "columns"),
    ],
)
def test_a_transformer_that_cannot_work_is_refused_before_a_row_is_read(setting, message):
    with pytest.raises((ConfigError, ValidationError), match=message):
        declared(transformers=yaml.safe_load(setting))


def test_a_transformer_that_learns_from_the_target_is_not_for_clusters():
    with pytest.raises(ConfigError, match="mean_target learns from a target, but the use case is anomaly: leave it out"):
        check_transforms(OWN, REGION, "anomaly")


def test_the_direction_of_a_column_that_a_transformer_would_lose_is_refused(project):
    text = "from bank_models.extensions.features import Transformer\nfrom sklearn.preprocessing import Binarizer\n"
    text += "CUT = Transformer(Binarizer)"
    install(project / "site", "cuts", "1.0", {"cuts": text}, features={"cut": "cuts:CUT"})
    enable(project, "team-models", "cuts")
    with pytest.raises(ConfigError, match="transformer cut keeps no order, so the direction of dti would be lost"):
        declared(transformers={"cut": {"columns": ["dti"]}})


def test_rows_of_a_source_of_ones_own_are_validated_and_hashed_as_others_are():
    data, again = (load.load("extension", declared(), source="branch_ledger", settings={"rows": 400}) for _ in range(2))
    assert (data.provenance["kind"], data.provenance["extension"]) == ("extension", "team-models")
    assert data.provenance["sha256"] == again.provenance["sha256"]
    table = make_table(data, declared())
    assert list(table.features) == ["income_eur", "region", "opened_on", "dti", "tenure_months", "is_west"]
    np.testing.assert_array_equal(table.frame["dti"], table.frame["monthly_debt_eur"] / table.frame["income_eur"])


def test_other_rows_of_a_source_of_ones_own_are_another_lineage():
    from bank_models.stages import lineage

    first = read(*CONFIG).model_dump(mode="json")
    second = first | {"data_source": first["data_source"] | {"settings": {"rows": 400, "seed": 2}}}
    found = [lineage.depends_on(settings) for settings in (first, second)]
    assert [list(one["data"]) for one in found] == [["branch_ledger"]] * 2
    assert found[0]["data"] != found[1]["data"]
    assert found[0]["packages"]["team-models"].startswith("1.2.0, ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def rows(): raise OSError('no such host')", "data_source.source=rows cannot be read: OSError: no such host"),
        ("def rows(): return [1, 2]", "gives a list: it must be a DataFrame or a pyarrow.Table"),
        ("import pandas as pd\ndef rows(): return pd.DataFrame({'a': [1, 'b']})", "gives a column of mixed types"),
        ("import pandas as pd\ndef rows(): return pd.DataFrame({'a': []})", "gives no rows"),
        ("import pandas as pd\ndef rows(): return pd.DataFrame({'income_eur': [1]})", "not a column of the source rows"),
        ("def rows(limit): return None", "cannot be read: TypeError"),
    ],
)
def test_a_source_that_gives_no_table_is_said_in_a_sentence(project, text, message, monkeypatch):
    module = f"from bank_models.extensions.data_sources import Source\n{text}\nROWS = Source(rows)"
    install(project / "site", "feeds", "1.0", {"feeds": module}, data_sources={"rows": "feeds:ROWS"})
    monkeypatch.delitem(__import__("sys").modules, "feeds", raising=False)
    enable(project, "team-models", "feeds")
    with pytest.raises(DataError, match=message):
        load.load("extension", declared(), source="rows")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data_source.source=null"], "kind=extension needs data_source.source"),
        (["data_source.source=os:system"], "data_source.source=os:system"),
        (["++data_source.path=x.csv"], "data_source=extension does not understand data_source.path"),
        (["report.sections=[team_models.burden]"], "report.sections"),
    ],
)
def test_a_source_or_a_section_is_named_as_its_package_declares_it(settings, message):
    with pytest.raises(ConfigError, match=message):
        read(*CONFIG, *settings)


def test_a_run_records_the_package_of_every_kind_that_its_numbers_depend_on():
    config = read("use_case=branch_loans", "use_case.metric=roc_auc", "model=logistic_regression").model_dump(mode="json")
    without = config | {"data_source": config["data_source"] | {"source": None}}
    assert list(extensions.used_by(without)) == ["team-models"]
    nothing = without | {"use_case": config["use_case"] | {"transformers": {}}}
    assert extensions.used_by(nothing) == {}


LIARS = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from bank_models.extensions.features import Transformer


class Liar(TransformerMixin, BaseEstimator):
    "Tells each row how it compares with the others, its own target, and a number that falls."
    def __init__(self, how="batch"):
        self.how = how

    def fit(self, X, y=None):
        self.names_ = [str(name) for name in X]
        return self

    def fit_transform(self, X, y=None):
        self.fit(X, y)
        return np.column_stack([y] * X.shape[1]) if self.how == "target" else self.transform(X)

    def transform(self, X):
        values = np.nan_to_num(X.to_numpy(dtype="float64", na_value=np.nan))
        if self.how == "batch":
            return values - values.mean(axis=0)
        return np.random.default_rng().normal(size=values.shape) if self.how == "chance" else -values

    def get_feature_names_out(self, input_features=None):
        return self.names_


TYPES = ("liars.Liar",)
LIARS = {
    "batch": Transformer(lambda: Liar("batch"), types=TYPES),
    "chance": Transformer(lambda: Liar("chance"), types=TYPES),
    "target": Transformer(lambda: Liar("target"), uses_target=True, types=TYPES),
    "falls": Transformer(lambda: Liar("falls"), keeps_order=True, types=TYPES),
    "unsaved": Transformer(lambda: Liar("falls")),
}
BATCH, CHANCE, TARGET, FALLS, UNSAVED = LIARS.values()
"""


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("batch", "gives a row the same bits alone, in a batch and in any order: a row alone has other values"),
        ("chance", "gives the same bits again: two fits of the same rows differ"),
        ("target", "lets no row see its own target: of a target that is noise"),
        ("falls", "order: it never falls where its column rises: it falls where income rises"),
        ("unsaved", "is saved and read: "),
    ],
)
def test_the_check_of_an_extension_names_a_transformer_that_does_not_do_what_it_must(project, capsys, name, fault):
    install(project / "site", "liars", "1.0", {"liars": LIARS}, features={name: f"liars:{name.upper()}"})
    enable(project, "liars")
    assert check_extension(["liars"]) == 2
    assert fault in capsys.readouterr().err


MODELS_BY_TASK = {"binary": "stumps", "regression": "stumps", "multiclass": "nearest_class", "clustering": "nearest_centres",
                  "anomaly": "nearest_centres"}  # fmt: skip


def test_the_package_has_a_model_of_each_task():
    from bank_models.config.checks import model_facts

    for task, model in MODELS_BY_TASK.items():
        assert task in model_facts(CONF / f"model/{model}.yaml")["estimator"]


def test_an_ensemble_averages_models_of_the_project_and_says_which_there_are():
    members = read("use_case=credit_scoring", "model=ensemble", "model.members.binary=[stumps,xgboost]").members
    assert list(members) == ["stumps", "xgboost"]
    assert members["stumps"].trains_in_rounds
    with pytest.raises(ConfigError, match=r"model\.members\.binary=stumpz is not known. Did you mean stumps\?"):
        read("use_case=credit_scoring", "model=ensemble", "model.members.binary=[stumpz,xgboost]")
    with pytest.raises(ConfigError, match=r"model\.members\.binary=nearest_class is not known"):
        read("use_case=credit_scoring", "model=ensemble", "model.members.binary=[nearest_class]")


def test_a_model_without_rounds_is_trained_without_early_stopping_unless_somebody_asks_for_it():
    assert read("use_case=risk_parity", "model=nearest_centres").early_stopping.patience is None
    with pytest.raises(ConfigError, match=r"does not train in rounds\.\nLeave it out, or type early_stopping=none"):
        read("use_case=risk_parity", "model=nearest_centres", "early_stopping=patience")
    with pytest.raises(ConfigError, match="does not train in rounds"):
        read("use_case=risk_parity", "model=nearest_centres", "early_stopping.patience=5")
