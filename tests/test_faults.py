"""The suite of faults can fail, is complete, and its page says what it tries."""

import io
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT
from rich.console import Console

from faults import groups, runner, table
from faults.__main__ import conclude
from faults.case import Broken, expect
from faults.mutants import MUTANTS

PAGE = ROOT / "docs/reliability.md"
PROMISES = groups.promises()


def test_every_group_has_promises_and_every_module_with_promises_is_a_group():
    modules = {path.stem for path in (ROOT / "faults").glob("*.py") if "GROUP = Group(" in path.read_text()}
    assert modules == set(groups.NAMES)
    assert {promise.group for promise in PROMISES} == modules


def test_a_promise_is_found_by_its_name_and_no_two_have_the_same():
    assert len({(promise.group, promise.name) for promise in PROMISES}) == len(PROMISES)
    assert groups.find("mutants", "a planted fault").cases == tuple(mutant.name for mutant in MUTANTS)


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    """Make an attempt of a promise, in a process of its own."""
    monkeypatch.setenv(runner.SHARED, str(tmp_path))
    core = min(os.sched_getaffinity(0))
    return lambda promise, number=0: runner.attempt(promise, number, 0, core)


def test_an_attempt_holds_fails_or_takes_too_long(attempt):
    sound = groups.find("queries", "a query for a few rows")
    assert attempt(sound).outcome == runner.HELD
    late = attempt(replace(sound, limit_s=0.001))
    assert (late.outcome, late.said) == (runner.FAILED, "it took more than 0.001 s")


def test_what_an_attempt_started_and_wrote_is_gone_with_it(attempt, tmp_path):
    attempt(replace(groups.find("races", "a reader while a run is replaced"), limit_s=0.3))
    assert list(tmp_path.iterdir()) == []


def test_a_promise_that_did_not_hold_is_exit_code_1_and_what_was_not_tried_is_said():
    one, other = groups.promises(["queries"])[:2]
    failed = [runner.Result(one, 0, runner.FAILED, "no", 1.0), runner.Result(one, 1, runner.HELD, "", 1.0)]
    left_out = [runner.Result(other, 0, runner.NOT_TRIED, "it needs root", 1.0)]
    console = Console(record=True, width=200, quiet=False, file=io.StringIO())
    assert conclude(console, table.rows([one, other], [*failed, *left_out]), [*failed, *left_out]) == 1
    assert f"Not tried: queries · {other.name}: it needs root" in console.export_text()
    assert conclude(console, table.rows([one, other], failed[1:]), failed[1:]) == 0


def test_the_table_counts_attempts_held_failed_and_seconds():
    one = groups.promises(["queries"])[0]
    results = [runner.Result(one, number, runner.HELD if number else runner.FAILED, "", 1.5) for number in range(4)]
    results.append(runner.Result(one, 4, runner.NOT_TRIED, "", 0.0))
    written = table.markdown(table.rows([one], results), 20, 60.0)
    assert f"| queries | {one.name} | 4 | 3 | 1 | 6 |" in written
    assert "| | **all** | **4** | **3** | **1** | **6** |" in written


def test_what_does_not_hold_is_a_sentence():
    with pytest.raises(Broken, match="two rows are missing"):
        expect(False, "two rows are missing")


def test_the_same_words_make_the_same_attempt_again():
    promise = PROMISES[0]
    assert promise.seed(0, 3) == promise.seed(0, 3)
    assert len({promise.seed(seed, number) for seed in range(3) for number in range(3)}) == 9


def test_every_case_is_tried_even_where_n_is_small():
    for promise in PROMISES:
        assert {promise.case(number) for number in range(promise.count(1))} >= set(promise.cases)


def test_there_are_enough_kinds_of_broken_tables_and_of_planted_faults():
    assert len(groups.find("tables", "a table with one fault").cases) >= 150
    assert len(MUTANTS) >= 24


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_fault_applies_to_the_code_of_today_and_says_which_promise_it_breaks(mutant):
    assert (ROOT / "src/bank_models" / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.new != mutant.old
    aimed = [one for one in groups.promises([mutant.group]) if mutant.promise in one.name]
    assert len(aimed) == 1
    assert runner.jobs(aimed, mutant.n, mutant.case)


def test_the_page_says_what_each_promise_means():
    page = PAGE.read_text()
    said = re.findall(
        r"^\| (\w+) \| (.+) \| (.+) \|$", page.partition(table.MEANING)[2].partition(table.MEANT)[0], re.MULTILINE
    )
    assert said[1:] == [(promise.group, promise.name, promise.means) for promise in PROMISES]


def test_a_page_keeps_what_stands_around_the_table(tmp_path):
    page = Path(tmp_path, "page.md")
    page.write_text(f"above\n{table.BEGIN}\nold\n{table.END}\nbelow\n", encoding="utf-8")
    table.write(page, "new")
    assert page.read_text(encoding="utf-8") == f"above\n{table.BEGIN}\nnew\n{table.END}\nbelow\n"


def test_the_table_on_the_page_is_of_the_promises_of_today():
    page = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (.+?) \| \d+ \| \d+ \| \d+ \| \d+ \|$", page, re.MULTILINE)
    assert rows == [(one.group, one.name) for one in PROMISES]
