"""What there is to compute with, asked of a stand-in for NVIDIA's driver; `test_cuda.py` asks a real one."""

import ctypes
import os
from types import SimpleNamespace

import pytest

from bank_models.runtime import device

NAMES = ["NVIDIA H200", "NVIDIA T4"]


def driver(init: int = 0, names=NAMES) -> SimpleNamespace:
    def count_of(count) -> int:
        count._obj.value = len(names)
        return 0

    def name_of(buffer, size: int, i: int) -> int:
        buffer.value = names[i].encode()
        return 0

    return SimpleNamespace(cuInit=lambda flags: init, cuDeviceGetCount=count_of, cuDeviceGetName=name_of)


@pytest.fixture(autouse=True)
def _visible(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_devices_are_named_in_the_drivers_order(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver())
    assert device.cuda_devices() == NAMES


@pytest.mark.parametrize("hidden", ["", "-1", " "])
def test_hidden_devices_are_none_and_the_driver_is_not_asked(monkeypatch, hidden):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("the driver was asked"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert device.cuda_devices() == []


def test_a_driver_that_is_absent_or_finds_nothing_means_none(monkeypatch):
    def absent(name):
        raise OSError(name)

    for load in (absent, lambda name: driver(init=100), lambda name: driver(names=[])):
        monkeypatch.setattr(ctypes, "CDLL", load)
        assert device.cuda_devices() == []


def test_cores_are_those_that_are_left_to_this_process(monkeypatch):
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    assert 1 <= device.usable_cores() <= len(os.sched_getaffinity(0))
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert device.usable_cores() == 1
