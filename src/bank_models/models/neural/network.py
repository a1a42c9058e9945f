"""Neural network in PyTorch and its training loop."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, LRScheduler
from skorch.helper import predefined_split
from torch import nn
from torch.utils.data import Dataset

from bank_models.models.early_stopping import Monitoring
from bank_models.models.neural import Arrays, Objective, Optimisation

ROWS_AT_ONCE = 4096  # scored in one go: bounds memory
BLOCK = 16  # fewer rows would be multiplied in another order: their scores would depend on their company
LEAST_RATE = 0.01  # where the cosine ends, as a share of the learning rate


class PiecewiseLinear(nn.Module):
    """Each number as its way through the quantile bins of its column, then a linear map of its own column."""

    def __init__(self, n_numeric: int, size: int, bins: int):
        super().__init__()
        self.register_buffer("left", torch.zeros(n_numeric, bins))
        self.register_buffer("slope", torch.zeros(n_numeric, bins))
        self.line = nn.Parameter(torch.empty(n_numeric, 2, size).uniform_(-(size**-0.5), size**-0.5))
        self.weight = nn.Parameter(torch.zeros(n_numeric, bins, size))
        self.n_outputs = n_numeric * size

    def forward(self, x):
        way = ((x.T.unsqueeze(2) - self.left.unsqueeze(1)) * self.slope.unsqueeze(1)).clamp(0, 1)
        straight = self.line[:, :1] + x.T.unsqueeze(2) * self.line[:, 1:]
        return torch.baddbmm(straight, way, self.weight).transpose(0, 1).flatten(1)


class Periodic(nn.Module):
    """Each number as sines and cosines of learned frequencies, then one linear map that all columns share."""

    def __init__(self, n_numeric: int, size: int, n_frequencies: int, frequency_std: float):
        super().__init__()
        self.frequency = nn.Parameter(torch.empty(n_numeric, n_frequencies).normal_(0, frequency_std))
        self.mix = nn.Linear(2 * n_frequencies, size)
        self.n_outputs = n_numeric * size

    def forward(self, x):
        angle = 2 * math.pi * self.frequency * x.unsqueeze(2)
        return self.mix(torch.cat([angle.cos(), angle.sin()], dim=2)).relu().flatten(1)


class Network(nn.Module):
    """Embeddings of numbers and categories, side by side, into a multilayer perceptron.

    Numbers are held within the range that was seen in fitting: beyond it an output stays as it is at the edge. Row 0 of a
    category's embedding is for missing and unknown values; it starts at zero, where weight decay draws every row.
    """

    def __init__(
        self, n_numeric, cardinalities, n_outputs, layers, neurons, dropout, embedding, embedding_size, bins, frequency_std
    ):
        super().__init__()
        self.register_buffer("low", torch.zeros(n_numeric))
        self.register_buffer("high", torch.zeros(n_numeric))
        if embedding == "none" or not n_numeric:
            self.numbers, width = nn.Identity(), n_numeric
        else:
            self.numbers = (
                PiecewiseLinear(n_numeric, embedding_size, bins)
                if embedding == "piecewise_linear"
                else Periodic(n_numeric, embedding_size, bins, frequency_std)
            )
            width = self.numbers.n_outputs
        sizes = [min(embedding_size, (cardinality + 2) // 2) for cardinality in cardinalities]
        self.categories = nn.ModuleList(
            nn.Embedding(cardinality + 1, size) for cardinality, size in zip(cardinalities, sizes, strict=True)
        )
        for table in self.categories:
            nn.init.normal_(table.weight, 0, table.embedding_dim**-0.5)
            table.weight.data[0].zero_()
        widths = [width + sum(sizes), *(layers if isinstance(layers, list) else [neurons] * layers)]
        hidden = [part for n_in, n_out in pairwise(widths) for part in (nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(dropout))]
        self.hidden, self.output = nn.Sequential(*hidden), nn.Linear(widths[-1], n_outputs)

    def forward(self, numbers, codes):
        parts = [self.numbers(numbers.clamp(self.low, self.high))]
        parts += [table(codes[:, i]) for i, table in enumerate(self.categories)]
        return self.output(self.hidden(torch.cat(parts, dim=1)))

    @torch.no_grad()
    def prepare(self, numbers: np.ndarray, start: np.ndarray) -> None:
        """Learn the ranges and bins from the training rows, and begin at the best constant output."""
        if len(self.low):
            self.low.copy_(torch.from_numpy(numbers.min(axis=0)))
            self.high.copy_(torch.from_numpy(numbers.max(axis=0)))
        if isinstance(self.numbers, PiecewiseLinear):
            left, slope = quantile_bins(numbers, self.numbers.left.shape[1])
            self.numbers.left.copy_(torch.from_numpy(left))
            self.numbers.slope.copy_(torch.from_numpy(slope))
        self.output.bias.copy_(torch.from_numpy(start))


def quantile_bins(numbers: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut each column at its quantiles.

    Parameters
    ----------
    numbers : ndarray of shape (n_rows, n_numeric)
    bins : int
        Most bins of a column; quantiles that coincide are one edge, so a constant column has no bin.

    Returns
    -------
    left, slope : ndarray of float32 of shape (n_numeric, bins)
        Left edges and inverse widths; a bin that does not exist has slope 0.
    """
    left, slope = np.zeros((2, numbers.shape[1], bins), dtype=np.float32)
    for i, edges in enumerate(np.quantile(numbers, np.linspace(0, 1, bins + 1), axis=0).T):
        distinct = edges[np.append(True, np.diff(edges) > 1e-6 * (edges[-1] - edges[0]) + 1e-12)]
        left[i, : len(distinct) - 1] = distinct[:-1]
        slope[i, : len(distinct) - 1] = 1 / np.diff(distinct)
    return left, slope


