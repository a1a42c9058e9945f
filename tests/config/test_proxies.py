import pytest
import yaml
from conftest import ROOT, options

from bank_models.config import datasets
from bank_models.config.use_case import UseCase
from bank_models.data import load
from bank_models.data.table_schema import schema_of
from bank_models.data.validation import validate
from bank_models.errors import ConfigError, DataError

USE_CASES = {
    name: yaml.safe_load((ROOT / f"conf/use_case/{name}.yaml").read_text()).get("use_case") for name in options("use_case")
}
PAIRS = [(name, proxy) for name, facts in USE_CASES.items() if facts for proxy in facts.get("proxies", [])]


@pytest.mark.parametrize(("name", "proxy"), PAIRS)
def test_every_proxy_of_every_use_case_holds_on_every_row(name, proxy):
    use_case = UseCase(
        **UseCase(**USE_CASES[name]).model_dump() | {"cost": None} | datasets.facts_of_proxy(proxy, USE_CASES[name]["metric"])
    )
    data = load.load("packaged", use_case, proxy, None, None, None)
    kept = validate(data.frame, schema_of(use_case), use_case.duplicates, use_case.rules)
    times = [use_case.time_column] if use_case.time_column else []
    target = [use_case.target] if use_case.target else []
    assert list(kept.frame) == [*use_case.features, *target, *times, *use_case.protected]
    assert not [note for note in kept.notes if "not declared" in note]
    assert data.notes[0].startswith(f"A proxy: the rows are real, but not those of {use_case.name}. A row is ")
    assert (data.provenance["kind"], data.provenance["proxy_for"]) == ("real", name)


@pytest.mark.parametrize(("name", "use_case"), [("gmsc", "default_prediction"), ("loanapp", "loan_approval")])
def test_a_set_that_is_a_proxy_elsewhere_has_the_same_features_where_it_is_at_home(name, use_case):
    assert datasets.facts_of_proxy(name, "roc_auc")["features"] == UseCase(**USE_CASES[use_case]).features


def test_a_proxy_gives_the_use_case_its_columns_and_keeps_the_rest(compose):
    own = compose("use_case=credit_risk_scoring").use_case
    config = compose("use_case=credit_risk_scoring", "data_source=packaged", "data_source.name=pakdd2009")
    assert list(config.use_case.features)[:2] == ["shop_code", "shop_rank"]
    assert (config.use_case.target, config.use_case.key, config.use_case.metric) == (own.target, own.key, own.metric)
    assert config.use_case.simulation is None
    assert "store card in Brazil" in config.use_case.row


def test_a_proxy_calls_its_target_by_its_true_name_and_unit(compose):
    own = compose("use_case=clv_prediction").use_case
    proxy = compose("use_case=clv_prediction", "data_source=packaged", "data_source.name=cdnow_spend").use_case
    assert (own.target, proxy.target) == ("clv_36m_eur", "spend_next_6m_usd")
    assert (own.metric, own.target_min) == (proxy.metric, proxy.target_min)


def test_the_minimum_score_and_the_rules_of_a_proxy_are_those_of_its_rows(compose):
    use_case = compose("use_case=segmentation", "data_source=packaged", "data_source.name=cdnow_customers").use_case
    assert "cds_are_bought_in_purchases" in use_case.rules
    assert (use_case.minimum_score, "Kaufman" in use_case.minimum_reason) == (0.26, True)
    tweets = compose("use_case=sentiment_analysis", "data_source=packaged", "data_source.name=vader_tweets").use_case
    assert (tweets.minimum_score, list(tweets.features)) == (0.56, ["text"])


def test_a_minimum_score_of_a_set_holds_for_the_metric_that_it_names():
    assert datasets.facts_of_proxy("tv_churn", "roc_auc")["minimum_score"] == 0.68
    assert datasets.facts_of_proxy("tv_churn", "average_precision")["minimum_score"] is None


def test_a_proxy_brings_its_own_decision_that_people_want(compose):
    assert compose("use_case=loan_approval").use_case.favourable == 1
    assert compose("use_case=loan_approval", "data_source.name=crx").use_case.favourable is None
    denials = ["use_case=mortgage_risk", "data_source=packaged", "data_source.name=loanapp_denials"]
    assert compose(*denials).use_case.favourable == 0


def test_phishing_is_not_bank_data(compose):
    config = compose(
        "use_case=credit_risk_scoring", "data_source=packaged", "use_case.proxies=[phishing]", "data_source.name=phishing"
    )
    data = load.load(use_case=config.use_case, **config.data_source.model_dump())
    assert "this is not bank data" in data.notes[0]
    assert data.notes[1].startswith("Not bank data.")


PHISHING = ["use_case=fraud", "data_source=packaged", "data_source.name=phishing", "+use_case.proxies=[phishing]"]
AT_RANDOM = ["data_split=stratified", "cv=stratified_kfold"]
FREE = "use_case.cost=null"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["use_case=loan_approval", "data_source.name=gmsc"],
            "gmsc does not fit .*\n.*name=loanapp or crx, or data_source=file",
        ),
        (["use_case=credit_risk_scoring", "data_source=packaged"], "without data_source.name.*\n.*=pakdd2009 or gmsc, or"),
        ([*PHISHING, *AT_RANDOM], "costs by amount_eur, which .*\nAdd use_case.cost=null"),
        ([*PHISHING, FREE, *AT_RANDOM, "use_case.target=https_level"], "use_case.*: https_level cannot be a feature"),
        ([*PHISHING, FREE], "phishing has no time column.*\nAdd: data_split=stratified cv=stratified_kfold"),
        ([*PHISHING, FREE, "data_split=group", "cv=group_kfold"], "phishing has no group column.*\nAdd: data_split=stratified"),
    ],
    ids=["not named", "no name", "cost", "target", "time", "group"],
)
def test_a_proxy_that_cannot_work_is_refused_with_what_to_type(compose, overrides, message):
    with pytest.raises(ConfigError, match=message) as refused:
        compose(*overrides)
    assert len(str(refused.value).splitlines()) <= 3


def test_what_a_refused_proxy_says_to_type_works(compose):
    config = compose(*PHISHING, FREE, *AT_RANDOM)
    assert (config.use_case.time_column, config.use_case.lags, len(config.use_case.features)) == (None, {}, 9)


def test_a_set_without_features_cannot_be_a_proxy():
    with pytest.raises(DataError, match=r"caravan cannot be a proxy: catalogue/caravan\.yaml declares no features\."):
        datasets.facts_of_proxy("caravan", "roc_auc")
