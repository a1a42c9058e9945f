import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from bank_models.errors import DataError
from bank_models.files import folders
from bank_models.metrics.scores import expected_calibration_error
from bank_models.runs import model_file
from bank_models.training.calibration import calibrate, reliability

RNG = np.random.default_rng(0)
X = pd.DataFrame({"z": RNG.normal(size=6000)})
Y = (RNG.random(6000) < expit(X["z"])).astype(int).to_numpy()
SURE = LogisticRegression().fit(X, Y)
SURE.coef_ *= 4  # ranks as well as before, and is far too sure of itself


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_model_that_is_too_sure_is_mended_and_ranks_as_before(method):
    calibrated = calibrate(SURE, method, X[:3000], Y[:3000])
    before, after = SURE.predict_proba(X[3000:])[:, 1], calibrated.predict_proba(X[3000:])[:, 1]
    assert expected_calibration_error(Y[3000:], before) > 0.1
    assert expected_calibration_error(Y[3000:], after) < 0.03
    order = np.argsort(before)
    assert (np.diff(after[order]) >= -1e-12).all()


def test_platts_curve_finds_the_slope_that_was_planted():
    calibrated = calibrate(SURE, "sigmoid", X, Y)
    slope = np.polyfit(logit(SURE.predict_proba(X)[:, 1]), logit(calibrated.predict_proba(X)[:, 1]), 1)[0]
    assert slope == pytest.approx(1 / 4, abs=0.03)


def test_the_reliability_of_a_case_worked_by_hand():
    found = reliability(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.8, 0.9]), n_bins=2)
    assert found.to_dict("list") == {
        "n_rows": [2, 2], "mean_predicted": pytest.approx([0.15, 0.85]), "observed_rate": [0.5, 0.5],
    }  # fmt: skip


def test_too_few_rows_of_a_class_are_refused():
    with pytest.raises(DataError, match="needs at least 5 rows of each class in val, but a class has 2"):
        calibrate(SURE, "sigmoid", X[:50], np.array([1, 1] + [0] * 48))


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_calibrated_model_survives_saving(tmp_path, method):
    model = Pipeline([("features", StandardScaler(with_mean=False, with_std=False).fit(X)), ("estimator", SURE)])
    calibrated = calibrate(model, method, X, Y)
    with folders.published(tmp_path / "run") as folder:
        model_file.dump(folder / "model.skops", calibrated)
    np.testing.assert_array_equal(model_file.load(tmp_path / "run").predict_proba(X), calibrated.predict_proba(X))
