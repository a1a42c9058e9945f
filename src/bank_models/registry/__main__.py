"""The model registry: `python -m src.registry list`, `show`, `register`, `compare`, `promote`, `rollback`, …"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bank_models.commands import as_typed
from bank_models.errors import ConfigError, GateError, TrainingError
from bank_models.registry.comparison import better_version, verdict
from bank_models.runs.listing import on_one_page
from bank_models.runtime.table import print_table, printable
from bank_models.runtime.terminal import complain, for_people

WRAPPED = ("why", "reason")  # columns of a table
COMMANDS = ("list", "show", "register", "compare", "promote", "rollback", "archive", "export", "verify", "as-of", "keygen")
HELP = """\
Versions of trained models: which there are, which is in production, what happened to them.

  python -m src.registry list                                  the newest and the production version of every use case
  python -m src.registry show fraud                            its versions and its history; fraud@1.2.0: one version
  python -m src.registry register RUN_DIR                      a run of a sweep, or one that was pulled, as a new version;
                                                               --config-dir DIR: of a use case of your own
  python -m src.registry compare fraud@1.2.0 fraud@1.1.0       metrics side by side, and a test on the same test rows
  python -m src.registry promote fraud@1.2.0 --reason "…"      into production, if the gates let it
  python -m src.registry rollback fraud --reason "…"           the version that was in production before
  python -m src.registry archive fraud@1.0.0 --reason "…"
  python -m src.registry export fraud@1.2.0 --out fraud.onnx   as ONNX, once it answers as the model does on all test rows
  python -m src.registry verify                                every byte and every line; exit code 4 if one was changed
  python -m src.registry as-of 2026-10-31 [fraud]              what was in production then (UTC, the day's end)
  python -m src.registry keygen --out DIR                      a pair of keys that sign what the registry writes

A version is written use_case@1.2.0; the use case alone is its version in production. Environment: REGISTRY_SIGNING_KEY and
REGISTRY_PUBLIC_KEY name the files of the keys; REGISTRY_WITNESS names the file that remembers the newest state that was seen
of signed ledgers (~/.local/state/bank-model-training/registry.jsonl)."""


@for_people
def main(argv: list[str]) -> int:
    """Do what the command line says; give the exit code: 2 bad input, 3 a gate not met, 4 changed bytes."""
    args = _parser().parse_args(_known(argv))
    if args.command is None:
        print(as_typed(HELP))
        return 0
    return args.run(args)


class _Parser(argparse.ArgumentParser):
    """A parser that answers a mistake in a sentence instead of with all its options."""

    def error(self, message: str) -> None:
        raise ConfigError(f"{self.prog.split()[-1]}: {message}.\nTo see how: python -m src.registry --help")


def _known(argv: list[str]) -> list[str]:
    if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
        near = difflib.get_close_matches(argv[0], COMMANDS, n=1, cutoff=0.5)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"{argv[0]} is not a command.{meant}\nKnown: {', '.join(COMMANDS)}")
    return argv


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog=as_typed("python -m src.registry"), description=as_typed(HELP), usage="%(prog)s COMMAND …", formatter_class=raw
    )
    commands = parser.add_subparsers(dest="command", metavar="", help=argparse.SUPPRESS)

    def command(name: str, run: Callable[[argparse.Namespace], int], *words: str, who: bool = False) -> None:
        of = commands.add_parser(name, help=argparse.SUPPRESS)
        for word in words:
            of.add_argument(word.strip("?"), **({"nargs": "?"} if word.endswith("?") else {}))
        of.add_argument("--registry", type=Path, default=Path("models"), metavar="DIR", help="where the versions are (models)")
        of.add_argument("--json", action="store_true", help="print JSON")
        if who:
            of.add_argument("--reason", required=True, help="why, for the ledger")
            of.add_argument("--by", help="who; by default the user whose process this is")
        of.set_defaults(run=run)

    command("list", _list)
    command("show", _show, "version")
    command("register", _register, "run_dir")
    commands.choices["register"].add_argument("--reason", default="registered by hand", help="why, for the ledger")
    commands.choices["register"].add_argument("--by", help="who; by default the user whose process this is")
    commands.choices["register"].add_argument("--config-dir", "-cd", type=Path, help="a folder with use cases of your own")
    command("compare", _compare, "a", "b")
    command("promote", _promote, "version", who=True)
    commands.choices["promote"].add_argument("--force", action="store_true", help="in spite of the gates; that is recorded")
    commands.choices["promote"].add_argument(
        "--experiments", type=Path, default=Path("runs/experiments.jsonl"), metavar="FILE",
        help="the runs, by which looks at the test rows are counted (runs/experiments.jsonl)",
    )  # fmt: skip
    command("rollback", _rollback, "use_case", who=True)
    command("archive", _archive, "version", who=True)
    command("export", _export, "version")
    commands.choices["export"].add_argument("--out", type=Path, required=True, metavar="FILE")
    command("verify", _verify, "use_case?")
    command("as-of", _as_of, "date", "use_case?")
    keygen = commands.add_parser("keygen", help=argparse.SUPPRESS)
    keygen.add_argument("--out", type=Path, required=True, metavar="DIR")
    keygen.set_defaults(run=_keygen)
    return parser


def _open(args: argparse.Namespace):
    from bank_models.registry.store import open_registry

    return open_registry(args.registry)


def _read(text: str) -> tuple[str, str | None]:
    """Use case and version of a word such as fraud@1.2.0; short names stand for their use case."""
    from bank_models.config.catalogue import full_name

    key, _, version = text.partition("@")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", key):
        raise ConfigError(f"{text!r} names no version: write use_case@1.2.0, or the use case alone for the one in production")
    return full_name(key), version or None


def _find(args: argparse.Namespace, text: str):
    return _open(args).find(*_read(text))


def _list(args: argparse.Namespace) -> int:
    registry, rows = _open(args), []
    for use_case in registry.use_cases():
        known = registry.versions(use_case)
        if not known:
            continue
        production = next((version.version for version in known if version.status == "production"), None)
        newest = known[-1]
        try:
            facts = newest.facts
        except ConfigError as error:  # of an extension that is missing; it hides no other use case
            complain(f"{use_case}@{newest.version}: {' '.join(str(error).split())}")
            continue
        metric = facts["metric"]
        rows.append(
            {
                "use_case": use_case, "production": production, "newest": newest.version, "versions": len(known),
                "model": facts["model"], "metric": metric, "score": newest.entry["metrics"].get(metric),
                "data": facts["data"]["kind"], "created_at": newest.entry["created_at"],
            }
        )  # fmt: skip
    if args.json:
        return _print_json(rows)
    if not rows:
        print(as_typed(f"{args.registry} has no versions yet. To make one: python -m src.train use_case=credit_scoring"))
        return 0
    print_table(rows, WRAPPED)
    print(as_typed("More of one: python -m src.registry show USE_CASE"))
    return 0


def _show(args: argparse.Namespace) -> int:
    use_case, number = _read(args.version)
    registry = _open(args)
    if number:
        version = registry.find(use_case, number)
        version.verify()
        if args.json:
            return _print_json(version.entry)
        _print_facts({key: value for key, value in version.entry.items() if not isinstance(value, dict)})
        for name in ("metrics", "hyperparameters"):
            print(f"\n{name}")
            _print_facts({f"  {key}": value for key, value in version.entry[name].items()})
        print(f"\n{version.folder / 'model_card.md'}")
        return 0
    known, history = registry.versions(use_case), registry.history(use_case)
    _say_set_back(use_case, history)
    if args.json:
        lines = [{key: value for key, value in line.items() if key != "entry"} for line in history]
        return _print_json({"versions": [version.entry for version in known], "history": lines})
    if not known:
        registry.find(use_case)  # says what to do
    metric = known[-1].facts["metric"]
    print_table(
        [
            {
                "version": version.version, "status": version.status, "algorithm": version.entry["algorithm"],
                metric: version.entry["metrics"].get(metric), "features": version.entry["feature_count"],
                "training_samples": version.entry["training_samples"], "created_at": version.entry["created_at"],
            }
            for version in known
        ]
    , WRAPPED)  # fmt: skip
    print()
    print_table([{"at": x["at"], "what": _said(x), "by": x["by"], "reason": x["reason"]} for x in history], WRAPPED)
    return 0


def _say_set_back(use_case: str, history: list[dict[str, Any]]) -> None:
    """Say where a clock went backwards."""
    from bank_models.registry.lines import set_back

    for line in set_back(history):
        print(f"{use_case}: the clock went backwards at line {line['n']}, {_said(line)} at {line['at']}; "
              "the order of lines is what counts.", file=sys.stderr)  # fmt: skip


def _register(args: argparse.Namespace) -> int:
    from bank_models.config import project
    from bank_models.config.catalogue import CONF

    own = project.read().config_dir
    args.config_dir = args.config_dir or (own and Path(own))
    if args.config_dir and not args.config_dir.is_dir():
        raise ConfigError(f"--config-dir {args.config_dir} is not a folder. Give the folder that holds use_case/, model/, …")
    config_dirs = [CONF, *([args.config_dir] if args.config_dir else [])]
    version = _open(args).register(Path(args.run_dir), args.by, args.reason, config_dirs=config_dirs)
    if args.json:
        return _print_json(version.entry)
    print(f"{version.folder}   {version.entry['model_id']}, {version.status}")
    return 0


def _said(line: dict[str, Any]) -> str:
    replaces = f" for {line['replaces']}" if line.get("replaces") else ""
    forced = ", against the gates" if line.get("forced") else ""
    return f"{line['action']} {line['version']}{replaces}{forced}"


def _compare(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from bank_models.registry.comparison import compare, side_by_side

    a = _find(args, args.a)
    b = _find(args, f"{a.use_case}{args.b}" if args.b.startswith("@") else args.b)
    if a.use_case != b.use_case:
        raise ConfigError(f"{a.name} and {b.name} predict different things: give two versions of one use case")
    for version in (a, b):
        version.verify()
    difference, rows = compare(a, b), side_by_side(a, b)
    if args.json:
        metrics = {name: [one, other] for name, one, other in rows}
        return _print_json({"a": a.name, "b": b.name, "metrics": metrics, "difference": difference and asdict(difference)})
    print_table(
        [
            {"metric": name, a.name: one, b.name: other, "better": better_version(name, one, other, a, b)}
            for name, one, other in rows
        ]
    )
    print(f"\n{verdict(difference, a.version, b.version)}")
    return 0


def _promote(args: argparse.Namespace) -> int:
    from bank_models.evaluation import looks
    from bank_models.registry.looks import n_looks
    from bank_models.registry.model_version import command
    from bank_models.registry.promotion import judge

    use_case, number = _read(args.version)
    registry = _open(args)
    if number is None:
        raise ConfigError(
            f"Which version of {use_case}? Write {use_case}@1.2.0; to see them: {command(f'show {use_case}', args.registry)}"
        )
    version = registry.find(use_case, number)
    if version.status == "production":
        raise ConfigError(f"{version.name} is in production already.")
    rival = next((one for one in registry.versions(use_case) if one.status == "production"), None)
    n = n_looks(version, registry.versions(use_case), args.experiments)
    gates = judge(version, rival, registry.once_in_production(use_case), n)
    if not gates[0].is_met:
        from bank_models.errors import IntegrityError

        raise IntegrityError(gates[0].reason)
    failed = [gate for gate in gates if not gate.is_met]
    if not args.json:
        print_table(
            [{"gate": gate.name, "": "met" if gate.is_met else "NOT MET", "why": gate.reason} for gate in gates],
            ("why", "reason"),
        )
        if n > 1:
            print(looks.said({"n": n, "optimism": looks.optimism(n, version.metrics, version.facts["metric"])}))
    if failed and not args.force:
        if args.json:
            _print_json({"promoted": None, "gates": [gate.as_dict() for gate in gates]})
        raise GateError(f"{version.name} stays in {version.status}: {', '.join(gate.name for gate in failed)} not met. "
                        "--force puts it into production all the same, and the ledger says so.")  # fmt: skip
    line = registry.promote(version, rival, args.by, args.reason, [gate.as_dict() for gate in gates], bool(failed))
    instead = f" instead of {rival.version}\n{on_one_page([version.folder, rival.folder])}" if rival else ""
    return _done(args, line, f"{version.name} is in production{instead}")


def _rollback(args: argparse.Namespace) -> int:
    use_case, _ = _read(args.use_case)
    line = _open(args).rollback(use_case, args.by, args.reason)
    return _done(args, line, f"{use_case}@{line['version']} is in production again instead of {line['replaces']}")


def _archive(args: argparse.Namespace) -> int:
    version = _find(args, args.version)
    return _done(args, _open(args).archive(version, args.by, args.reason), f"{version.name} is archived")


def _export(args: argparse.Namespace) -> int:
    from bank_models.export.command import export, said

    return _done(args, result := export(_find(args, args.version), args.out), said(result))


def _done(args: argparse.Namespace, line: dict[str, Any], said: str) -> int:
    if args.json:
        return _print_json(line)
    print(said)
    return 0


def _verify(args: argparse.Namespace) -> int:
    from bank_models.config.catalogue import option_names
    from bank_models.errors import IntegrityError, unknown

    registry = _open(args)
    use_cases = [_read(args.use_case)[0]] if args.use_case else registry.use_cases()
    if args.use_case and use_cases[0] not in {*option_names(), *registry.use_cases()}:
        raise ConfigError(unknown("use_case", use_cases[0], option_names()))
    found, broken = [], []
    for use_case in use_cases:
        try:
            found.append(registry.verify(use_case))
        except TrainingError as error:
            broken.append(error)
    if not broken and not any(one["n_versions"] for one in found):
        broken.append(IntegrityError(f"{registry.root} holds no version: nothing was verified."))
    if args.json:
        _print_json({"sound": found, "broken": [str(error) for error in broken]})
    elif found:
        print_table(found, WRAPPED)
    for error in broken:
        print(error, file=sys.stderr)
    if broken:
        return broken[0].exit_code
    if not args.json:
        print(f"{sum(one['n_versions'] for one in found)} versions of {len(found)} use cases are what was registered.")
    return 0


def _as_of(args: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(args.date)
    except ValueError as error:
        raise ConfigError(f"{args.date!r} is no date: write 2026-10-31, or 2026-10-31T12:00:00Z") from error
    if len(args.date) == 10:
        moment = moment.replace(hour=23, minute=59, second=59)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    until = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    registry, rows = _open(args), []
    for use_case in [_read(args.use_case)[0]] if args.use_case else registry.use_cases():
        _say_set_back(use_case, registry.history(use_case))
        for version in registry.versions(use_case, until):
            if version.status == "production":
                since = [x["at"] for x in registry.history(use_case, until)
                         if x["version"] == version.version and x["action"] in ("promote", "rollback")][-1]  # fmt: skip
                model_id = version.entry["model_id"]
                rows.append({"use_case": use_case, "version": version.version, "model_id": model_id, "since": since})
    if args.json:
        return _print_json({"until": until, "production": rows})
    if rows:
        print_table(rows, WRAPPED)
    else:
        print(f"Nothing was in production at {until}.")
    return 0


def _keygen(args: argparse.Namespace) -> int:
    from bank_models.registry.signing import PUBLIC_KEY, SIGNING_KEY, make_keys

    private, public = make_keys(args.out)
    print(f"export {SIGNING_KEY}={private}   # keep it secret: who has it can sign\nexport {PUBLIC_KEY}={public}")
    return 0


def _print_json(values: Any) -> int:
    print(json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False))
    return 0


def _print_facts(facts: dict[str, Any]) -> None:
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        print(f"{name:<{width}}   {printable(value)}")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` is no error
    sys.exit(main(sys.argv[1:]))
