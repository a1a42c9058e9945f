"""Model card: purpose, data, split and features."""

from __future__ import annotations

from collections.abc import Mapping

from bank_models.report.model_card.markdown import NOTHING, code, number, share, shown, table, text
from bank_models.report.model_card.recorded import MISSING, Ready, Recorded, facts, find, not_recorded, ready, told

REAL = {
    "real": "real rows",
    "simulated": "simulated rows: no real customer, machine or market is in them",
    "file": "a table of one's own, of which nothing more is known than what it holds",
    "sql": "the answer of a database to a query",
    "extension": "rows that code of the team reads",
}
OF_A_RUN = "- **Card of a run.** A version that is registered from it has a card of its own, with its number and status."


def titled(run: Recorded) -> list[str]:
    name = run.use_case("name")
    registered = [("Model", "model_id"), ("Version", "version"), ("Status", "status"), ("Registered at", "created_at")]
    registered += [("Registered by", "created_by")]
    status = OF_A_RUN if run.entry is None else facts((label, run.entry.get(key)) for label, key in registered)
    return [
        f"# Model card: {text(name) if name else 'a use case whose name is not recorded'}",
        status,
        facts([("Run made at", run("created_at"))]),
        "Every figure below was recorded by the run. What was not recorded is named where it would stand; "
        f"{NOTHING} is a figure that is not defined, or was not asked for.",
    ]


def purpose(run: Recorded) -> list[str]:
    pairs = [
        ("Use case", ready(run("use_case_id"), code)),
        ("Key", ready(run("use_case_key"), code)),
        ("Department", run.use_case("department")),
        ("A row is", run.use_case("row")),
        ("Task", run.use_case("task")),
    ]
    if run.use_case("task") != "clustering":
        pairs.append(("Target", ready(run.use_case("target"), code)))
    if run.use_case("classes"):
        pairs.append(("Classes", run.use_case("classes")))
    if run.use_case("quantile"):
        pairs.append(("Quantile predicted", run.use_case("quantile")))
    if run.use_case("target_transform"):
        pairs.append(("Learnt as", run.use_case("target_transform")))
        if run("smeared"):
            pairs.append(("Added before it is turned back to the mean (Duan's smearing)", run("smeared")))
    pairs += [("Algorithm", ready(run("algorithm"), code)), ("Primary metric", ready(run.metric, code))]
    return ["## Purpose", facts(pairs)]


def data(run: Recorded) -> list[str]:
    about, kind = run("data") or {}, run("data", "kind")
    is_real = kind != "simulated"
    pairs = [
        ("Kind", kind and Ready(REAL.get(kind, text(kind)))),
        ("Source", ready(about.get("source"), code)),
        *([("Title", about.get("title")), ("Package", about.get("package"))] if kind == "real" else []),
        *([("Citation", about.get("citation")), ("Licence", about.get("licence"))] if is_real else []),
        *([("SHA-256 of the bytes", ready(about.get("sha256"), code))] if is_real else [("Seed", about.get("seed"))]),
        ("SHA-256 of the valid table", ready(about.get("frame_sha256"), code)),
        ("Rows read", about.get("rows")),
        ("Valid rows", about.get("n_valid_rows")),
        ("Repeated rows", run.use_case("duplicates")),
        *([("Derivation", about["derivation"])] if about.get("derivation") else []),
    ]
    if about.get("proxy_for"):
        pairs.insert(1, ("Proxy", Ready(f"the rows are real, but not those of {text(about['proxy_for'])}")))
    if not run.use_case("protected"):
        none = Ready("none declared, so nothing is known about how groups of people fare")
        pairs.append(("Protected columns", none if run.knows("protected") else None))
    if kind == "real" and "left_out" not in about:
        pairs.append(("Columns that were left out", None))
    left_out = about.get("left_out") or {}
    return [
        "## Data and its limits",
        facts(pairs),
        *(["Columns that were left out:", table(["Column", "Why"], ([code(name), text(why)] for name, why in left_out.items()))]
          if left_out else []),
        *(["Notes of the run:", "\n".join(f"- {text(note)}" for note in run("notes"))] if run("notes")
          else [] if run("notes") == [] else [not_recorded("notes")]),
    ]  # fmt: skip


