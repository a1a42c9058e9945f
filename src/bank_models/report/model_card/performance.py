"""Model card: metrics, calibration, costs and importance."""

from __future__ import annotations

import pandas as pd

from bank_models.evaluation import looks
from bank_models.metrics.names import METRICS
from bank_models.report.meaning import why_no_ceiling
from bank_models.report.model_card.markdown import NOTHING, code, number, share, shown, table, text
from bank_models.report.model_card.recorded import MISSING, Ready, Recorded, facts, find, not_recorded, told
from bank_models.training.repeats import described

CONFUSION = ("true_positives", "false_positives", "true_negatives", "false_negatives")
CLUSTERS = ("n_clusters", "noise_rate", "silhouette", "davies_bouldin", "calinski_harabasz", "stability")
MOST_ROWS = 20  # of a table of explanations
KNOWN = ("test", "baseline", "ceiling", "val", "cv", "cv_train", "gain", "uncalibrated")


def performance(run: Recorded) -> list[str]:
    if run.metric is None or not run.metrics:
        return ["## Performance", not_recorded("metrics")]
    if run.use_case("task") == "clustering":
        return _clusters(run)
    metric, found = run.metric, run.metrics
    others = [name for key in found if key.endswith(f"_{metric}") and (name := key.removesuffix(f"_{metric}")) not in KNOWN]
    drawn = run("interval_of")
    pairs = [
        *_with_interval(run),
        *((f"Baseline {code(name)}", found[f"{name}_{metric}"]) for name in others),
        ("Best that any model can reach", _ceiling(run)),
        *_demanded(run),
        (f"On val, {_use_of_val(run)}", found.get(f"val_{metric}")),
        ("Cross-validation on train", _cross_validation(run)),
        ("What the sample of test rows is of", _sample(drawn)),
        *([("Looks", Ready(text(said)))] if (said := looks.said(run("looks"))) else []),
        *([("There is no interval", drawn["lacks"])] if drawn and "lacks" in drawn else []),
    ]
    pieces = ["## Performance", facts(pairs), _every_metric(run), *_confusion(run)]
    return [*pieces, *_fitted_on(run, "Train rows")] if run.use_case("task") == "anomaly" else pieces


def _use_of_val(run: Recorded) -> str:
    return "by which runs are compared" if run.use_case("task") == "anomaly" else "which chose rounds and threshold"


def _demanded(run: Recorded) -> list[tuple]:
    """What production asks for, and why."""
    floor = run.use_case("minimum_score")
    if floor is None:
        return []
    return [("Least that production asks for", floor), ("Why that much", run.use_case("minimum_reason"))]


def _sample(drawn) -> Ready | None:
    """How many of what came into the sample as a whole."""
    if not drawn or not isinstance(drawn.get("drawn"), dict):
        return None
    return Ready(" and ".join(f"{number(n)} of {code(name)}" for name, n in drawn["drawn"].items()))


def _every_metric(run: Recorded) -> str:
    found = run.metrics
    names = [name for name in METRICS if f"test_{name}" in found or f"baseline_{name}" in found]
    columns = {"Test": "test_{}", "Baseline": "baseline_{}"}
    columns |= {"Ceiling": "ceiling_{}"} if any(f"ceiling_{name}" in found for name in names) else {}
    of_folds = {"CV mean": "cv_{}", "CV, standard deviation of folds": "cv_{}_std", "CV on its training rows": "cv_train_{}"}
    in_folds = {name for name in names if any(key.format(name) in found for key in of_folds.values())}
    columns |= of_folds if in_folds else {}

    def cell(name: str, label: str) -> str:
        has_none = name not in in_folds if label in of_folds else label == "Ceiling" and f"ceiling_{name}" not in found
        return NOTHING if has_none else told(found, columns[label].format(name))

    return table(["Metric", *columns], [[code(name), *(cell(name, label) for label in columns)] for name in names])


def _with_interval(run: Recorded) -> list[tuple]:
    metric, found = run.metric, run.metrics

    def told(name: str):
        value, low, high = (found.get(f"{name}_{metric}{end}") for end in ("", "_ci_low", "_ci_high"))
        if value is None:
            return None
        between = "interval not recorded" if low is None or high is None else f"95 % interval {number(low)} to {number(high)}"
        return Ready(f"{number(value)}, {between}")

    baseline = found.get(f"baseline_{metric}")
    named = code(run("baseline")) if run("baseline") else f"(its name is {MISSING})"
    return [
        (f"{code(metric)} on test", told("test")),
        (f"Baseline {named}", baseline),
        ("Gain on the baseline (above 0 is better)", told("gain")),
    ]


def _ceiling(run: Recorded):
    found = run.metrics.get(f"ceiling_{run.metric}")
    known = METRICS.get(run.metric)
    if run("data", "kind") != "simulated" or (known and known.of != "clusters" and known.optimum is None):
        return Ready(f"unknown: {why_no_ceiling(run)}")
    return found


def _cross_validation(run: Recorded):
    metric, cv = run.metric, run("config", "cv") or {}
    mean = run.metrics.get(f"cv_{metric}")
    if cv.get("method") == "none":
        return Ready("none was asked for")
    if mean is None:
        return None
    drawn = run("cross_validation") or {}
    repeated = described(run.metrics, metric, drawn if {"n_folds", "n_repeats"} <= set(drawn) else None, number)
    if repeated:
        said = f"cross-validated {repeated}, repeats x folds of {told(cv, 'method', code)}; ± is half of the 95 % interval"
    else:
        said = f"{number(mean)}, the mean over {told(cv, 'n_folds')} folds ({told(cv, 'method', code)})"
        low, high = (run.metrics.get(f"cv_{metric}_ci_{end}") for end in ("low", "high"))
        said += "" if low is None or high is None else f", 95 % interval {number(low)} to {number(high)}"
    spread = told(run.metrics, f"cv_{metric}_std")
    return Ready(f"{said}; single folds differ by a standard deviation of {spread}, which is not the mean's error")


