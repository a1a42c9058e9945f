"""XGBoost alone scores a Parquet file: python bench/bare_scoring.py rows.parquet model.ubj columns.json scores.parquet"""

import json
import sys
import time
from pathlib import Path

start = time.perf_counter()
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import xgboost  # noqa: E402

imported = time.perf_counter()
rows, model, columns, scores = sys.argv[1:]
# name -> values of a category in the order of their codes, or null
columns = json.loads(Path(columns).read_text(encoding="utf-8"))
booster = xgboost.Booster(model_file=model)
frame = pd.read_parquet(rows, columns=list(columns))
X = np.empty((len(frame), len(columns)), dtype="float32")
for i, (name, values) in enumerate(columns.items()):
    X[:, i] = frame[name] if values is None else pd.Categorical(frame[name], values).codes
    if values is not None:
        X[X[:, i] < 0, i] = np.nan
score = booster.inplace_predict(X)
pd.DataFrame({"row": np.arange(1, len(score) + 1), "score": score.astype("float64")}).to_parquet(scores)
print(json.dumps({"import_s": imported - start, "score_s": time.perf_counter() - imported}))
