"""File names of the fit stage: rows, split, model."""

ROWS, SPLIT, MODEL = "data.parquet", "split.parquet", "model"
