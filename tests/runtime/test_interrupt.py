"""Ctrl-C and SIGTERM in the middle of Python, of compiled code, and of the answer itself."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

from bank_models.runtime.interrupt import answering
from bank_models.runtime.terminal import TO_LEAVE

START = """
import os, sys, time
from bank_models.runtime.interrupt import answering

def leave(number):
    print("left", number, flush=True)

def say_ready():
    print("ready", flush=True)
"""
IN_PYTHON = """
with answering(leave):
    say_ready()
    while True:
        sum(range(1000))
"""
IN_COMPILED_CODE = """
import numpy as np
values = np.random.default_rng(0).random(40_000_000)
with answering(leave):
    say_ready()
    for _ in range(3):
        np.sort(values)
"""
IN_A_QUERY = """
import sqlite3, tempfile, threading
from bank_models.config.feature import Feature
from bank_models.data import sql
from bank_models.data.table_schema import TableSchema
path = tempfile.mkdtemp() + "/bank.db"
sqlite3.connect(path).execute("VACUUM")
os.environ["BANK_URL"] = f"sqlite:///{path}"
endless = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT count(*) AS n FROM x"
with answering(leave):
    threading.Timer(2, say_ready).start()  # the query runs by then
    sql.load(endless, "BANK_URL", TableSchema({"n": Feature(type="int")}))
"""
IN_AN_ANSWER_THAT_HANGS = """
def leave(number):
    time.sleep(60)

with answering(leave):
    say_ready()
    time.sleep(60)
"""
IN_AN_ANSWER_THAT_FAILS = """
def leave(number):
    raise OSError("no such folder")

with answering(leave):
    say_ready()
    time.sleep(60)
"""


def heed_signals() -> None:
    """Those that nohup, or a shell's `&`, has the tests ignore."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def started(code: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", START + code], cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=heed_signals
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("code", [IN_PYTHON, IN_COMPILED_CODE, IN_A_QUERY], ids=["in Python", "in compiled code", "in a query"])
def test_a_signal_is_answered_within_a_second_wherever_the_program_is(code, number):
    process = started(code)
    time.sleep(0.1)
    at = time.perf_counter()
    process.send_signal(number)
    try:
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert time.perf_counter() - at < 1
    assert said == f"left {int(number)}\n"
    assert process.returncode == 128 + number


@pytest.mark.parametrize("code", [IN_AN_ANSWER_THAT_HANGS, IN_AN_ANSWER_THAT_FAILS], ids=["hangs", "fails"])
def test_a_process_ends_even_if_its_answer_does_not(code):
    process = started(code)
    at = time.perf_counter()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert time.perf_counter() - at < 2
    assert process.returncode == 130


def test_who_presses_twice_is_answered_once():
    process = started("def leave(number):\n    print('left'); time.sleep(0.4); print('cleaned', flush=True)\n" + IN_PYTHON)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[0] == "left\ncleaned\n"


def test_a_forked_child_that_is_ended_takes_nothing_of_its_parent_with_it():
    code = """
import signal
with answering(leave):
    say_ready()
    child = os.fork()
    if child == 0:
        time.sleep(60)
    time.sleep(0.2)
    os.kill(child, signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    time.sleep(0.5)
print("on", flush=True)
"""
    assert started(code).communicate(timeout=30)[0] == "143\non\n"


def test_after_the_block_signals_mean_what_they_meant_before():
    open_files = Path("/proc/self/fd")
    before, n_files = [signal.getsignal(number) for number in TO_LEAVE], len(list(open_files.iterdir()))
    with answering(lambda number: None):
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(number) for number in TO_LEAVE] == before
    assert len(list(open_files.iterdir())) == n_files


def test_a_closed_terminal_ends_nothing_that_runs_under_nohup():
    code = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with answering(leave):
    say_ready()
    time.sleep(1)
print("on")
"""
    process = started(code)
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=30)[0] == "on\n"
