"""How well a classifier tells simulated rows from real ones of the same kind, by the columns that both have.

    python bench/simulated_or_real.py [--conf conf] [--rows 5000]

0.5 is a coin, 1 is certain. As many simulated rows as real ones; gradient boosting; ROC-AUC of rows that it has not seen, over
five folds. Money is divided by its median first, because the real rows have another currency and another year. The figures:

- all columns as they are;
- alike: only rows in which nothing is missing, money in two digits, months in whole years; so neither gaps nor digits tell;
- relations: of those, each column is replaced by its rank among its own rows, ties in random order. What is left is which
  values go together;
- each of the columns as they are, alone.

A figure near 1 must not surprise: the real rows are of other countries, decades and lenders, and facts are set by hand. It
tells which facts to look at. `--conf` draws rows by the facts of another version: `git archive REVISION conf | tar x -C
FOLDER`, then `--conf FOLDER/conf`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))

from bank_models.data import packaged, simulate  # noqa: E402
from bank_models.data.sample import CONF, find  # noqa: E402

TENURE = [-np.inf, 1, 4, 7, np.inf]  # years, as the German set bands them
PURPOSES = {
    "car": ["car", "car (new)", "car (used)"],
    "home": ["furniture", "home_improvement", "furniture/equipment", "radio/television", "domestic appliances", "repairs"],
    "education": ["education", "retraining"],
    "business": ["small_business", "business"],
}


@dataclass(frozen=True)
class Pair:
    """A simulated use case, a real set, and the columns that both have.

    Attributes
    ----------
    topic, use_case, real : str
    of_simulated, of_real : callable
        From the rows, a table of the shared columns.
    money : list of str
        Columns that are divided by their median.
    """

    topic: str
    use_case: str
    real: str
    of_simulated: Callable[[pd.DataFrame], dict[str, pd.Series]]
    of_real: Callable[[pd.DataFrame], dict[str, pd.Series]]
    money: list[str]


def loans(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Simulated consumer loans, as the German credits are told."""
    jobless = rows["employment_status"].isin(["unemployed", "student", "retired"])
    homes = {"with_family": "free", "other": "rent", "tenant": "rent", "mortgage": "own", "owner": "own"}
    return {
        "age_years": rows["age"],
        "amount": rows["loan_amount"],
        "months": rows["loan_term"].astype(str).str.removesuffix("_months").astype(float),
        "tenure": pd.cut(rows["years_with_employer"], TENURE, labels=False).add(1).mask(jobless, 0),
        "housing": rows["residence_status"].astype(str).map(homes),
        "has_co_applicant": rows["has_co_applicant"],
        "purpose": _purpose(rows["loan_purpose"]),
    }


