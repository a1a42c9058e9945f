"""Where a run is handed to a cluster: what is refused before anything starts, and that a laptop needs nothing of it."""

import re

import pytest

from bank_models import predict
from bank_models.config import launcher
from bank_models.errors import ConfigError
from bank_models.training.recipe import cluster_of, make_recipe

SEARCH = ["use_case=credit_scoring", "model=xgboost", "tuning=bayesian"]


@pytest.fixture
def with_ray(monkeypatch):
    monkeypatch.setattr(launcher, "find_spec", lambda name: name)


def test_without_a_word_everything_runs_here(compose):
    config = compose("use_case=credit_scoring")
    assert (config.launcher.kind, config.launcher.address, config.n_shards, cluster_of(config)) == ("local", None, None, None)


@pytest.mark.usefixtures("with_ray")
def test_one_word_hands_a_search_to_a_cluster(compose):
    config = compose(*SEARCH, "launcher=ray", "launcher.address=10.0.0.7:6379", "n_threads=12")
    cluster = cluster_of(config)
    assert (cluster.address, cluster.n_threads, cluster.n_workers) == ("10.0.0.7:6379", 12, 1)
    config = compose("use_case=credit_scoring", "model=lightgbm", "launcher=ray", "n_shards=4")
    recipe = make_recipe(config, config.use_case.features)
    assert (recipe.n_shards, recipe.cluster.n_workers) == (4, 4)


@pytest.mark.usefixtures("with_ray")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["launcher.address=auto"], "an address goes with launcher=ray, and only with it"),
        (
            [*SEARCH, "launcher=ray", "launcher.address=ray://head"],
            "launcher.address=ray://head: must be auto, or a host and a port such as 10.0.0.7:6379",
        ),
        (
            [*SEARCH, "launcher=ray", "launcher.address=head:99999"],
            "launcher.address=head:99999: must be auto, or a host and a",
        ),
        (["n_shards=2"], "n_shards=2 spreads a fit over the workers of a cluster: add launcher=ray, or leave it out."),
        (["launcher=ray"], "launcher=ray has nothing to hand to a cluster: this run has neither a search (tuning=…) nor"),
        (["launcher=ray", "n_shards=0"], "n_shards=0: must be greater than or equal to 1"),
        (["launcher=ray", "n_shards=2", "model=random_forest"], "a fit of model=random_forest cannot be spread over several"),
        (["launcher=ray", "n_shards=2", "model=ensemble"], "a fit of model=ensemble cannot be spread over several workers."),
        (
            ["launcher=ray", "n_shards=2", "use_case=market_risk_var", "model=xgboost"],
            "learns a quantile (pinball_loss), and each worker",
        ),
        ([*SEARCH, "launcher=ray", "+launcher.n_workers=3"], "launcher.n_workers is not a setting."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_handed_over_is_refused(compose, words, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        compose(*words)


@pytest.mark.parametrize("words", [[*SEARCH, "launcher=ray"], ["launcher=ray", "n_shards=2"]], ids=" ".join)
def test_without_the_package_the_message_says_what_to_type(compose, monkeypatch, words):
    monkeypatch.setattr(launcher, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"launcher=ray needs Ray, which is not installed\.\nType: make setup EXTRAS=ray"):
        compose(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["launcher=spark"], "launcher=spark is not known: choose local or ray."),
        (["n_threads=2"], "n_threads goes with launcher=ray: add it, or leave n_threads out."),
        (
            ["launcher=local", "launcher.address=auto"],
            "launcher.address goes with launcher=ray: add it, or leave launcher.address out.",
        ),
        (["launcher=ray", "launcher.address=head"], "launcher.address=head: must be auto, or a host and a port such as"),
        (["launcher=ray", "n_threads=0"], "n_threads=0 is not a whole number from 1 to 100000."),
        (["launcher=ray"], "launcher=ray needs Ray, which is not installed."),
    ],
    ids=str,
)
def test_scoring_refuses_the_same(monkeypatch, words, message):
    is_there = not message.startswith("launcher=ray needs")
    monkeypatch.setattr(predict, "find_spec", lambda name: name if is_there else None)
    with pytest.raises(ConfigError, match=re.escape(message)):
        predict.read(["use_case=fraud", "input=a", "output=b.csv", *words])


def test_a_run_on_this_machine_imports_nothing_of_ray(python, tmp_path):
    words = [
        "use_case=credit_scoring", "model=xgboost", "model.params.n_estimators=5", "tuning=random_search", "tuning.n_iter=2",
        "tuning.storage=null", "n_threads=1", "cv=none", "tracking=none", "registry=none", f"hydra.run.dir={tmp_path}/run",
    ]  # fmt: skip
    code = (
        "import sys; sys.modules['ray'] = None; from bank_models import command_line, train\n"
        f"sys.exit(command_line.run(train.main, {words!r}, train.HELP))"
    )
    result = python("-c", code)
    assert result.returncode == 0, result.stderr
