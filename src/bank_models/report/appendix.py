"""Appendix: limits, metrics by part, parameters, provenance."""

from __future__ import annotations

from bank_models.metrics.names import METRICS, title
from bank_models.report import number
from bank_models.report.block import Facts, Heading, Listing, Raw, Section, Table, Text
from bank_models.report.fitting import resources
from bank_models.report.model_card.summary import DECLARED
from bank_models.report.run import Run

PARTS = ("test", "baseline", "ceiling", "cv", "uncalibrated")
SMALL = 500


def limits(run: Run) -> Section:
    """The notes of the run, and what follows from its facts."""
    said = list(run.fact("notes") or [])
    if run.fact("data", "kind") == "simulated":
        said.append(
            "The rows are simulated: the score says how well the method works, not how well it would do on the bank's rows."
        )
    n_test = run.fact("split", "n_rows", "test")
    if n_test is not None and n_test < SMALL:
        said.append(f"Test has {n_test} rows: the interval is wide, and small differences cannot be seen.")
    if n_test is not None and run.use_case("time_column") is None:
        said.append("The use case has no time column: parts are cut at random, and change over time is not tested.")
    notes = Listing(said) if said else Text("The run noted nothing.")
    return Section("limits", "Limits and notes", [*_declared(run), notes])


def _declared(run: Run) -> list[Facts]:
    """What a person declared for the model card, where somebody did."""
    card = run.use_case("card") or {}
    pairs = [(label, value) for label, key in DECLARED if (value := card.get(key))]
    return [Facts([(label, "; ".join(value) if isinstance(value, list) else value) for label, value in pairs])] if pairs else []


def appendix(run: Run) -> Section:
    environment = run.fact("environment") or {}
    blocks = [Heading("All metrics"), *_metrics(run), Heading("Resources"), *resources(run)]
    blocks += [Heading("Origin"), Facts(_origin(run))]
    packages = sorted((environment.get("packages") or {}).items())
    blocks.append(Table("Versions of packages", ["Package", "Version"], packages, "Packages"))
    params = [(name, str(value)) for name, value in (run.fact("params") or {}).items()]
    blocks.append(Table("Parameters", ["Parameter", "Value"], params, "Parameters of the model"))
    for name, summary in ((".hydra/overrides.yaml", "What was typed"), (".hydra/config.yaml", "Resolved configuration")):
        blocks.append(Raw(f"{summary} ({name})", run.text(name) or "not recorded"))
    return Section("appendix", "Appendix", blocks)


def _metrics(run: Run) -> list[Table]:
    """Every entry of metrics.json, once: a grid of metric by part, then the rest."""
    names = [
        key.removeprefix("test_") for key in run.metrics if key.startswith("test_") and not key.startswith("test_confusion_")
    ]
    names = [name for name in names if not name.endswith(("_ci_low", "_ci_high"))]
    parts = [part for part in PARTS if any(f"{part}_{name}" in run.metrics for name in names)]
    rows = [[_called(name), *(number.metric(run, f"{part}_{name}") for part in parts)] for name in names]
    shown = {f"{part}_{name}" for part in parts for name in names}
    rest = [[_called(name), number.metric(run, name)] for name in run.metrics if name not in shown]
    found = [Table("By part, as recorded in metrics.json", ["Metric", *parts], rows)] if rows else []
    summary = "All other metrics" if rows else ""
    return [*found, *([Table("Further entries of metrics.json", ["Metric", "Value"], rest, summary)] if rest else [])]


def _called(name: str) -> str:
    """A metric in words, with the name that the file has for it."""
    return f"{title(name)} ({name})" if name in METRICS else name


def _origin(run: Run) -> list:
    git, environment = run.fact("environment", "git") or {}, run.fact("environment") or {}
    revision = git.get("revision") and f"{git['revision']}{' with edits' if git.get('is_edited') else ''}"
    return [
        ("Trained at", run.fact("created_at")),
        ("Model", f"{run.facts['model']} ({run.facts['algorithm']})"),
        ("Code", revision),
        ("SHA-256 of the code", environment.get("code_sha256")),
        (
            "SHA-256 of the source",
            run.fact("data", "sha256") or ("simulated from its seed" if run.fact("data", "source") == "simulated" else None),
        ),
        ("SHA-256 of the valid rows", run.fact("data", "frame_sha256")),
        *([("SHA-256 of the split", run.fact("split", "sha256"))] if run.fact("split") else []),
        ("Seed", number.fact(run, "seed")),
        ("Threads", number.fact(run, "n_threads")),
        ("Python", environment.get("python")),
        ("Platform", environment.get("platform")),
        *([("GPU", environment["gpu"])] if environment.get("gpu") else []),
        ("Bytes of every file", "sizes and SHA-256 are in manifest.json beside this page"),
    ]