class Rows(Dataset):
    """Rows as tensors on the device, taken many at a time."""

    def __init__(self, arrays: Arrays, device: str):
        numbers, codes, self.y, self.weight = (torch.from_numpy(each).to(device) for each in arrays)
        self.inputs = {"numbers": numbers, "codes": codes}

    def __len__(self):
        return len(self.y)

    def __getitem__(self, rows):
        return {name: values[rows] for name, values in self.inputs.items()}, (self.y[rows], self.weight[rows])


class Batches:
    """Batches of `Rows`, in a new order each time when there is a generator.

    The last batch of a shuffled pass joins the one before it when it is less than half full.
    """

    def __init__(self, rows: Rows, batch_size: int, generator: torch.Generator | None = None):
        self.rows, self.batch_size, self.generator = rows, batch_size, generator

    def __iter__(self):
        n_rows = len(self.rows)
        if self.generator is None:
            for start in range(0, n_rows, self.batch_size):
                yield self.rows[start : start + self.batch_size]
            return
        order = torch.randperm(n_rows, generator=self.generator).to(self.rows.y.device)
        n_batches = max(1, round(n_rows / self.batch_size))
        for i in range(n_batches):
            stop = n_rows if i == n_batches - 1 else (i + 1) * self.batch_size
            yield self.rows[order[i * self.batch_size : stop]]


class Loss(nn.Module):
    """Mean over rows of weight times log loss, squared error or pinball loss."""

    def __init__(self, objective: Objective):
        super().__init__()
        self.kind, self.quantile = objective.loss, objective.quantile

    def forward(self, output, target):
        y, weight = target
        if self.kind == "log_loss":
            return (nn.functional.cross_entropy(output, y, reduction="none") * weight).mean()
        error = y - output[:, 0]
        if self.kind == "squared_error":
            return (error.square() * weight).mean()
        return (torch.maximum(self.quantile * error, (self.quantile - 1) * error) * weight).mean()


class _Stopped(Exception):
    """Patience has run out. skorch's own callback raises KeyboardInterrupt, which would also hide a person's Ctrl-C."""


class _Follow(Callback):
    """Record each epoch, and watch the loss on the rows that decide when to stop.

    A squared error becomes its root, so that `unit`, the standard deviation of the target, makes every loss natural.
    """

    def __init__(self, train: Rows, monitoring: Monitoring, is_watched: bool, unit: float):
        self.train = train if monitoring.with_train_loss else None
        self.patience, self.on_round = monitoring.patience if is_watched else None, monitoring.on_round
        self.unit = unit

    def _natural(self, net, loss: float) -> float:
        return self.unit * (math.sqrt(loss) if net.criterion_.kind == "squared_error" else loss)

    def on_train_begin(self, net, **kwargs):
        self.history, self.best_epoch, self.best_loss, self.best_state = [], 0, math.inf, None

    def on_epoch_begin(self, net, **kwargs):
        self.rate = net.optimizer_.param_groups[0]["lr"]

    def on_epoch_end(self, net, **kwargs):
        epoch = {"learning_rate": self.rate}
        if self.train is not None:
            epoch["train_loss"] = self._natural(net, _loss(net, self.train))
        if (val_loss := net.history[-1].get("valid_loss")) is not None:
            epoch["val_loss"] = self._natural(net, val_loss)
        self.history.append(epoch)
        if self.on_round:
            self.on_round({name.removesuffix("_loss"): value for name, value in epoch.items() if name != "learning_rate"})
        if self.patience is None:
            return
        if epoch["val_loss"] < self.best_loss - self.patience.min_delta:
            self.best_epoch, self.best_loss = len(self.history), epoch["val_loss"]
            self.best_state = {name: value.clone() for name, value in net.module_.state_dict().items()}
        elif len(self.history) >= self.best_epoch + self.patience.rounds:
            raise _Stopped

    def on_train_end(self, net, **kwargs):
        if self.patience is None or not self.patience.restore_best_weights or not self.best_state:
            self.best_epoch = len(self.history)
        else:
            net.module_.load_state_dict(self.best_state)


def _loss(net: NeuralNet, rows: Rows) -> float:
    total = 0.0
    for batch in Batches(rows, ROWS_AT_ONCE):
        total += float(net.validation_step(batch)["loss"]) * len(batch[1][0])
    return total / len(rows)


