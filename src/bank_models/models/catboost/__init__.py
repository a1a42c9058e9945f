"""CatBoost: estimators that hold what is fitted as text."""
