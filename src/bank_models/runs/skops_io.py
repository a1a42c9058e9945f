"""skops without a list of scikit-learn's estimators: it would import all of that for seconds, and ours is narrower."""

from __future__ import annotations

import sklearn.utils

_all_estimators = sklearn.utils.all_estimators
sklearn.utils.all_estimators = lambda: []
try:
    import skops.io
finally:
    sklearn.utils.all_estimators = _all_estimators

__all__ = ["skops"]
