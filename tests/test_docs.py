"""README and docs: commands that are accepted, links that lead somewhere, sentences that are short, lists that are whole."""

import argparse
import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, options, run_warm

from bank_models import errors, predict, use_cases
from bank_models.command_line import CONF
from bank_models.config import catalogue
from bank_models.config.compose import check_job, compose_job, composer, implied, parse
from bank_models.drafts import command
from bank_models.errors import ConfigError
from bank_models.gate import read_limit
from bank_models.sweeps.plan import plan

README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
GENERATED = DOCS / "use_cases.md"  # its sentences are those of conf/use_case
TUTORIAL = DOCS / "tutorials/your-own-table.md"
MOST_WORDS = 30
SHELL = {"source", "export", "eval", "git", "cd", "gto", "ls", "open", "pip"}  # and what else belongs to nobody here
MULTIRUN = {"--multirun", "-m"}
# Settings that need more than every machine has.
NEEDS_MORE = re.compile(r"device=cuda|launcher[=.]|n_shards=|hydra/launcher=ray|hydra\.launcher\.ray\.")
IN_LINE = re.compile(r"`((?:python -m (?:src|faults)|bank-models [a-z]|python bench/|make |dvc )[^`]*)`")
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")
PLACE = re.compile(r"`((?:src|conf|tests|bench|docs|faults)/[\w./-]*)`")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> list[str]:
    """What stands between fences of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(path), re.MULTILINE | re.DOTALL)


def without_blocks(path: Path) -> str:
    return re.sub(r"^```.*?^```", "", text_of(path), flags=re.MULTILINE | re.DOTALL)


def lines_typed() -> list[str]:
    """Every command of README and docs: after a dollar, or between backticks."""
    typed = []
    for path in PAGES:
        shown = "".join(blocks(path, "console")).splitlines()
        after_dollar = [line.removeprefix("$ ") for line in shown if line.startswith("$ ")]
        for line in [*after_dollar, *IN_LINE.findall(without_blocks(path))]:
            typed += [_of_checkout(part.strip()) for part in re.sub(r"\s+#.*", "", line).split(" && ")]
    return list(dict.fromkeys(typed))


def _of_checkout(line: str) -> str:
    """`bank-models use-cases` as it is typed in the checkout."""
    return re.sub(r"^bank-models ([\w-]+)", lambda found: f"python -m src.{found[1].replace('-', '_')}", line)


TYPED = lines_typed()


def beginning_with(*words: str) -> list[str]:
    return [line for line in TYPED if line.startswith(words)]


def words_of(line: str) -> list[str]:
    return [word for word in shlex.split(line) if word != "…"]


# Commands


def test_every_command_belongs_to_a_program_that_a_test_looks_at():
    looked_at = ("python -m src.", "python -m faults", "python -m http.server", "python bench/", "make", "dvc", *SHELL)
    assert [line for line in TYPED if not line.startswith(looked_at)] == []


@pytest.fixture
def accepted(monkeypatch, tmp_path):
    """Compose and check settings as `python -m src.train` does before it reads a row; refuses what that would refuse."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:///bank.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    (tmp_path / "use_case").mkdir()
    for block in blocks(TUTORIAL, "yaml")[:1]:
        (tmp_path / "use_case/card_upgrade.yaml").write_text(block, encoding="utf-8")

    def accept(argv: list[str]) -> None:
        overrides = [word.replace("glob(*)", "glob(mo*)") for word in argv if re.match(r"~|[^-].*=", word)]
        overrides = [word for word in overrides if not NEEDS_MORE.match(word)]
        overrides += implied(overrides)
        folders = [CONF, *([tmp_path] if "--config-dir" in argv else [])]
        if MULTIRUN & set(argv):
            jobs = [one for one in overrides if not one.startswith("resume")]
            assert plan(jobs, folders, "code", lambda done, total: None).cfg
        elif not {"--help", "--shell-completion", "--cfg"} & set(argv):
            parse(overrides, folders)
            with composer(folders) as compose:
                cfg = compose_job(compose, overrides, folders)
                check_job(cfg)

    return accept


def trainings() -> list[str]:
    """What is given to `python -m src.train`, by itself or through make."""
    by_make = [f"python -m src.train {argument}" for line in beginning_with("make train") for argument in arguments_of(line)]
    return list(dict.fromkeys([*beginning_with("python -m src.train"), *by_make]))


def arguments_of(line: str) -> list[str]:
    return [word.removeprefix("ARGS=") for word in words_of(line) if word.startswith("ARGS=")]


