"""What a data scientist would type without us, for each model: the same library, preprocessing, parameters and patience."""

from __future__ import annotations

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PowerTransformer, QuantileTransformer, StandardScaler

SCALERS = {
    None: [],
    "power": [PowerTransformer()],
    "quantile": [QuantileTransformer(n_quantiles=200, output_distribution="normal", subsample=50_000), StandardScaler()],
}


def preprocessing(frame, imputer, scaler, encoder):
    categories = list(frame.columns[frame.dtypes == "category"])
    numbers = [name for name in frame if name not in categories]
    steps = [SimpleImputer(strategy=imputer, add_indicator=True)] if imputer else []
    encode = (
        OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=50, sparse_output=False)
        if encoder == "one_hot"
        else OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    )
    number = make_pipeline(*steps, *SCALERS[scaler]) if steps or scaler else "passthrough"
    return ColumnTransformer([("number", number, numbers), ("category", encode, categories)])


def xgboost(train, y, val, y_val, params, patience, threads, seed):
    from xgboost import XGBClassifier
    from xgboost.callback import EarlyStopping

    stop = EarlyStopping(rounds=patience["patience"], min_delta=patience["min_delta"], save_best=True)
    model = XGBClassifier(
        **params, tree_method="hist", enable_categorical=True, n_jobs=threads, random_state=seed, callbacks=[stop]
    ).fit(train, y, eval_set=[(val, y_val)], verbose=False)
    return model.predict_proba


def lightgbm(train, y, val, y_val, params, patience, threads, seed):
    from lightgbm import LGBMClassifier, early_stopping

    model = LGBMClassifier(**params, deterministic=True, force_row_wise=True, n_jobs=threads, random_state=seed, verbose=-1)
    stop = early_stopping(patience["patience"], min_delta=patience["min_delta"], verbose=False)
    model.fit(train, y, eval_X=(val,), eval_y=(y_val,), callbacks=[stop])
    return model.predict_proba


def catboost(train, y, val, y_val, params, patience, threads, seed):
    from catboost import CatBoostClassifier

    def in_words(frame):
        return frame.assign(**{name: frame[name].astype("object").fillna("").astype("str") for name in categories})

    categories = list(train.select_dtypes("category"))
    model = CatBoostClassifier(
        **params, bootstrap_type="Bernoulli", cat_features=categories, early_stopping_rounds=patience["patience"],
        thread_count=threads, random_seed=seed, allow_writing_files=False, verbose=0,
    )  # fmt: skip
    model.fit(in_words(train), y, eval_set=(in_words(val), y_val))
    return lambda frame: model.predict_proba(in_words(frame))


def hist_gradient_boosting(train, y, val, y_val, params, patience, threads, seed):
    from sklearn.ensemble import HistGradientBoostingClassifier

    prepare = preprocessing(train, None, None, "ordinal")
    n_categories = int((train.dtypes == "category").sum())
    X = prepare.fit_transform(train)
    is_category = np.arange(X.shape[1]) >= X.shape[1] - n_categories
    model = HistGradientBoostingClassifier(
        **params, early_stopping=True, n_iter_no_change=patience["patience"], tol=patience["min_delta"],
        categorical_features=is_category, random_state=seed,
    )  # fmt: skip
    model.fit(X, y, X_val=prepare.transform(val), y_val=y_val)
    return make_pipeline(prepare, model).predict_proba


def gradient_boosting(train, y, val, y_val, params, patience, threads, seed):
    """scikit-learn's early stopping looks at a share of the training rows: give it as many as val has."""
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(
        **params, n_iter_no_change=patience["patience"], tol=patience["min_delta"], validation_fraction=len(val) / len(train),
        random_state=seed,
    )  # fmt: skip
    return make_pipeline(preprocessing(train, "median", None, "ordinal"), model).fit(train, y).predict_proba


def random_forest(train, y, val, y_val, params, patience, threads, seed):
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(**params, n_jobs=threads, random_state=seed)
    return make_pipeline(preprocessing(train, "median", None, "ordinal"), model).fit(train, y).predict_proba


def logistic_regression(train, y, val, y_val, params, patience, threads, seed):
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=params["C"], solver=params["solver"], max_iter=params["max_iter"], random_state=seed)
    return make_pipeline(preprocessing(train, "median", "power", "one_hot"), model).fit(train, y).predict_proba


