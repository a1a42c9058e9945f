"""Model card: parameters, versions and command."""

from __future__ import annotations

from bank_models.report.model_card.command import command
from bank_models.report.model_card.markdown import block, code, shown, table, text
from bank_models.report.model_card.recorded import Ready, Recorded, facts, find, not_recorded, ready


def parameters(run: Recorded) -> list[str]:
    params = run("params")
    rows = [[code(name), shown(value)] for name, value in (params or {}).items()]
    stop = run("config", "early_stopping")
    patience = find(stop, "patience")
    early = None if stop is None or "patience" not in stop else stop if patience else Ready("none")
    pairs = [
        ("Preprocessing", run("config", "model", "preprocessing")),
        ("Class weights", run("config", "class_weight")),
        ("Early stopping", early),
    ]
    if patience:
        pairs.append(("Rounds that were kept", run("best_iteration")))
    if run("ensemble_weights"):
        pairs.append(("Weights of the averaged models", run("ensemble_weights")))
    method = run("config", "tuning", "method")
    pairs.append(("Tuning", method))
    search = run("tuning") or {}
    told = [("Trials", "n_trials"), ("given up early", "n_dropped"), ("failed", "n_failed"), ("Best trial", "best_trial"),
            ("Best value (optimistic: it chose the setting)", "best_value"), ("Search is complete", "is_complete"),
            ("Importance of the parameters", "importance")]  # fmt: skip
    pairs += [(label, search.get(key)) for label, key in told] if method not in (None, "none") else []
    listed = table(["Parameter", "Value"], rows) if rows else "" if params == {} else not_recorded("parameters")
    return ["## Parameters and tuning", listed, facts(pairs)]


def versions(run: Recorded) -> list[str]:
    environment = run("environment") or {}
    git = environment.get("git") or {}
    pairs = [
        ("Python", ready(environment.get("python"), text)),
        ("Packages", ready(environment.get("packages"), shown)),
        ("Platform", ready(environment.get("platform"), code)),
        *([("GPU", ready(environment["gpu"], text))] if environment.get("gpu") else []),
        ("Git revision", ready(git.get("revision"), code)),
        ("Edited since that revision", git.get("is_edited")),
        ("SHA-256 of the code", ready(environment.get("code_sha256"), code)),
        ("Seed", run("seed")),
        ("Threads", run("n_threads")),
        ("Seconds of each step", run("durations_s")),
    ]
    return ["## Versions", facts(pairs)]


def again(run: Recorded) -> list[str]:
    if run("config") is None or run.typed is None:
        return ["## How to reproduce", not_recorded("the settings that were typed, and so the command")]
    choices, sources = (find(run.hydra, "runtime", name) for name in ("choices", "config_sources"))
    if choices is None or sources is None:
        return ["## How to reproduce", not_recorded("the options that were chosen, and so the command")]
    config_dirs = [source["path"] for source in sources if source["provider"] == "command-line"]
    try:
        typed = command(run.facts, run.typed, choices, config_dirs)
    except KeyError as missing:
        return ["## How to reproduce", not_recorded(f"the setting {text(missing.args[0])}, and so the command")]
    revision, is_edited = (run("environment", "git", key) for key in ("revision", "is_edited"))
    steps = [
        f"At git revision {code(revision)}, with {_packages(run)}:" if revision else "- Not recorded: git revision.",
        block(typed),
        "The result is the same if `metrics.json` has the same bytes. It depends on the data whose SHA-256 is given above.",
    ]
    if is_edited:
        steps.append("**The code had been edited since that revision; only its SHA-256 is recorded, not the edits.**")
    if run("config", "tuning", "timeout_s"):
        steps.append("**The search was limited by a clock, so its trials depend on the machine.**")
    return ["## How to reproduce", *steps]


def _packages(run: Recorded) -> str:
    ours = run("environment", "packages", "bank-models")
    return f"`bank-models=={ours}` installed" if ours else "the packages of `requirements.lock` and `requirements-data.lock`"
