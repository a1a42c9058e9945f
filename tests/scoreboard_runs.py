"""Run folders as a training leaves them, without the training."""

from pathlib import Path

from bank_models.files import folders, writing

METRICS = {
    "baseline_roc_auc": 0.5, "cv_roc_auc": 0.79, "gain_roc_auc": 0.3, "gain_roc_auc_ci_high": 0.35, "gain_roc_auc_ci_low": 0.2,
    "test_roc_auc": 0.8, "test_roc_auc_ci_high": 0.85, "test_roc_auc_ci_low": 0.7, "val_roc_auc": 0.81, "val_score": 0.81,
}  # fmt: skip


def facts(use_case: str = "credit_scoring", model: str = "xgboost", department: str = "credit_analysis", **changes) -> dict:
    return {
        "use_case_key": use_case,
        "model": model,
        "metric": "roc_auc",
        "baseline": "prior",
        "created_at": "2026-01-02T03:04:05Z",
        "config": {
            "use_case": {"name": use_case.replace("_", " ").title(), "department": department, "task": "binary"}
            | changes.pop("about", {})
        },
        "data": {"kind": "packaged", "frame_sha256": "f" * 64, "n_valid_rows": 1000} | changes.pop("data", {}),
        "split": {"sha256": "5" * 64, "overlap": {"n_copies": 0}},
        "durations_s": {"load": 1.0, "fit": 2.5},
        "monotone": {},
        "monotone_violations": {},
    } | changes


def write_run(run_dir: Path, about: dict | None = None, metrics: dict | None = None, report: str = "<p>A report</p>") -> Path:
    about = about or facts(run_dir.parent.name, run_dir.name)
    with folders.published(run_dir) as folder:
        writing.write_json(folder / "metadata.json", about)
        writing.write_json(folder / "metrics.json", METRICS if metrics is None else metrics)
        (folder / "model.skops").write_bytes(b"model")
        if report:
            (folder / "report.html").write_text(report)
    return run_dir


def write_portfolio(root: Path, entries: list[dict]) -> Path:
    """A run for each use case of the catalogue, with numbers of its own."""
    for position, entry in enumerate(entries):
        gain = 0.1 + 0.3 * ((position * 37) % 64) / 64
        numbers = METRICS | {
            "gain_roc_auc": gain, "gain_roc_auc_ci_low": gain - 0.05, "gain_roc_auc_ci_high": gain + 0.05,
            "test_roc_auc": 0.5 + gain, "test_roc_auc_ci_low": 0.45 + gain, "test_roc_auc_ci_high": 0.55 + gain,
        }  # fmt: skip
        about = facts(entry["key"], entry["model"], entry["department"], about={"name": entry["name"], "task": entry["task"]})
        about["data"]["kind"] = "packaged" if entry["data"] == "real" else entry["data"]
        write_run(root / entry["key"] / entry["model"], about, numbers)
    return root