def linear_regression(train, y, val, y_val, params, patience, threads, seed):
    from sklearn.linear_model import LinearRegression, Ridge

    alpha, fit_intercept = params["alpha"], params["fit_intercept"]
    model = Ridge(alpha=alpha, fit_intercept=fit_intercept) if alpha else LinearRegression(fit_intercept=fit_intercept)
    return make_pipeline(preprocessing(train, "median", "power", "one_hot"), model).fit(train, y.astype(float)).predict


def neural_network(train, y, val, y_val, params, patience, threads, seed):
    """A plain PyTorch loop over the same network, for as many epochs as ours took: no patience, no best weights kept."""
    import torch

    from bank_models.models.neural.network import Network

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    prepare = preprocessing(train, "median", "quantile", "ordinal")
    n_categories = int((train.dtypes == "category").sum())

    def tensors(X):
        return torch.tensor(X[:, : X.shape[1] - n_categories]), torch.tensor(X[:, X.shape[1] - n_categories :]).long() + 1

    numbers, codes = tensors(prepare.fit_transform(train).astype("float32"))
    val_numbers, val_codes = tensors(prepare.transform(val).astype("float32"))
    shape = {
        name: params[name] for name in ("layers", "neurons", "dropout", "embedding", "embedding_size", "bins", "frequency_std")
    }
    cardinalities = [int(n) for n in codes.max(axis=0).values]
    module = Network(n_numeric=numbers.shape[1], cardinalities=cardinalities, n_outputs=2, **shape)
    module.prepare(numbers.numpy(), np.log(np.bincount(y) / len(y)).astype("float32"))
    optimizer = torch.optim.AdamW(module.parameters(), lr=params["learning_rate"], weight_decay=params["weight_decay"])
    loss, labels, labels_val = torch.nn.CrossEntropyLoss(), torch.tensor(y).long(), torch.tensor(y_val).long()
    batch = params["batch_size"] or int(np.clip(len(y) // 100, 256, 1024))
    for _ in range(params["max_epochs"]):
        module.train()
        for rows in torch.randperm(len(y)).split(batch):
            optimizer.zero_grad()
            loss(module(numbers[rows], codes[rows]), labels[rows]).backward()
            optimizer.step()
        module.eval()
        with torch.no_grad():
            loss(module(val_numbers, val_codes), labels_val)

    def predict(frame):
        with torch.no_grad():
            return module(*tensors(prepare.transform(frame).astype("float32"))).softmax(dim=1).numpy()

    return predict


def dummy(train, y, val, y_val, params, patience, threads, seed):
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior").fit(train, y).predict_proba


def ensemble(train, y, val, y_val, params, patience, threads, seed):
    """Out-of-fold predictions of each member, then each member on all rows; here with equal weights."""
    models = []
    for name, member_params in params["members"].items():
        fit = globals()[name]
        for rows, held_out in StratifiedKFold(params["n_folds"], shuffle=True, random_state=seed).split(train, y):
            inner, stop = train_test_split(rows, test_size=0.1, random_state=seed, stratify=y[rows])
            parts = train.iloc[inner], y[inner], train.iloc[stop], y[stop]
            fit(*parts, member_params, patience, threads, seed)(train.iloc[held_out])
        models.append(fit(train, y, val, y_val, member_params, patience, threads, seed))
    return lambda frame: np.mean([predict(frame) for predict in models], axis=0)


def kmeans(train, y, val, y_val, params, patience, threads, seed):
    from sklearn.cluster import KMeans

    model = KMeans(params["n_clusters"], init=params["init"], n_init=10, max_iter=params["max_iter"], random_state=seed)
    return make_pipeline(preprocessing(train, "median", "power", "one_hot"), model).fit(train).predict


def dbscan(train, y, val, y_val, params, patience, threads, seed):
    from sklearn.cluster import DBSCAN

    model = DBSCAN(eps=params["eps"], min_samples=params["min_samples"], n_jobs=threads)
    make_pipeline(preprocessing(train, "median", "power", "one_hot"), model).fit(train)


def hierarchical(train, y, val, y_val, params, patience, threads, seed):
    from sklearn.cluster import AgglomerativeClustering

    model = AgglomerativeClustering(params["n_clusters"], linkage=params["linkage"])
    prepare = preprocessing(train, "median", "power", "one_hot")
    model.fit(prepare.fit_transform(train))