@pytest.mark.parametrize("line", trainings())
def test_every_training_that_we_show_is_accepted(line, accepted):
    argv = words_of(line.replace("…", ""))[3:]
    if any("max_dept=" in word for word in argv):  # shown for the answer that it gets
        with pytest.raises(ConfigError, match="Did you mean"):
            accepted(argv)
    else:
        accepted(argv)


@pytest.mark.parametrize("line", beginning_with("python -m src.predict"))
def test_every_scoring_that_we_show_is_accepted(line, monkeypatch):
    monkeypatch.setattr(predict, "find_spec", lambda name: True)  # Ray may be missing here
    argv = [word for word in words_of(line)[3:] if word != "--help"]
    if not argv:
        return
    if "…" in line:  # the rest is left out
        argv += [f"{key}=fraud.csv" for key in ("use_case", "input", "output") if f"{key}=" not in line]
        argv = [word.replace("use_case=fraud.csv", "use_case=fraud") for word in argv]
    settings = predict.read(argv)
    assert "run_dir" in settings or catalogue.full_name(settings["use_case"]) in options("use_case")


class Parsed(BaseException):
    """A command line got through its parser."""


@pytest.mark.parametrize("line", [one for one in beginning_with("python -m src.", "python -m faults")
                                  if not one.startswith(("python -m src.train", "python -m src.predict"))])  # fmt: skip
def test_every_other_command_that_we_show_gets_through_its_parser(line, monkeypatch):
    for name in ("parse_args", "parse_intermixed_args"):
        earlier = getattr(argparse.ArgumentParser, name)

        def parse_and_stop(self, *arguments, earlier=earlier):
            raise Parsed(earlier(self, *arguments))

        monkeypatch.setattr(argparse.ArgumentParser, name, parse_and_stop)
    _, _, module, *argv = words_of(line)
    module += (
        ".__main__" if (ROOT / "src/bank_models" / module.partition(".")[2].replace(".", "/") / "__main__.py").is_file() else ""
    )
    main = import_module(module).main
    if module in ("src.resolve", "src.reproduce") or not argv:  # the first two take no flags; others may be named alone
        assert {word.partition("=")[0] for word in argv} <= {"use_case", "model", "--help"}
        return
    with pytest.raises((Parsed, SystemExit)) as end:
        getattr(main, "__wrapped__", main)(argv)
    if end.type is SystemExit:
        assert "--help" in argv
        assert end.value.code == 0
    elif module == "src.use_cases" and argv[0] == "new":
        assert command.read(end.value.args[0].words)[0]["target"]
    elif module == "src.use_cases" and "filters" in end.value.args[0]:
        assert use_cases.chosen(catalogue.catalogue([CONF]), end.value.args[0].filters)
    elif module == "src.gate":
        assert [read_limit(text) for text in end.value.args[0].max_drop]


@pytest.mark.parametrize("line", [line for line in beginning_with("dvc") if words_of(line) != ["dvc"]])
def test_every_command_of_dvc_that_we_show_is_one(line):
    from dvc.cli.parser import get_main_parser

    get_main_parser().parse_args(words_of(line)[1:])
    models = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["use_cases"]
    assert set(re.findall(r"(?:fit|evaluate)@(\w+)", line)) <= set(models)


@pytest.mark.parametrize("line", beginning_with("make"))
def test_every_goal_of_make_that_we_show_is_there_and_so_are_its_extras(line):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    of_both = (makefile, (ROOT / "template/Makefile").read_text(encoding="utf-8"))
    goals, of_project = (re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0] for text in of_both)
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    for word in words_of(line)[1:]:
        variable, is_set, value = word.partition("=")
        if not is_set:
            assert word in goals.split() + of_project.split()
        else:
            assert f"$({variable}" in makefile or f"{variable} ?=" in makefile
            assert variable != "EXTRAS" or set(value.split()) <= extras


@pytest.mark.parametrize("line", beginning_with("python bench/"))
def test_every_bench_that_we_show_is_there(line):
    assert (ROOT / words_of(line)[1]).is_file()


def test_the_first_command_of_the_readme_prints_what_the_readme_shows(tmp_path):
    shown = blocks(README, "console")[0].splitlines()
    assert shown[0] == "$ make train"
    run = run_warm(f"hydra.run.dir={tmp_path}/run")
    assert run.returncode == 0
    assert run.stdout.splitlines()[0] == shown[1]