def german_credits(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """German credits of the 1970s."""
    bands = ["unemployed", "... < 1 year", "1 <= ... < 4 years", "4 <= ... < 7 years", "... >= 7 years"]
    return {
        "age_years": rows["age_years"],
        "amount": rows["credit_amount_dm"],
        "months": rows["duration_months"],
        "tenure": rows["employed_since"].map({band: code for code, band in enumerate(bands)}),
        "housing": rows["housing"].map({"rent": "rent", "own": "own", "for free": "free"}),
        "has_co_applicant": rows["other_debtors"] == "co-applicant",
        "purpose": _purpose(rows["purpose"]),
    }


def borrowers(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Simulated applicants, as those of Give Me Some Credit are told."""
    return {
        "age_years": rows["age"],
        "income": rows["income"],
        "utilisation": rows["utilization_ratio"],
        "debt_ratio": rows["debt_to_income"],
        "n_open_lines": rows["num_credit_accounts"],
        "n_dependants": rows["num_dependants"],
    }


def us_borrowers(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Give Me Some Credit; without an income its debt ratio is no ratio."""
    return {
        "age_years": rows["age_years"],
        "income": rows["monthly_income_usd"],
        "utilisation": rows["revolving_utilisation_ratio"],
        "debt_ratio": rows["debt_ratio"].where(rows["monthly_income_usd"] > 1),
        "n_open_lines": rows["n_open_credit_lines"],
        "n_dependants": rows["n_dependents"],
    }


def mortgages(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Simulated mortgages, as those of Boston are told."""
    return {
        "loan": rows["loan_amount_eur"],
        "value": rows["property_value_eur"],
        "loan_to_value_pct": rows["loan_to_value_pct"],
        "income": rows["net_income_eur_month"],
        "months": 12 * rows["term_years"],
        "debt_service_pct": rows["debt_service_to_income_pct"],
        "liquid_assets": rows["liquid_assets_eur"],
        "is_self_employed": rows["employment_status"] == "self_employed",
    }


def boston_mortgages(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Mortgage applications in Boston, 1990."""
    return {
        "loan": rows["loan_kusd"],
        "value": rows["appraised_value_kusd"],
        "loan_to_value_pct": 100 * rows["loan_kusd"] / rows["appraised_value_kusd"],
        "income": rows["applicant_income_usd_a_month"] + rows["coapplicant_income_usd_a_month"],
        "months": rows["term_months"],
        "debt_service_pct": rows["obligations_to_income_pct"],
        "liquid_assets": rows["liquid_assets_kusd"],
        "is_self_employed": rows["is_self_employed"],
    }


def customers(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Simulated customers whom the bank contacts with an offer."""
    return {
        "age_years": rows["age_years"],
        "balance": rows["current_account_balance_eur"],
        "has_personal_loan": rows["has_instalment_loan"],
    }


def prospects(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Prospects whom a Portuguese bank called about a term deposit."""
    return {
        "age_years": rows["age_years"],
        "balance": rows["mean_balance_eur"],
        "has_personal_loan": rows["has_personal_loan"] == "yes",
    }


PAIRS = [
    Pair("credit", "credit_risk_scoring", "german_credit", loans, german_credits, ["amount"]),
    Pair("credit", "credit_risk_scoring", "gmsc", borrowers, us_borrowers, ["income"]),
    Pair("mortgage", "mortgage_risk", "loanapp", mortgages, boston_mortgages, ["loan", "value", "income", "liquid_assets"]),
    Pair("term deposits", "next_best_action", "bank_marketing", customers, prospects, ["balance"]),
]


def _purpose(column: pd.Series) -> pd.Series:
    names = {name: purpose for purpose, names in PURPOSES.items() for name in names}
    return column.astype(str).map(names).fillna("other")


def tables(pair: Pair, conf: Path, n_rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As many rows of both, with the shared columns as numbers and money in medians."""
    real = pd.DataFrame(pair.of_real(packaged.load(pair.real, None).frame)).reset_index(drop=True)
    n_rows = min(n_rows, len(real))
    real = real.sample(n_rows, random_state=0)
    drawn = simulate(find(pair.use_case, [conf])).frame.sample(n_rows, random_state=0)
    both = pd.concat([pd.DataFrame(pair.of_simulated(drawn)), real], ignore_index=True)
    words = both.select_dtypes(exclude=["number", "bool"]).columns
    both[words] = both[words].apply(lambda column: pd.factorize(column, sort=True)[0])
    both = both.astype(float)
    halves = both[:n_rows], both[n_rows:]
    for half in halves:
        half[pair.money] /= half[pair.money].median()
    return halves


def auc(simulated: pd.DataFrame, real: pd.DataFrame) -> float:
    """ROC-AUC of a classifier on rows that it has not seen."""
    X, is_real = np.vstack([simulated, real]), np.repeat([0, 1], [len(simulated), len(real)])
    model = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.08, max_leaf_nodes=15, random_state=0)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return roc_auc_score(is_real, cross_val_predict(model, X, is_real, cv=folds, method="predict_proba")[:, 1])


def alike(table: pd.DataFrame, money: list[str]) -> pd.DataFrame:
    """Complete rows, with money in two digits and months in whole years."""
    rounded = table.dropna().copy()
    digits = 10 ** np.floor(np.log10(rounded[money].abs().clip(lower=0.01)) - 1)
    rounded[money] = (rounded[money] / digits).round() * digits
    if "months" in rounded:
        rounded["months"] = np.ceil(rounded["months"] / 12)
    return rounded


def ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Each column as its rank, ties in random order."""
    rng = np.random.default_rng(0)
    return table.apply(lambda column: np.lexsort((rng.random(len(column)), column)).argsort() / len(column))


def main(argv: list[str]) -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conf", type=Path, default=CONF)
    parser.add_argument("--rows", type=int, default=5000)
    args = parser.parse_args(argv)
    print("| topic | simulated | real | shared columns | all columns | alike | relations | each column alone |")
    print("|---|---|---|---|---|---|---|---|")
    for pair in PAIRS:
        simulated, real = tables(pair, args.conf, args.rows)
        alone = {name: auc(simulated[[name]], real[[name]]) for name in simulated}
        same = [alike(half, pair.money) for half in (simulated, real)]
        said = ", ".join(f"{name} {alone[name]:.2f}" for name in sorted(alone, key=alone.get, reverse=True))
        print(
            f"| {pair.topic} | `{pair.use_case}` | `{pair.real}` | {len(alone)} | {auc(simulated, real):.3f} "
            f"| {auc(*same):.3f} | {auc(*map(ranks, same)):.3f} | {said} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