def _confusion(run: Recorded) -> list[str]:
    task, found = run.use_case("task"), run.metrics
    if task == "binary":
        return [
            table(
                ["Decisions on test", _counted(run)],
                [[name.replace("_", " "), told(found, f"test_{name}")] for name in CONFUSION],
            )
        ]
    if task == "multiclass":
        classes = run.use_case("classes") or []
        rows = [[text(true), *(told(found, f"test_confusion_{true}_as_{each}") for each in classes)] for true in classes]
        of = f"the {_counted(run)} of test rows that" if run("weights") else "how many test rows"
        return [table([f"True class, and {of} were decided for", *map(text, classes)], rows)]
    return []


def _counted(run: Recorded) -> str:
    return f"Sum of {code(run('weights', 'column'))}" if run("weights") else "Rows"


def _clusters(run: Recorded) -> list[str]:
    rows = [[code(name), told(run.metrics, name)] for name in dict.fromkeys([*CLUSTERS, *run.metrics])]
    pairs = _demanded(run)
    pieces = ["## Performance", *([facts(pairs)] if pairs else []), table(["Metric", "Value"], rows)]
    return [*pieces, *_fitted_on(run, "Rows")]


def _fitted_on(run: Recorded, of: str) -> list[str]:
    """Clusters of the rows that were fitted on."""
    profiles = run.tables.get("profiles")
    if profiles is None:
        return [not_recorded("what the clusters are like (profiles.csv)")]
    shown_of = profiles[[name for name in ("cluster", "size", "share") if name in profiles]]
    rows = [[shown(row.cluster), number(row.size), share(row.share)] for row in shown_of.itertuples(index=False)]
    return [table(["Cluster (-1 is noise)", of, "Share"], rows)]


def calibration(run: Recorded) -> list[str]:
    if run.use_case("task") != "binary":
        return []
    names = ("expected_calibration_error", "brier_score_loss", "log_loss")
    pairs = [("Calibrator", run("config", "calibration")), *((code(name), run.metrics.get(f"test_{name}")) for name in names)]
    pairs += [
        (f"{code(name)} before calibration", run.metrics[f"uncalibrated_{name}"])
        for name in names
        if f"uncalibrated_{name}" in run.metrics
    ]
    measured = {"in_the_large": "Mean predicted less mean observed", "slope": "Slope", "intercept": "Intercept"}
    pairs += [(label, _between(run.metrics, f"test_calibration_{name}")) for name, label in measured.items()]
    curves = run.tables.get("reliability")
    if curves is None:
        return ["## Calibration", facts([*pairs, ("predicted against observed rates (reliability.csv)", None)])]
    bins = curves[curves["calibration"] == "after"]
    rows = [[number(row.n_rows), share(row.mean_predicted), share(row.observed_rate)] for row in bins.itertuples(index=False)]
    return ["## Calibration", facts(pairs), table(["Test rows", "Predicted", "Observed"], rows)]


def _between(metrics, name: str) -> Ready | None:
    """A number with its interval, if it was measured."""
    if name not in metrics:
        return None
    ends = [metrics.get(f"{name}_ci_{end}") for end in ("low", "high")]
    return Ready(number(metrics[name]) + ("" if None in ends else f" ({number(ends[0])} to {number(ends[1])})"))


def decisions(run: Recorded) -> list[str]:
    task = run.use_case("task")
    if task not in ("binary", "multiclass"):
        return []
    cost = run.use_case("cost") or run.use_case("cost_matrix")
    pairs = [("Threshold on the score", run.metrics.get("threshold"))] if task == "binary" else []
    if cost is None and not (run.knows("cost") and run.knows("cost_matrix")):
        return ["## Threshold and costs", facts([*pairs, ("costs of wrong decisions", None)])]
    if cost is None:
        how = "F1 on val chose the threshold" if task == "binary" else "the likeliest class is chosen"
        return ["## Threshold and costs", facts(pairs), f"No costs are declared, so {how}."]
    priced = [("A false alarm costs", "false_positive"), ("A missed case costs", "false_negative")] if task == "binary" else []
    pairs += [("Chosen as", Ready("the cheapest on val" if task == "binary" else "the class of least expected cost"))]
    pairs += [(label, cost.get(key)) for label, key in priced]
    pairs += [("Unit", cost.get("unit")), ("Cost on test", run.metrics.get("test_cost"))]
    pairs.append(("Cost without a model, deciding always the same", run.metrics.get("baseline_cost")))
    pieces = ["## Threshold and costs", facts(pairs)]
    if task == "multiclass":
        classes = run.use_case("classes") or []
        rows = [[text(true), *(number(find(cost, "costs", true, each) or 0) for each in classes)] for true in classes]
        pieces.append(table(["True class, and the cost of deciding for", *map(text, classes)], rows))
    return pieces


def explanations(run: Recorded) -> list[str]:
    found = run.tables.get("importance")
    if found is None:
        return ["## Explanations", not_recorded("which features move the answers (importance.csv)")]
    is_permuted = {"importance", "std", "n_repeats"} <= set(found.columns)
    meaning = (
        "Importance is what the primary metric loses on test rows when a feature's values are shuffled among them, on average "
        "over the repeats; std is its spread over them."
    )
    rows = [
        [NOTHING if pd.isna(value) else shown(value) for value in row] for row in found.head(MOST_ROWS).itertuples(index=False)
    ]
    return ["## Explanations", table([text(name) for name in found.columns], rows), meaning if is_permuted else ""]
