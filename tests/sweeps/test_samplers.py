"""Samplers of Optuna: what they keep from trial to trial, and that a search that goes on has it again."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from bank_models.config import CONF
from bank_models.tuning.storage import quiet_optuna

optuna = quiet_optuna()
from bank_models.config.schema import SearchRange  # noqa: E402
from bank_models.tuning.space import distributions  # noqa: E402
from hydra_plugins.optuna_search import Memory, _finished  # noqa: E402

SPACE = distributions({name: SearchRange(type="float", low=-5, high=5) for name in ("x", "y")})
SETTINGS = {"cmaes": [], "nsgaii": ["hydra.sweeper.sampler.population_size=8"]}


def score(params: dict) -> float:
    return -((params["x"] - 3.3) ** 2) - (params["y"] + 2.1) ** 2


@pytest.fixture(params=SETTINGS)
def sampler(request):
    chosen = ["hydra/sweeper=optuna", f"hydra/sweeper/sampler={request.param}", *SETTINGS[request.param]]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides=chosen, return_hydra_config=True)
    return OmegaConf.to_container(cfg.hydra.sweeper.sampler)


def proposals(sampler: dict, n_trials: int, size_of_batch: int = 1, recorded=()) -> list[dict]:
    memory, proposed = Memory(sampler, SPACE), []
    for start in range(0, n_trials, size_of_batch):
        batch = [memory.ask(number) for number in range(start, start + size_of_batch)]
        memory.tell([*recorded[start : start + size_of_batch]] or [_finished(one, SPACE, score(one)) for one in batch])
        proposed += batch
    return proposed


def test_a_sampler_learns_from_its_own_trials(sampler):
    proposed = proposals(sampler, 48)
    first, last = proposed[:16], proposed[-16:]
    assert sum(map(score, last)) / 16 > 0.7 * sum(map(score, first)) / 16  # scores are below zero


def test_a_search_that_goes_on_proposes_what_it_would_have(sampler):
    whole = proposals(sampler, 24, size_of_batch=2)
    recorded = [_finished(one, SPACE, score(one)) for one in whole[:20]]
    assert proposals(sampler, 24, size_of_batch=2, recorded=recorded) == whole


def test_trials_that_it_did_not_propose_do_not_end_a_search(sampler):
    others = [_finished({"x": 1.0, "y": float(y)}, SPACE, None if y == 2 else 1.0) for y in range(5)]
    assert len(proposals(sampler, 8, recorded=others)) == 8
