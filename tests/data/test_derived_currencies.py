import importlib.util
from math import log, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bank_models.data import packaged
from bank_models.data.derived.currencies import currency_directions, currency_volatility

DERIVATIONS = {"next_day_up": currency_directions, "fx_volatility_5d": currency_volatility}
BY_TARGET = pytest.mark.parametrize(("target", "derivation"), DERIVATIONS.items())


@pytest.fixture(scope="module")
def rates():
    return pd.read_csv(packaged.VENDORED / "ecb_fx.csv.gz", parse_dates=["date"]).head(700)


@pytest.fixture(scope="module")
def dollar(rates):
    """The dollar's rates as a plain list, and the place of each day in it."""
    return rates["USD"].to_list(), {day: place for place, day in enumerate(rates["date"])}


def row_of(rows, day, pair):
    return rows[(rows["date"] == day) & (rows["pair"] == pair)].iloc[0]


def returns_until(values, place, n_days):
    return [100 * log(values[i] / values[i - 1]) for i in range(place - n_days + 1, place + 1)]


def volatility(returns):
    return sqrt(sum(one**2 for one in returns) / len(returns))


def test_a_currency_that_falls_one_per_cent_a_day_worked_by_hand():
    days = pd.bdate_range("2023-01-02", periods=260)
    rates = pd.DataFrame({"date": days, "USD": 1.01 ** np.arange(260), "GBP": [0.8, 0.9] * 130})
    row = row_of(currency_directions(rates), days[255], "EURUSD")
    assert row["return_today_pct"] == pytest.approx(0.995033)  # 100 * ln 1.01
    assert row["momentum_21d_pct"] == pytest.approx(20.895694)
    assert row["volatility_63d_pct"] == pytest.approx(0.995033)
    assert row["place_in_range_63d"] == 1
    assert row["next_day_up"] == 1
    assert row["euro_return_today_pct"] == pytest.approx((0.995033 + 11.778304) / 2, abs=1e-6)  # GBP rose from 0.8 to 0.9
    assert row_of(currency_directions(rates), days[255], "EURGBP")["next_day_up"] == 0
    assert row_of(currency_volatility(rates), days[254], "EURGBP")["fx_volatility_5d"] == pytest.approx(11.778304)


def test_an_unchanged_rate_is_not_up():
    days = pd.bdate_range("2023-01-02", periods=260)
    steps = [1.0, 1.1, 1.1, 1.0] * 65
    rows = currency_directions(pd.DataFrame({"date": days, "USD": steps, "GBP": steps}))
    up = rows[rows.pair == "EURUSD"].set_index("date")["next_day_up"]
    assert [up[day] for day in days[252:256]] == [1, 0, 0, 0]


@pytest.mark.parametrize("day", ["1999-12-22", "2000-06-30", "2001-09-11"])
def test_directions_equal_those_of_a_plain_loop(rates, dollar, day):
    (values, places), row = dollar, row_of(currency_directions(rates), day, "EURUSD")
    place = places[pd.Timestamp(day)]
    returns = returns_until(values, place, 63)
    names = ["return_today_pct", *(f"return_{n}d_ago_pct" for n in (1, 2, 3, 4))]
    np.testing.assert_allclose(row[names].astype(float), returns[::-1][:5], rtol=1e-9)
    for n in (5, 21, 63, 252):
        assert row[f"momentum_{n}d_pct"] == pytest.approx(100 * log(values[place] / values[place - n]))
    for n in (21, 200):
        mean = sum(values[place - n + 1 : place + 1]) / n
        assert row[f"gap_to_mean_{n}d_pct"] == pytest.approx(100 * (values[place] / mean - 1))
    last = values[place - 62 : place + 1]
    assert row["place_in_range_63d"] == pytest.approx((values[place] - min(last)) / (max(last) - min(last)))
    assert row["volatility_21d_pct"] == pytest.approx(volatility(returns[-21:]))
    assert row["next_day_up"] == (values[place + 1] > values[place])
    assert row["weekday"] == pd.Timestamp(day).weekday()
    assert row["days_since_fixing"] == (rates["date"][place] - rates["date"][place - 1]).days


@pytest.mark.parametrize("day", ["1999-12-22", "2000-06-30", "2001-09-11"])
def test_volatilities_equal_those_of_a_plain_loop(rates, dollar, day):
    (values, places), row = dollar, row_of(currency_volatility(rates), day, "EURUSD")
    place = places[pd.Timestamp(day)]
    returns = returns_until(values, place, 252)
    for n in (5, 10, 21, 63, 252):
        assert row[f"volatility_{n}d_pct"] == pytest.approx(volatility(returns[-n:]))
    assert row["upward_volatility_21d_pct"] == pytest.approx(volatility([max(one, 0) for one in returns[-21:]]))
    assert row["largest_move_21d_pct"] == pytest.approx(max(map(abs, returns[-21:])))
    weighted = None
    for one in returns_until(values, place, place):
        weighted = one**2 if weighted is None else 0.94 * weighted + 0.06 * one**2
    assert row["ewma_volatility_pct"] == pytest.approx(sqrt(weighted))
    assert row["fx_volatility_5d"] == pytest.approx(volatility(returns_until(values, place + 5, 5)))


@BY_TARGET
@pytest.mark.parametrize("day", ["2000-02-29", "2001-03-15"])
def test_rates_after_a_day_change_no_feature_of_it(rates, target, derivation, day):
    changed = rates.copy()
    later = (changed["date"] > day).to_numpy()
    changed.loc[later, changed.columns[1:]] *= np.random.default_rng(0).uniform(0.9, 1.1, size=(later.sum(), 8))
    before, after = (derivation(table) for table in (rates, changed))
    is_past = before["date"] <= day
    features = before.columns.drop(target)
    pd.testing.assert_frame_equal(before.loc[is_past, features], after.loc[is_past, features], check_exact=True)
    assert (before.loc[is_past, target] != after.loc[is_past, target]).any()


@BY_TARGET
def test_rows_of_the_days_whose_target_is_not_known_yet_are_left_out(rates, target, derivation):
    ahead = {"next_day_up": 1, "fx_volatility_5d": 5}[target]
    assert derivation(rates)["date"].max() == rates["date"].iloc[-1 - ahead]


def test_our_extract_holds_the_figures_of_the_package_unchanged():
    spec = importlib.util.find_spec("currency_converter")
    original = pd.read_csv(Path(spec.submodule_search_locations[0], "eurofxref-hist.zip"), parse_dates=["Date"])
    extract = pd.read_csv(packaged.VENDORED / "ecb_fx.csv.gz", parse_dates=["date"])
    assert len(extract) == len(original)
    expected = original.iloc[::-1].reset_index(drop=True)[["Date", *extract.columns[1:]]].rename(columns={"Date": "date"})
    pd.testing.assert_frame_equal(extract, expected, check_exact=True, check_dtype=False)