def _scheduler(optimisation: Optimisation) -> list[tuple[str, Callback]]:
    """A schedule that never sees the rows that decide when to stop, so that stopping is all they do."""
    if optimisation.schedule == "none":
        return []
    if optimisation.schedule == "plateau":
        policy = torch.optim.lr_scheduler.ReduceLROnPlateau
        return [("schedule", LRScheduler(policy, monitor="train_loss", factor=0.3, patience=2, threshold=1e-3))]

    def share(epoch: int) -> float:
        return LEAST_RATE + (1 - LEAST_RATE) * (1 + math.cos(math.pi * min(epoch / optimisation.schedule_epochs, 1))) / 2

    return [("schedule", LRScheduler(torch.optim.lr_scheduler.LambdaLR, lr_lambda=share))]


def train(
    architecture: Mapping[str, Any],
    rows: Arrays,
    stop: Arrays | None,
    objective: Objective,
    optimisation: Optimisation,
    monitoring: Monitoring,
    device: str,
    n_threads: int | None,
) -> tuple[dict[str, np.ndarray], dict[str, list[float]], int]:
    """Train a network.

    Parameters
    ----------
    architecture : mapping
        Arguments of `Network`.
    rows : Arrays
    stop : Arrays, optional
        Rows whose loss is watched; they teach nothing.
    objective : Objective
    optimisation : Optimisation
    monitoring : Monitoring
    device : {"cpu", "cuda"}
    n_threads : int, optional

    Returns
    -------
    state : dict of str to ndarray
    history : dict of str to list of float
    best_iteration : int
        Epochs in the model, from 1.
    """
    with settings(device, n_threads, optimisation.seed):
        module = Network(**architecture)
        module.prepare(rows.numbers, objective.start)
        train_rows = Rows(rows, device)
        follow = _Follow(train_rows, monitoring, stop is not None, objective.unit)
        net = _make_net(module, objective, optimisation, stop and Rows(stop, device), follow, device)
        net.notify("on_train_begin", X=train_rows, y=None)
        with suppress(_Stopped):
            net.fit_loop(train_rows)
        net.notify("on_train_end", X=train_rows, y=None)
        state = {name: value.cpu().numpy().copy() for name, value in net.module_.state_dict().items()}
        follow = dict(net.callbacks_)["follow"]
    return state, {name: [epoch[name] for epoch in follow.history] for name in follow.history[0]}, follow.best_epoch


def _make_net(
    module: Network, objective: Objective, optimisation: Optimisation, stop: Rows | None, follow: _Follow, device: str
) -> NeuralNet:
    """skorch's training loop around a network."""
    return NeuralNet(
        module,
        criterion=Loss(objective),
        optimizer=torch.optim.AdamW,
        optimizer__param_groups=[("*bias", {"weight_decay": 0.0})],
        optimizer__weight_decay=optimisation.weight_decay,
        optimizer__foreach=True,
        lr=optimisation.learning_rate,
        max_epochs=optimisation.max_epochs,
        batch_size=optimisation.batch_size,
        iterator_train=Batches,
        iterator_train__generator=torch.Generator().manual_seed(optimisation.seed),
        iterator_valid=Batches,
        iterator_valid__batch_size=ROWS_AT_ONCE,
        train_split=None if stop is None else predefined_split(stop),
        callbacks=[*_scheduler(optimisation), ("follow", follow)],
        callbacks__print_log=None,
        device=device,
        verbose=0,
    ).initialize()


def outputs(
    architecture: Mapping[str, Any],
    state: Mapping[str, np.ndarray],
    numbers: np.ndarray,
    codes: np.ndarray,
    n_threads: int | None,
) -> np.ndarray:
    """Predictions of a trained network for each row, on the CPU, as float64 of shape (n_rows, n_outputs)."""
    predictions = np.empty((len(numbers), architecture["n_outputs"]))
    with settings("cpu", n_threads), torch.inference_mode():
        with torch.device("meta"):
            module = Network(**architecture).eval()
        module.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()}, assign=True)
        for first in range(0, len(numbers), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            inputs = [torch.from_numpy(part[rows]) for part in (numbers, codes)]
            n_rows = len(inputs[0])
            padded = (nn.functional.pad(part, (0, 0, 0, -n_rows % BLOCK)) for part in inputs)
            predictions[rows] = module(*padded)[:n_rows].numpy()
    return predictions


@contextmanager
def settings(device: str, n_threads: int | None, seed: int | None = None) -> Iterator[None]:
    """Threads, deterministic algorithms and, with a seed, random numbers for a block; afterwards all is as it was."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    if device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS may add up in any order
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    with torch.random.fork_rng(devices, enabled=seed is not None):
        try:
            if seed is not None:
                torch.manual_seed(seed)
            torch.set_num_threads(n_threads or threads)
            if device == "cuda":  # the CPU's are; asking for them anyway imports PyTorch's compiler, which takes seconds
                torch.use_deterministic_algorithms(True)
            yield
        finally:
            torch.set_num_threads(threads)
            if device == "cuda":
                torch.use_deterministic_algorithms(deterministic)
