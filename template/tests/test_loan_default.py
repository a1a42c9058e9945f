"""What must hold of a model before it decides about loans."""

import bank_models

CONFIG = bank_models.load_config("use_case=loan_default")


def test_a_model_ranks_loans_better_than_chance():
    table = bank_models.load_table(CONFIG)
    parts = bank_models.split(table, CONFIG)
    fitted = bank_models.fit(bank_models.make_recipe(CONFIG, table), table, parts)
    found = bank_models.evaluate(fitted, table, parts, CONFIG)
    assert found.metrics["test_roc_auc"] > 0.6
