"""Section on data: source, split, overlap and drift."""

from __future__ import annotations

from bank_models.report import number, series
from bank_models.report.block import Chart, Columns, Facts, Heading, Missing, Section, Table, Text
from bank_models.report.run import Run

MOST_DRIFTS = 12
MOVED, ANOTHER = 0.1, 0.25  # population stability index


def data(run: Run) -> Section:
    blocks = [Columns([Facts(_source(run)), Facts(_rows(run))])]
    if left_out := run.fact("data", "left_out"):
        rows = [(name, why) for name, why in left_out.items()]
        blocks.append(Table("Columns of the source that the model must not see", ["Column", "Why"], rows, "Columns left out"))
    if run.fact("split"):
        blocks += [Heading("Parts"), parts(run), *_apart(run), *_drift(run)]
    else:
        blocks.append(Text("All rows are used at once: nothing is predicted that could be held out.", is_remark=True))
    return Section("data", "Data", blocks)


def _source(run: Run) -> list:
    source = run.fact("data", "source")
    return [
        (
            "Set",
            run.fact("data", "title") or (f"simulated for {run.facts['use_case_key']}" if source == "simulated" else source),
        ),
        ("Kind", run.fact("data", "kind")),
        *([("Proxy for", proxy)] if (proxy := run.fact("data", "proxy_for")) else []),
        *([("From", package)] if (package := run.fact("data", "package")) else []),
        *([("Citation", citation)] if (citation := run.fact("data", "citation")) else []),
        *([("Licence", licence)] if (licence := run.fact("data", "licence")) else []),
        *([("Seed of the simulation", number.fact(run, "data", "seed"))] if run.fact("data", "seed") is not None else []),
    ]


def _rows(run: Run) -> list:
    return [
        ("A row is", run.use_case("row")),
        ("Target", run.use_case("target") or "none: rows have no labels"),
        ("Rows read", number.fact(run, "data", "rows")),
        ("Valid rows", number.fact(run, "data", "n_valid_rows")),
        ("Features", number.fact(run, "feature_count")),
        ("Time column", run.use_case("time_column") or "none"),
        ("Group column", run.use_case("group_column") or "none"),
        *([("Weight column", column)] if (column := run.fact("weights", "column")) else []),
    ]


def parts(run: Run) -> Table:
    is_rate, has_mean = run.task in ("binary", "anomaly"), run.task != "multiclass"
    names = [name for name in ("train", "val", "test") if run.fact("split", "n_rows", name) is not None]
    is_weighted = run.fact("weights") is not None
    of_weights = ["Sum of weights", "Effective rows"] if is_weighted else []
    header = [
        "Part",
        "Rows",
        *of_weights,
        *(["Base rate" if is_rate else f"Mean {run.use_case('target')}"] if has_mean else []),
    ]
    rows = [
        [name, number.fact(run, "split", "n_rows", name)]
        + ([number.fact(run, "weights", kind, name) for kind in ("sum", "effective_rows")] if is_weighted else [])
        + ([number.fact(run, "split", "target_mean", name, as_share=is_rate)] if has_mean else [])
        for name in names
    ]
    method = run.fact("config", "data_split", "method")
    return Table(f"Cut {method}, positions in split.parquet", header, rows)


def _apart(run: Run) -> list:
    """What test shares with train and val: equal rows, groups, stretches of time."""
    overlap = run.fact("split", "overlap")
    if overlap is None:
        return [Missing("whether the parts overlap")]
    pairs = []
    if overlap.get("n_copies") is not None:
        pairs.append(
            ("Test rows that equal a row of train or val, target included", number.fact(run, "split", "overlap", "n_copies"))
        )
    if overlap.get("newest_train"):
        pairs += [("Newest row of train", overlap["newest_train"]), ("Oldest row of test", overlap["oldest_test"])]
    if overlap.get("n_groups") is not None:
        known = [
            number.fact(run, "split", "overlap", "n_groups_known"),
            " of ",
            number.fact(run, "split", "overlap", "n_groups"),
        ]
        pairs.append((f"Values of {run.use_case('group_column')} in test that train knows", known))
    return [Facts(pairs)]


def _drift(run: Run) -> list:
    found = run.fact("split", "drift")
    if not found:
        return [Missing("how far the test rows have moved from the training rows")]
    if max(found.values()) < MOVED:
        return [Text(
            f"None of {len(found)} features has drifted from train to test: every population stability index is below {MOVED}."
        )]  # fmt: skip
    if not run.use_case("time_column"):
        most = max(found, key=found.get)
        return [Text(
            f"The parts were cut at random, so what differs between them is chance: most of all {most}, with a population "
            f"stability index of {number.formatted(found[most])}."
        )]  # fmt: skip
    worst = sorted(found, key=lambda name: -found[name])[:MOST_DRIFTS]
    limits = f"Below {MOVED} a column has hardly moved, above {ANOTHER} it is another population."
    return [
        Chart(
            "Drift from train to test",
            f"Population stability index of the {len(worst)} features that moved most, of {len(found)}; most of all "
            f"{worst[0]} with {number.formatted(found[worst[0]])}. {limits}",
            {"label": "population stability index", "min": 0},
            {"label": "feature", "labels": worst},
            [
                series.bars("index", [found[name] for name in worst]),
                series.line(f"hardly moved below {MOVED}", [MOVED] * len(worst), worst, 3, "dashed"),
                series.line(f"another population above {ANOTHER}", [ANOTHER] * len(worst), worst, 2, "dashed"),
            ],
            is_horizontal=True,
        )
    ]