def test_the_tutorial_on_an_own_table_leads_from_the_file_to_scores(tmp_path):
    shown = {words_of(block.splitlines()[0])[3]: block.splitlines() for block in blocks(TUTORIAL, "console")[:3]}
    exec(blocks(TUTORIAL, "python")[0].replace("cards.csv", f"{tmp_path}/cards.csv"), {})
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/src"}

    def typed(program: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, *words_of(shown[program][0])[2:]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert typed("src.use_cases") == shown["src.use_cases"][1:]
    assert (tmp_path / "my_conf/use_case/card_upgrade.yaml").read_text(encoding="utf-8") == blocks(TUTORIAL, "yaml")[0]
    assert typed("src.train") == shown["src.train"][1:]
    assert "2,000 rows scored" in typed("src.predict")[0]
    decisions = {line.split(",")[2] for line in (tmp_path / "scores.csv").read_text().splitlines()[1:]}
    assert decisions == {'"yes"', '"no"'}


def test_the_page_on_notebooks_trains_step_by_step(tmp_path, monkeypatch):
    page = ROOT / "docs/how-to/notebook.md"
    code = blocks(page, "python")
    steps, objects, importance, compare, scores, search = code[3:9]
    said, table = blocks(page, "text")
    monkeypatch.setattr("bank_models.tuning.storage.STORED_IN", [])
    shown = {}
    exec(steps.replace('"model=logistic_regression"', '"model=logistic_regression", "n_threads=1"'), shown)
    assert [repr(one) for one in eval(objects, shown)] == said.splitlines()
    assert repr(eval(importance, shown)) == table.rstrip("\n")
    exec(compare.replace('"model=xgboost"', '"model=xgboost", "n_threads=1"'), shown)
    assert len(shown["other_folds"]) == len(shown["folds"])
    exec(scores, shown)
    exec(search.replace('"tuning.n_iter=4"', '"tuning.n_iter=2", "tuning.storage=null", "n_threads=1"'), shown)
    assert len(shown["search"].table) == 2


# Code and configuration that is shown


@pytest.mark.parametrize("path", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_python_that_we_show_imports_what_there_is(path):
    for block in blocks(path, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("bank_models"):
                module = import_module(node.module)
                assert all(hasattr(module, one.name) or find_spec(f"{node.module}.{one.name}") for one in node.names)


@pytest.mark.parametrize("path", [page for page in PAGES if blocks(page, "yaml")], ids=name_of)
def test_configuration_that_we_show_is_yaml(path):
    for block in blocks(path, "yaml"):
        assert yaml.safe_load(block)


@pytest.mark.parametrize("path", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=name_of)  # it names what is gone
def test_every_file_that_a_page_names_is_there(path):
    named = [*PLACE.findall(without_blocks(path)), *(re.findall(r"^::: (\S+)\.\w+$", text_of(path), re.MULTILINE))]
    gone = [one for one in named if not any((ROOT / each).exists() for each in (one, *modules_called(one)))]
    assert [one for one in gone if "NAME" not in one and not one.startswith("conf/tuned")] == []  # a run makes that folder


def modules_called(name: str) -> list[str]:
    """Files that a module may be, of its dotted name."""
    place = f"src/{name.replace('.', '/')}"
    return [f"{place}.py", f"{place}/__init__.py"]


# Links


def anchors(path: Path) -> set[str]:
    """Names that a forge gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", without_blocks(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(path):
    for target in LINK.findall(without_blocks(path)):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target
        if DOCS in path.parents:
            assert DOCS in there.parents or there == DOCS, f"{target} leaves docs/: the website has no such page"


def test_every_page_has_a_place_on_the_website():
    listed = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def test_every_page_can_be_reached_from_the_readme():
    found, waiting = set(), [README]
    while waiting:
        page = waiting.pop()
        if page in found:
            continue
        found.add(page)
        targets = [(page.parent / target.partition("#")[0]).resolve() for target in LINK.findall(without_blocks(page))]
        waiting += [target for target in targets if target.suffix == ".md" and target.is_file()]
    assert set(PAGES) - found == set()


# Words


def test_the_readme_is_a_front_page():
    assert len(text_of(README).encode()) <= 8000
    assert len(text_of(README).splitlines()) <= 110


def test_the_tree_of_the_readme_names_every_entry_of_the_source_and_no_other():
    (tree,) = re.findall(r"^src/bank_models/\n((?:  .*\n)+)", text_of(README), re.MULTILINE)
    named, package = [], ""
    for indent, name in re.findall(r"^( +)([\w./]+)", tree, re.MULTILINE):
        package = name if len(indent) == 2 else package
        named.append(name if len(indent) == 2 else package + name)
    assert [place for place in named if not (ROOT / "src/bank_models" / place).exists()] == []
    entries = {path.name + "/" * path.is_dir() for path in (ROOT / "src/bank_models").iterdir()} - {
        "__init__.py",
        "__pycache__/",
    }
    assert {place for place in named if "/" not in place.rstrip("/")} == entries


def prose(path: Path) -> list[str]:
    """Paragraphs, items of lists and cells of tables; what a command writes is left out."""
    text = re.sub(r"<!-- begin.*?<!-- end -->", "", without_blocks(path), flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->|^#.*$|^!\[.*$|^:::.*(\n {4}.*)*$", "", text, flags=re.MULTILINE)
    rows = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    cells = [cell for row in rows for cell in re.split(r"(?<!\\)\|", row)]
    text = re.sub(r"^\|.*\|$", "", text, flags=re.MULTILINE)
    paragraphs = re.split(r"\n\s*\n|\n\s*(?:[-*]|\d+\.) ", "\n" + text)
    return [" ".join(part.split()) for part in [*paragraphs, *cells] if part.strip()]


def sentences(paragraph: str) -> list[str]:
    text = re.sub(r"`[^`]*`", "code", paragraph)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("*", "").replace(" et al. ", " et al ")
    return re.split(r"(?<=[.!?])[)\"]*\s+(?=[A-Z0-9(]|code\b)", text)


def n_words(sentence: str) -> int:
    return sum(any(character.isalnum() for character in word) for word in sentence.split())


@pytest.mark.parametrize("path", [page for page in PAGES if page != GENERATED], ids=name_of)
def test_no_sentence_is_longer_than_a_breath(path):
    long = [one for paragraph in prose(path) for one in sentences(paragraph) if n_words(one) > MOST_WORDS]
    assert long == []


# Lists that must be whole


def first_cells(page: str) -> set[str]:
    """What the first cells of a page's tables name in code."""
    rows = re.findall(r"^\| (.*?) \|", text_of(DOCS / page), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_the_page_of_metrics_names_every_metric_that_a_use_case_may_choose():
    from bank_models.metrics.names import NEEDS_TRUE_GROUPS, OURS

    assert set(OURS) - {NEEDS_TRUE_GROUPS} <= first_cells("reference/metrics.md")


@pytest.mark.parametrize("group", sorted(path.name for path in (ROOT / "conf").iterdir() if path.is_dir()))
def test_the_page_of_the_configuration_names_every_option_of_a_group(group):
    if group in ("use_case", "tuned"):
        return  # docs/use_cases.md is generated; a file of tuned belongs to a use case and a model
    page = text_of(DOCS / "reference/configuration.md")
    (row,) = re.findall(rf"^\| `{group}` \|(.*)$", page, re.MULTILINE)
    assert set(options(group)) <= set(re.findall(r"`(\w+)`", row))


def test_the_page_of_the_configuration_names_every_other_setting():
    from bank_models.config.schema import TrainingConfig

    groups = {path.name for path in (ROOT / "conf").iterdir()}
    settings = set(TrainingConfig.model_fields) - groups - {"members"}
    assert settings <= first_cells("reference/configuration.md")


def test_the_page_of_use_case_files_names_every_field():
    from bank_models.config.feature import Feature
    from bank_models.config.use_case import UseCase

    fields = {*UseCase.model_fields, *Feature.model_fields}
    assert fields - first_cells("reference/use-case-file.md") == set()


def rows_of_the_catalogue() -> list[str]:
    """A row of a Markdown table for each real data set: its name, title, number of rows, and what it is made from."""
    files = sorted((ROOT / "src/bank_models/data/catalogue").rglob("*.yaml"))
    entries = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in files}
    rows = []
    for name, entry in sorted(entries.items()):
        n_rows = (entry.get("shape") or entries[entry["derived_from"]]["shape"])[0]
        made_from = [entry.get("derived_from"), *(entry.get("tables") or {}).values()]
        origin = ", ".join(f"`{one}`" for one in made_from if one) or f"package {entry['package']}"
        rows.append(f"| `{name}` | {entry['title']} | {n_rows:,} | {origin} |")
    return rows


def test_the_page_of_data_sets_has_a_row_for_each():
    shown = re.findall(r"^\| `.*$", text_of(DOCS / "reference/data-sets.md"), re.MULTILINE)
    assert shown == rows_of_the_catalogue()


def test_the_page_of_exit_codes_names_every_exit_code():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TrainingError)]
    assert {str(kind.exit_code) for kind in kinds} <= first_cells("reference/exit-codes.md")


def test_the_page_of_run_folders_names_every_file_of_a_run(run_of):
    named = first_cells("reference/run-folder.md")
    for kind in ("binary", "clustering"):
        folder = run_of(kind)
        files = {path.name if path.parent == folder else f"{path.relative_to(folder).parts[0]}/" for path in folder.rglob("*")}
        assert files - named - {name.rstrip("/") for name in named} == set()


def test_the_page_of_scores_names_every_setting_of_scoring():
    assert set(predict.KEYS) <= first_cells("how-to/score-a-table.md")
