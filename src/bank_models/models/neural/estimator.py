"""Neural network for tables, as scikit-learn estimators; PyTorch is imported when one is fitted or scores rows.

What is fitted is held as plain values and numpy arrays: a saved model needs PyTorch only to score.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from bank_models.errors import ConfigError
from bank_models.models.early_stopping import Monitoring
from bank_models.models.estimators import check_arguments
from bank_models.models.neural import Arrays, Objective, Optimisation

EMBEDDINGS = ("piecewise_linear", "periodic", "none")
SCHEDULES = ("none", "cosine", "plateau")
ARCHITECTURE = ("layers", "neurons", "dropout", "embedding", "embedding_size", "bins", "frequency_std")
OPTIMISATION = ("learning_rate", "schedule", "schedule_epochs", "weight_decay", "max_epochs")
BATCHES = 100  # an epoch has about this many when batch_size is None …
LEAST_BATCH, MOST_BATCH = 256, 1024  # … as far as a batch stays within these …
FEWEST_BATCHES, SMALLEST_BATCH = 20, 32  # … or few rows would make an epoch of a step or two


def check_device(device: str) -> None:
    """Refuse what this machine cannot do, without importing more than that takes.

    Parameters
    ----------
    device : {"cpu", "cuda"}

    Raises
    ------
    ConfigError
        If PyTorch or skorch is not installed, or there is no CUDA device.
    """
    check_arguments("NeuralNetworkClassifier", {})
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise ConfigError("device=cuda, but PyTorch finds no CUDA device here: choose device=cpu")


def _network(device: str) -> ModuleType:
    check_device(device)
    from bank_models.models.neural import network

    return network


class _NeuralNetwork(BaseEstimator):
    """A multilayer perceptron on embeddings of numbers and categories, trained with AdamW.

    Parameters
    ----------
    layers : int or list of int
        Hidden layers, or the width of each; 0 is a linear model on the embeddings.
    neurons : int
        Width of each hidden layer.
    dropout : float
        Share of hidden values, in [0, 1), that each training step leaves out.
    embedding : {"piecewise_linear", "periodic", "none"}
        What a number becomes before the first layer: a piecewise linear encoding over the quantile bins of its column plus
        a straight line, each mapped linearly (Gorishniy et al. 2022; version B of Gorishniy et al. 2025); sines and cosines
        of learned frequencies through one linear layer that the columns share, and ReLU (PLR(lite)); or itself.
    embedding_size : int
        Values that each number becomes, and the most that a category becomes (Guo & Berkhahn 2016); a category with k codes
        becomes at most k / 2 + 1.
    bins : int
        Most bins of a column, or its number of frequencies.
    frequency_std : float
        Spread of the frequencies to begin with; for "periodic" only.
    learning_rate : float
    schedule : {"none", "cosine", "plateau"}
        The rate falls along a half cosine to a hundredth over `schedule_epochs` and stays there, or to 0.3 of itself when
        the running training loss has not improved by a thousandth for three epochs. Neither looks at the rows that stop
        training, nor at `max_epochs`.
    schedule_epochs : int
        For "cosine" only.
    weight_decay : float
        Decoupled from the gradient (Loshchilov & Hutter 2019), on everything but biases.
    batch_size : int, optional
        Rows of a training step. None is a hundredth of the training rows, but from 256 to 1024; of fewer
        than 5,120 rows a twentieth, but at least 32.
    max_epochs : int
        Most passes over the training rows.
    device : {"cpu", "cuda"}
        Where it is trained. Rows are always scored on the CPU, so that a score does not depend on the machine's cards.
    random_state : int, RandomState instance or None
    n_jobs : int, optional
        Threads; None leaves PyTorch's number as it is. Restored afterwards.

    References
    ----------
    Gorishniy, Rubachev & Babenko (2022), On embeddings for numerical features in tabular deep learning, NeurIPS.
    Gorishniy, Kotelnikov & Babenko (2025), TabM: advancing tabular deep learning with parameter-efficient ensembling, ICLR.
    Guo & Berkhahn (2016), Entity embeddings of categorical variables, arXiv:1604.06737.
    Loshchilov & Hutter (2019), Decoupled weight decay regularization, ICLR.
    """

    def __init__(
        self,
        layers: int | list[int] = 2,
        neurons: int = 128,
        dropout: float = 0.1,
        embedding: str = "piecewise_linear",
        embedding_size: int = 16,
        bins: int = 32,
        frequency_std: float = 0.1,
        learning_rate: float = 0.002,
        schedule: str = "none",
        schedule_epochs: int = 30,
        weight_decay: float = 0.03,
        batch_size: int | None = None,
        max_epochs: int = 100,
        device: str = "cpu",
        random_state=None,
        n_jobs: int | None = None,
    ):
        self.layers = layers
        self.neurons = neurons
        self.dropout = dropout
        self.embedding = embedding
        self.embedding_size = embedding_size
        self.bins = bins
        self.frequency_std = frequency_std
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.schedule_epochs = schedule_epochs
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _fit(self, X, target, weight, is_category, stop, objective: Objective, monitoring: Monitoring):
        """Train on a target the network can be compared with; `stop` is (matrix, target[, weight]) likewise."""
        network = _network(self.device)
        self._check_options()
        X = _matrix(X)
        self.n_features_in_ = X.shape[1]
        self.is_category_ = [bool(flag) for flag in ([False] * X.shape[1] if is_category is None else is_category)]
        if len(self.is_category_) != X.shape[1]:
            raise ValueError(f"is_category has {len(self.is_category_)} entries for {X.shape[1]} columns")
        self.architecture_ = {
            "n_numeric": X.shape[1] - sum(self.is_category_),
            "cardinalities": [max(int(codes.max()), -1) + 1 for codes in X.T[self.is_category_]],
            "n_outputs": len(objective.start),
            **{name: getattr(self, name) for name in ARCHITECTURE},
        }
        rows = self._arrays(X, target, weight)
        watched = stop and self._arrays(_matrix(stop[0]), *stop[1:])
        how = objective, self._optimisation(len(X)), monitoring
        self.state_, self.history_, self.best_iteration_ = network.train(
            self.architecture_, rows, watched, *how, self.device, self.n_jobs
        )
        self._check_weights()
        return self

    def _check_options(self) -> None:
        for name, valid in (("embedding", EMBEDDINGS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in valid:
                raise ConfigError(f"model.params.{name}={getattr(self, name)} is not known: choose one of {', '.join(valid)}")

    def _check_weights(self) -> None:
        if not all(np.isfinite(values).all() for values in self.state_.values()):
            raise ConfigError(
                f"The network diverged at model.params.learning_rate={self.learning_rate}: its weights are no longer numbers.\n"
                "Choose a smaller learning rate."
            )

    def _optimisation(self, n_rows: int) -> Optimisation:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        given = {name: getattr(self, name) for name in OPTIMISATION}
        return Optimisation(**given, batch_size=self._batch_size(n_rows), seed=seed)

    def _batch_size(self, n_rows: int) -> int:
        usual = int(np.clip(n_rows // BATCHES, LEAST_BATCH, MOST_BATCH))
        return self.batch_size or min(usual, max(n_rows // FEWEST_BATCHES, SMALLEST_BATCH))

    def _inputs(self, X) -> tuple[np.ndarray, np.ndarray]:
        """Numbers, and codes from 1 with 0 for what was not seen in fitting."""
        is_category = np.array(self.is_category_, dtype=bool)
        codes = X[:, is_category].astype(np.int64)
        known = (codes >= 0) & (codes < np.array(self.architecture_["cardinalities"], dtype=np.int64))
        return np.ascontiguousarray(X[:, ~is_category]), np.where(known, codes + 1, 0)

    def _arrays(self, X, target, weight=None) -> Arrays:
        """Rows with weights in proportion, if there are any."""
        given = np.ones(len(X)) if weight is None else np.asarray(weight, dtype=float)
        return Arrays(*self._inputs(X), target, (given / given.mean()).astype(np.float32))

    def _outputs(self, X) -> np.ndarray:
        check_is_fitted(self)
        X = _matrix(X)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} columns, but the network was fitted on {self.n_features_in_}")
        network = _network("cpu")
        return network.outputs(self.architecture_, self.state_, *self._inputs(X), self.n_jobs)


def _matrix(X) -> np.ndarray:
    with np.errstate(over="ignore"):
        X = np.asarray(X, dtype=np.float32)
    if not np.isfinite(X).all():
        raise ConfigError(
            "model=neural_network takes neither missing nor infinite values, but its matrix has some.\n"
            "Choose model.preprocessing.imputer=median and model.preprocessing.encoder=ordinal."
        )
    return X


class NeuralNetworkClassifier(ClassifierMixin, _NeuralNetwork):
    __doc__ = _NeuralNetwork.__doc__

    def fit(self, X, y, is_category=None, stop=None, patience=None, with_train_loss=False, sample_weight=None, on_round=None):
        """Fit the network.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_columns)
            Numbers, roughly standardised, and codes of categories; -1 is a missing or unknown category.
        y : ndarray of shape (n_rows,)
            Two or more classes.
        is_category : list of bool of length n_columns, optional
            None: there are no categories.
        stop : tuple of (ndarray, ndarray[, ndarray]), optional
            Matrix, classes and weights of the rows whose log loss is watched. They teach the network nothing.
        patience : Patience, optional
            None, or no `stop`, trains `max_epochs`.
        with_train_loss : bool
            Record the loss on the training rows too; it costs a pass over them every epoch.
        sample_weight : ndarray of shape (n_rows,), optional
            Not negative; only their proportions matter.
        on_round : callable, optional
            Takes the losses of each epoch: see `bank_models.models.early_stopping.OnRound`.

        Returns
        -------
        NeuralNetworkClassifier
            With `history_` (lists by name: `train_loss`, `val_loss` and `learning_rate` of every epoch trained) and
            `best_iteration_` (epochs in the model: with `restore_best_weights`, exactly the best number).

        Raises
        ------
        ConfigError
            If PyTorch or the device is missing, X has missing values, or training diverged.
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if stop is not None:
            stop = (stop[0], self._codes(stop[1]), *stop[2:])
        weight = np.ones(len(codes)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        shares = np.bincount(codes, weight) / weight.sum()
        objective = Objective("log_loss", np.log(np.maximum(shares, 1e-12)).astype(np.float32))
        monitoring = Monitoring(patience, with_train_loss, on_round)
        return self._fit(X, codes.astype(np.int64), sample_weight, is_category, stop, objective, monitoring)

    def _codes(self, y) -> np.ndarray:
        codes = np.searchsorted(self.classes_, np.asarray(y)).clip(max=len(self.classes_) - 1)
        if (self.classes_[codes] != np.asarray(y)).any():
            raise ValueError("the rows that stop training hold a class that the training rows do not")
        return codes.astype(np.int64)

    def predict_proba(self, X) -> np.ndarray:
        """Probability of each class, in the order of `classes_`, as float64 of shape (n_rows, n_classes)."""
        outputs = self._outputs(X)
        odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict(self, X) -> np.ndarray:
        """The most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class NeuralNetworkRegressor(RegressorMixin, _NeuralNetwork):
    """Estimates the mean or a quantile.

    Parameters
    ----------
    layers, neurons, …, n_jobs
        Those of `NeuralNetworkClassifier`.
    loss : {"squared_error", "quantile"}
        Of the mean, or of a quantile (the pinball loss of Koenker & Bassett 1978, Econometrica 46, 33-50).
    quantile : float
        In (0, 1); for the loss "quantile" only.
    """

    def __init__(
        self,
        layers: int | list[int] = 2,
        neurons: int = 128,
        dropout: float = 0.1,
        embedding: str = "piecewise_linear",
        embedding_size: int = 16,
        bins: int = 32,
        frequency_std: float = 0.1,
        learning_rate: float = 0.002,
        schedule: str = "none",
        schedule_epochs: int = 30,
        weight_decay: float = 0.03,
        batch_size: int | None = None,
        max_epochs: int = 100,
        device: str = "cpu",
        random_state=None,
        n_jobs: int | None = None,
        loss: str = "squared_error",
        quantile: float = 0.5,
    ):
        super().__init__(
            layers, neurons, dropout, embedding, embedding_size, bins, frequency_std, learning_rate, schedule, schedule_epochs,
            weight_decay, batch_size, max_epochs, device, random_state, n_jobs,
        )  # fmt: skip
        self.loss = loss
        self.quantile = quantile

    def fit(self, X, y, is_category=None, stop=None, patience=None, with_train_loss=False, sample_weight=None, on_round=None):
        """Fit the network to y, in any unit; it is standardised inside.

        Parameters and result are those of `NeuralNetworkClassifier.fit`; the losses of `history_`, and `min_delta`,
        are the root of the mean squared error, or the mean pinball loss, in the unit of y.
        """
        if self.loss not in ("squared_error", "quantile"):
            raise ConfigError(f"loss={self.loss} is not known: choose squared_error or quantile")
        y = np.asarray(y, dtype=float)
        self.y_mean_ = float(y.mean())
        self.y_std_ = float(y.std()) or 1.0
        target = self._standardise(y)
        if stop is not None:
            stop = (stop[0], self._standardise(stop[1]), *stop[2:])
        quantile = self.quantile if self.loss == "quantile" else None
        start = np.array([0.0 if quantile is None else np.quantile(target, quantile)], dtype=np.float32)
        objective = Objective(self.loss, start, quantile, self.y_std_)
        return self._fit(
            X, target, sample_weight, is_category, stop, objective, Monitoring(patience, with_train_loss, on_round)
        )

    def _standardise(self, y) -> np.ndarray:
        return ((np.asarray(y, dtype=float) - self.y_mean_) / self.y_std_).astype(np.float32)

    def predict(self, X) -> np.ndarray:
        """The estimate for each row, in the unit of y, as float64 of shape (n_rows,)."""
        return self._outputs(X)[:, 0] * self.y_std_ + self.y_mean_
