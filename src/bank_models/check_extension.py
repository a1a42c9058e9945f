"""Conformity tests of an extension: `python -m src.check_extension team-models`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bank_models.commands import as_typed
from bank_models.config import project
from bank_models.errors import ConfigError, at_most
from bank_models.extensions import packages
from bank_models.runtime.terminal import for_people

HELP = """\
Try every capability that an extension declares: its metrics, its transformers, and its models and data sources as the files
of --config-dir name them.

  python -m src.check_extension team-models

Exit codes: 0 all of it holds, 2 the extension is missing or something does not hold."""


@for_people
def main(argv: list[str]) -> int:
    """Print what was tried; give the exit code."""
    args = _parser().parse_args(project.with_config_dir(argv))
    extension = _enabled(args.name)
    if args.config_dir is not None and not args.config_dir.is_dir():
        raise ConfigError(f"--config-dir {args.config_dir} is not a folder. Give the folder that holds model/.")
    found = _judged(extension, args.config_dir)
    for one in found:
        print(f"{'does not hold' if one.fault else 'holds':14}{one.of}: {one.what}")
    if faults := [f"{one.of}: {one.what}: {one.fault}" for one in found if one.fault]:
        raise ConfigError(f"{extension.name} {extension.version} claims what does not hold.\n{at_most(2, faults, 'claims')}")
    print(f"{extension.name} {extension.version}: {len(found)} claims hold")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=as_typed("python -m src.check_extension"),
        description=as_typed(HELP),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="of the package, as project.yaml enables it")
    parser.add_argument("--config-dir", "-cd", type=Path, help="where model/*.yaml and so on stand; config_dir of project.yaml")
    return parser


def _enabled(name: str) -> packages.Extension:
    known = {one.name: one for one in packages.enabled()}
    if name not in known:
        raise ConfigError(
            f"{name} is not enabled in this project: what is imported is installed, and named in {packages.FILE}.\n"
            f"Add to {packages.FILE}: extensions: [{name}]"
        )
    return known[name]


def _judged(extension: packages.Extension, config_dir: Path | None) -> list:
    from bank_models.conformity import features, metrics, report_sections

    found = [claim for name in extension.entries["metrics"] for claim in metrics.judge(name)]
    for name in extension.entries["features"]:
        found += [claim for params in _params_of(name, config_dir) for claim in features.judge(name, params)]
    found += [claim for name in extension.entries["report_sections"] for claim in report_sections.judge(name)]
    return found + _judged_sources(extension, config_dir) + _judged_models(extension, config_dir)


def _params_of(transformer: str, config_dir: Path | None) -> list[dict]:
    """Parameters that use cases give a transformer; none where no file names it."""
    from bank_models.files import yaml_file

    paths = sorted(config_dir.glob("use_case/*.yaml")) if config_dir else []
    use_cases = [(yaml_file.read(path) or {}).get("use_case") or {} for path in paths]
    named = [(one.get("transformers") or {}).get(transformer) for one in use_cases]
    return [one.get("params") or {} for one in named if one] or [{}]


def _judged_sources(extension: packages.Extension, config_dir: Path | None) -> list:
    from bank_models.conformity import data_sources
    from bank_models.files import yaml_file

    paths = sorted(config_dir.glob("data_source/*.yaml")) if config_dir else []
    named = [(path.stem, yaml_file.read(path) or {}) for path in paths]
    theirs = extension.entries["data_sources"]
    if left := sorted(set(theirs) - {one.get("source") for _, one in named}):
        raise ConfigError(
            f"No file names the data source {', '.join(left)}: nothing says with which settings to try it.\n"
            "Give --config-dir with data_source/NAME.yaml: see docs/how-to/own-code.md."
        )
    found = [(name, one) for name, one in named if one.get("source") in theirs]
    return [claim for name, one in found for claim in data_sources.judge(name, one["source"], one.get("settings") or {})]


def _judged_models(extension: packages.Extension, config_dir: Path | None) -> list:
    from pydantic import ValidationError

    from bank_models.config.checks import model_facts
    from bank_models.config.schema import Model
    from bank_models.conformity import models

    found: list = []
    theirs = set(extension.entries["models"])
    left = set(theirs)
    for path in sorted(config_dir.glob("model/*.yaml")) if config_dir else ():
        facts = model_facts(path)
        if not theirs & set((facts.get("estimator") or {}).values()):
            continue
        try:
            model = Model.model_validate(facts)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            raise ConfigError(f"{path}: {place + ': ' if place else ''}{fault['msg'].removeprefix('Value error, ')}") from None
        for task, estimator in model.estimator.items():
            left.discard(estimator)
            found += models.judge(model, task)
    if left:
        raise ConfigError(
            f"No model file names {', '.join(sorted(left))}: nothing says with which tasks and parameters to try it.\n"
            "Give --config-dir with model/NAME.yaml: see docs/how-to/own-code.md."
        )
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
