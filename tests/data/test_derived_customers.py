import numpy as np
import pandas as pd
import pytest

from bank_models.data import packaged
from bank_models.data.derived.customers import CUT_OFF, END, behaviour, customer_groups, customer_inactivity, customer_spend

# Ann buys twice on one day, then once in October, and comes back; Bob buys once; Cy's only order is after the cut-off.
ORDERS = pd.DataFrame(
    [
        ("ann", "1997-01-01", 1, 10.0),
        ("ann", "1997-01-01", 2, 20.0),
        ("ann", "1997-10-28", 1, 12.0),
        ("ann", "1998-01-01", 1, 15.0),
        ("ann", "1998-06-30", 3, 40.0),
        ("bob", "1997-03-01", 4, 48.0),
        ("cy", "1998-02-01", 1, 9.0),
    ],
    columns=["customer_id", "date", "n_cds", "spend_usd"],
).assign(date=lambda orders: pd.to_datetime(orders["date"]))


@pytest.fixture(scope="module")
def orders():
    """CDNOW's orders, read without the catalogue."""
    from importlib.util import find_spec
    from pathlib import Path

    path = Path(find_spec("lifetimes").submodule_search_locations[0], "datasets/CDNOW_master.txt")
    table = pd.read_csv(path, sep=r"\s+", skiprows=1, names=list(ORDERS), dtype={"customer_id": str, "date": str})
    return table.assign(date=pd.to_datetime(table["date"], format="%Y%m%d"))


def test_behaviour_of_customers_worked_by_hand():
    ann, bob = behaviour(ORDERS, CUT_OFF).to_dict("records")
    assert ann == {
        "days_since_last_purchase": 65, "days_since_first_purchase": 365, "mean_gap_days": 300.0, "n_purchases": 2,
        "spend_usd": 42.0, "mean_purchase_usd": 21.0, "highest_purchase_usd": 30.0, "first_purchase_usd": 30.0,
        "last_purchase_usd": 12.0, "n_cds": 4, "cds_per_purchase": 2.0, "usd_per_cd": 10.5, "n_purchases_90d": 1,
        "spend_90d_usd": 12.0, "n_purchases_180d": 1, "spend_180d_usd": 12.0,
    }  # fmt: skip
    assert (bob["n_purchases"], bob["days_since_last_purchase"], bob["spend_180d_usd"]) == (1, 306, 0.0)
    assert np.isnan(bob["mean_gap_days"])


def test_targets_count_from_the_cut_off_on():
    assert customer_spend(ORDERS)["spend_next_6m_usd"].tolist() == [55.0, 0.0]
    assert customer_inactivity(ORDERS)["is_inactive"].tolist() == [0, 1]


def test_groups_see_every_order():
    assert len(customer_groups(ORDERS)) == 3
    assert customer_groups(ORDERS)["spend_usd"].tolist() == [97.0, 48.0, 9.0]


def test_orders_after_the_cut_off_change_no_feature(orders):
    rng = np.random.default_rng(0)
    later = orders["date"] >= CUT_OFF
    changed = orders.assign(spend_usd=orders["spend_usd"].where(~later, rng.uniform(0, 500, len(orders))))
    features = list(behaviour(orders, CUT_OFF))
    pd.testing.assert_frame_equal(customer_spend(changed)[features], customer_spend(orders)[features], check_exact=True)
    assert not customer_spend(changed)["spend_next_6m_usd"].equals(customer_spend(orders)["spend_next_6m_usd"])
    pd.testing.assert_frame_equal(behaviour(orders[~later], CUT_OFF), behaviour(orders, CUT_OFF), check_exact=True)


def test_the_order_of_the_orders_changes_nothing(orders):
    shuffled = orders.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(customer_spend(shuffled), customer_spend(orders), rtol=1e-12)


def test_spend_equals_that_of_a_plain_sum(orders):
    before, after = orders[orders["date"] < CUT_OFF], orders[orders["date"] >= CUT_OFF]
    found = customer_spend(orders)
    assert found["spend_usd"].sum() == pytest.approx(before["spend_usd"].sum(), rel=1e-12)
    known = after["customer_id"].isin(before["customer_id"])
    assert found["spend_next_6m_usd"].sum() == pytest.approx(after.loc[known, "spend_usd"].sum(), rel=1e-12)


def test_every_customer_of_cdnow_began_before_the_cut_off_and_most_stop(orders):
    first = orders.groupby("customer_id")["date"].min()
    assert (len(first), first.max(), orders["date"].max()) == (23_570, pd.Timestamp("1997-03-25"), END - pd.Timedelta(days=1))
    assert packaged.load("cdnow_inactivity", "left").frame["left"].mean() == pytest.approx(0.772, abs=5e-4)
    assert (packaged.load("cdnow_spend", "clv").frame["clv"] == 0).mean() == pytest.approx(0.772, abs=5e-4)
