"""LightGBM's own network between the workers of one fit: see `bank_models.training.shards`."""

from __future__ import annotations

import ctypes
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import lightgbm
import numpy as np
from lightgbm import basic

VAL_IS_WHOLE = True  # LightGBM shares no loss: each worker watches all rows of val, and so stops at the same round
START_MIN = 5
NOT_OF_BINS = ("class_weight", "importance_type", "metric", "monotone_constraints", "n_estimators", "objective")


class Network:
    """The network that a worker is in."""

    def __init__(self, rank: int, n_workers: int, host: str):
        self._rank, self._socket, self.door = rank, socket.socket(), None
        self._socket.bind((host, 0))  # held until the network takes it
        self.door = f"{host}:{self._socket.getsockname()[1]}"

    @contextmanager
    def joined(self, doors: list[Any]) -> Iterator[None]:
        """In the network of all workers, in the order of their ranks; of one worker there is none."""
        port = self._socket.getsockname()[1]
        self._socket.close()
        if len(doors) == 1:
            yield
            return
        numbers = (ctypes.c_int(number) for number in (port, START_MIN, len(doors)))
        basic._safe_call(basic._LIB.LGBM_NetworkInit(basic._c_str(",".join(doors)), *numbers))
        try:
            yield
        finally:
            basic._safe_call(basic._LIB.LGBM_NetworkFree())

    def size_and_sum(self, n_rows: int) -> tuple[int | None, int]:
        """How many rows the workers of the network have together; how many workers there are, LightGBM tells nobody.

        The rows of all are those in the root of a tree that is grown in the network.
        """
        side = np.arange(n_rows) % 2
        how = {"verbose": -1, "num_threads": 1, **_of_network(2)}
        rows = lightgbm.Dataset(side[:, None].astype("float32"), side, params=how | {"min_data_in_bin": 1})
        grown = {"objective": "regression", "num_leaves": 2, "min_data_in_leaf": 1, "boost_from_average": False}
        tree = lightgbm.train(how | grown, rows, 1).dump_model()["tree_info"][0]["tree_structure"]
        return None, int(tree.get("internal_count", tree.get("leaf_count", n_rows)))


def _of_network(n_workers: int) -> dict[str, Any]:
    """Without these a worker of a network would learn from its own rows alone."""
    return {"tree_learner": "data", "num_machines": n_workers, "pre_partition": True} if n_workers > 1 else {}


def sample_of(estimator, n_rows: int) -> np.ndarray:
    """Positions of the rows that LightGBM would find bins in, if it had all of them."""
    return np.sort(lightgbm.Dataset(None, params=_of_bins(estimator))._create_sample_indices(total_nrow=n_rows))


def _of_bins(estimator) -> dict[str, Any]:
    return {name: value for name, value in estimator.get_params().items() if name not in NOT_OF_BINS and value is not None}


@contextmanager
def sharing(estimator, n_workers: int, reference: np.ndarray, matrix) -> Iterator[None]:
    """Let an estimator's `fit` work in the network, with the bins that a sample of all rows has.

    LightGBM would find the bins of a column in the rows of one worker.
    """
    categories = [i for i, category in enumerate(matrix.is_category) if category]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Overriding the parameters from Reference Dataset")
        bins = lightgbm.Dataset(reference, params=_of_bins(estimator), categorical_feature=categories or "auto").construct()
        usual, lightgbm.sklearn.Dataset = lightgbm.sklearn.Dataset, partial(lightgbm.Dataset, reference=bins)
        given = _of_network(n_workers)
        estimator.set_params(**given)
        try:
            yield
        finally:
            lightgbm.sklearn.Dataset = usual
            for name in given:  # a model that is fitted is in no network
                estimator._other_params.pop(name, None)
                delattr(estimator, name)
                if estimator._Booster is not None:
                    estimator._Booster.params.pop(name, None)


def model_bytes(estimator) -> bytes:
    """What must be the same on each worker."""
    return estimator.booster_.model_to_string().encode()


def train_losses(losses: list[np.ndarray], weights: list[float], loss: str) -> np.ndarray:
    """Loss of all rows that were fitted, by round, from those of the workers and the weight of the rows of each."""
    if len(losses) == 1:
        return losses[0]
    square = loss == "rmse"
    mean = np.average([each**2 if square else each for each in losses], axis=0, weights=weights)
    return np.sqrt(mean) if square else mean