def split(run: Recorded) -> list[str]:
    method = run("config", "data_split", "method")
    if method == "none":
        return ["## Split", "All rows are used: nothing is predicted that could be held out."]
    parts, mean = run("split", "n_rows") or {}, run("split", "target_mean") or {}
    shared = run("split", "overlap") or {}
    is_binary, is_multiclass = run.use_case("task") in ("binary", "anomaly"), run.use_case("task") == "multiclass"
    weights = run("weights")
    header = ["Part", "Rows", *(["Sum of weights", "Effective rows"] if weights else [])] + (
        [] if is_multiclass else ["Share of positives" if is_binary else "Mean target"]
    )
    show = share if is_binary else number
    rows = [
        [name, told(parts, name), *_of_weights(weights, name), *([] if is_multiclass else [told(mean, name, show)])]
        for name in ("train", "val", "test")
    ]
    pairs = [
        ("Method", method),
        ("Seed", run("config", "data_split", "random_state")) if method not in ("temporal",) else ("Seed", "needs none"),
        ("Rows that the model learnt from", run("n_fitted_rows")),
        ("SHA-256 of the positions", ready(run("split", "sha256"), code)),
        ("Test rows that equal a row of train or val, target included", shared.get("n_copies")),
    ]
    pairs += [("Figures are weighted by", Ready(code(weights["column"])))] if weights else []
    pairs += [(name, None) for name in ("group_column", "time_column") if not run.knows(name)]
    if group := run.use_case("group_column"):
        pairs.append((f"Distinct {code(group)} of test", shared.get("n_groups")))
        pairs.append(("of which train or val has rows too", shared.get("n_groups_known")))
    if run.use_case("time_column"):
        pairs += [("Newest training row", shared.get("newest_train")), ("Oldest test row", shared.get("oldest_test"))]
    return ["## Split", table(header, rows), facts(pairs)]


def _of_weights(weights, part: str) -> list[str]:
    """Sum of a part's weights, and as many rows of equal weight as tell as much."""
    return [told(weights[kind], part) for kind in ("sum", "effective_rows")] if weights else []


def features(run: Recorded) -> list[str]:
    declared, names = run.use_case("features"), run("feature_names")
    if declared is None or names is None:
        return ["## Features", not_recorded("features")]
    lags, derived = run.use_case("lags") or {}, run.use_case("derived") or {}
    rows = [_feature(run, name, declared.get(name) or derived.get(name), lags.get(name)) for name in names]
    header = ["Feature", "Type", "Range", "Categories", "May be missing", "Missing in train", "Direction",
              "Largest step against it", "What it is"]  # fmt: skip
    enforced = run("monotone_is_enforced")
    pairs = [("Number of features", run("feature_count"))]
    if run.use_case("task") not in ("clustering", "anomaly"):
        pairs.append(("Directions are enforced by the algorithm", enforced))
        pairs.append(("A broken direction would have ended the run", run.use_case("requires_monotone")))
    tested = (
        "A direction was verified by moving the feature through its values, all others held; "
        "0 means that no step against it was found."
    )
    return ["## Features", facts(pairs), table(header, rows), tested if run("monotone") else ""]


def _feature(run: Recorded, name: str, declared: Mapping | None, lag: Mapping | None) -> list[str]:
    seen = told(find(run.drift, "features", name) or {}, "missing", share)
    if lag is not None:
        return [code(name), "lag", "any", "", "yes", seen, "none", "", _lag(lag)]
    if declared is None:
        return [code(name), *[MISSING] * 8]
    sign = told(declared, "monotone", lambda value: {1: "rising", -1: "falling", 0: "none"}[value])
    if "expression" in declared:
        what = ": ".join(part for part in (told(declared, "description", text), told(declared, "expression", code)) if part)
        return [code(name), "derived", "any", "", "yes", seen, sign, _step(run, name) if sign != "none" else "", what]
    return [
        code(name),
        told(declared, "type", text),
        _range(declared),
        _categories(declared),
        told(declared, "max_missing", lambda rate: f"up to {share(rate)}" if rate else "no"),
        seen,
        sign,
        _step(run, name) if sign in ("rising", "falling") else "",
        told(declared, "description", text),
    ]


def _lag(lag: Mapping) -> str:
    where = f"{told(lag, 'periods')} rows back"
    if lag.get("window", MISSING):
        where = f"{told(lag, 'statistic', text)} over {told(lag, 'window')} rows"
    of = f" of each {told(lag, 'entity', code)}" if lag.get("entity", MISSING) else ""
    return f"{told(lag, 'column', code)}, {where}{of}; known {told(lag, 'horizon')} rows later"


def _range(declared: Mapping) -> str:
    if declared.get("type") not in ("int", "float"):
        return ""
    if "min" not in declared or "max" not in declared:
        return MISSING
    low, high = declared["min"], declared["max"]
    if low is None or high is None:
        return "any" if low is high else f"up to {number(high)}" if low is None else f"from {number(low)}"
    return f"{number(low)} to {number(high)}"


def _categories(declared: Mapping) -> str:
    if declared.get("type") != "category":
        return ""
    return told(declared, "categories", lambda names: "any" if names is None else shown(names))


def _step(run: Recorded, name: str) -> str:
    if run.use_case("task") == "multiclass":
        return "not asked: several classes have no direction"
    found = run("monotone_violations")
    return MISSING if found is None else number(found.get(name, 0))
