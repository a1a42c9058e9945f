"""What a data scientist would type without us: the same split, folds, early stopping and metrics for one Parquet file.

Run by `bench/overhead.py` as: python bench/bare_xgboost.py FILE TARGET PARAMS PATIENCE CV
where PARAMS and PATIENCE are JSON: keyword arguments of XGBClassifier and of its EarlyStopping; CV is stratified_kfold or none
"""

import json
import sys

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.model_selection import StratifiedKFold, train_test_split
from xgboost import XGBClassifier
from xgboost.callback import EarlyStopping

path, target, cv = sys.argv[1], sys.argv[2], sys.argv[5]
params, patience = json.loads(sys.argv[3]), json.loads(sys.argv[4])
frame = pd.read_parquet(path)
y = frame.pop(target).to_numpy()
for column in frame.columns[frame.dtypes == "str"]:
    frame[column] = frame[column].astype("category")


def scores(y, p, threshold=0.5):
    d = p >= threshold
    return {
        "accuracy": accuracy_score(y, d),
        "precision": precision_score(y, d, zero_division=0),
        "recall": recall_score(y, d),
        "f1": f1_score(y, d),
        "roc_auc": roc_auc_score(y, p),
    }


def fit(X, y, X_stop, y_stop):
    stopper = EarlyStopping(**patience, save_best=True)
    model = XGBClassifier(**params, enable_categorical=True, eval_metric="logloss", callbacks=[stopper])
    return model.fit(X, y, eval_set=[(X_stop, y_stop)], verbose=False)


train, rest = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=42)
val, test = train_test_split(rest, test_size=0.5, stratify=y[rest], random_state=42)
X_train, y_train = frame.iloc[train], y[train]

folds = []
splits = StratifiedKFold(5, shuffle=True, random_state=42).split(X_train, y_train) if cv != "none" else []
for rows, held_out in splits:
    inner, stop = train_test_split(rows, test_size=0.1, stratify=y_train[rows], random_state=42)
    model = fit(X_train.iloc[inner], y_train[inner], X_train.iloc[stop], y_train[stop])
    folds.append(
        scores(y_train[held_out], model.predict_proba(X_train.iloc[held_out])[:, 1])
        | {f"train_{k}": v for k, v in scores(y_train[rows], model.predict_proba(X_train.iloc[rows])[:, 1]).items()}
    )

model = fit(X_train, y_train, frame.iloc[val], y[val])
precision, recall, thresholds = precision_recall_curve(y[val], model.predict_proba(frame.iloc[val])[:, 1])
f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
threshold = thresholds[np.argmax(f1[:-1])]
p = model.predict_proba(frame.iloc[test])[:, 1]
metrics = scores(y[test], p, threshold) | {
    "average_precision": average_precision_score(y[test], p),
    "log_loss": log_loss(y[test], p),
    "brier_score_loss": brier_score_loss(y[test], p),
    "confusion": confusion_matrix(y[test], p >= threshold).tolist(),
}
cv_mean = np.mean([fold["roc_auc"] for fold in folds]) if folds else float("nan")
print(f"cv roc_auc {cv_mean:.4f}, test roc_auc {metrics['roc_auc']:.4f}")
