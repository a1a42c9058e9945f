"""File names of the fit stage: rows, split, model."""

ROWS, SPLIT, MODEL = "data.parquet", "split.parquet", "model"
FACTS_OF_FIT = "fit.json"  # in MODEL, whose run stands beside it
