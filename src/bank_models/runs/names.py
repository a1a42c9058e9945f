"""File names of a fit: rows, split, models."""

ROWS, SPLIT, MODEL = "data.parquet", "split.parquet", "model"
MEASURED = "measured_model.skops"  # where the model that is used later has learnt from the test rows too
FACTS_OF_FIT = "fit.json"  # in MODEL, whose run stands beside it
