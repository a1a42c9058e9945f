"""Names of what a fit leaves for its evaluation."""

ROWS, SPLIT, MODEL = "data.parquet", "split.parquet", "model"
