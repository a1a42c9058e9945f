import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from bank_models.data.split import n_among, row_keys, split
from bank_models.errors import DataError

RNG = np.random.default_rng(0)
Y = (RNG.random(1000) < 0.2).astype(int)
DAYS = np.datetime64("2025-01-01", "s") + RNG.integers(0, 90, 1000) * np.timedelta64(1, "D")

COMPANY = RNG.integers(0, 120, 1000)
KEYS = row_keys(pd.DataFrame({"amount": RNG.random(1000)}), None)


def cut(method="stratified", y=Y, val_ratio=0.1, test_ratio=0.1, random_state=42, **kwargs):
    return split(y, method, val_ratio, test_ratio, random_state, **kwargs)


@pytest.mark.parametrize("method", ["stratified", "random", "temporal", "group", "hashed"])
def test_every_row_is_in_one_part_and_in_one_only(method):
    parts = cut(method, times=DAYS, keys=KEYS if method == "hashed" else COMPANY)
    assert sorted(np.concatenate([parts.train, parts.val, parts.test])) == list(range(1000))


def test_a_stratified_split_is_the_specifications_own():
    train, rest = train_test_split(np.arange(1000), test_size=0.2, stratify=Y, random_state=42)
    val, test = train_test_split(rest, test_size=0.5, stratify=Y[rest], random_state=42)
    parts = cut()
    assert (set(parts.train), set(parts.val), set(parts.test)) == (set(train), set(val), set(test))


def test_a_stratified_split_keeps_the_share_of_each_class():
    parts = cut(val_ratio=0.2, test_ratio=0.3)
    for rows in parts.parts().values():
        assert Y[rows].mean() == pytest.approx(Y.mean(), abs=1 / len(rows))


def test_a_temporal_split_trains_before_it_stops_and_stops_before_it_tests():
    parts = cut("temporal", times=DAYS)
    assert DAYS[parts.train].max() < DAYS[parts.val].min()
    assert DAYS[parts.val].max() < DAYS[parts.test].min()
    assert (np.diff(DAYS[parts.train]) >= np.timedelta64(0)).all()


def test_the_same_split_has_the_same_hash_and_another_seed_another():
    assert cut().sha256() == cut().sha256() != cut(random_state=1).sha256()


def test_a_class_with_too_few_members_is_named_by_its_size():
    with pytest.raises(DataError, match=r"98 rows, 1 of the rarest class, cannot be split 0\.8/0\.1/0\.1"):
        cut(y=np.array([1] + [0] * 97))


def test_a_class_that_cannot_be_in_every_part_is_refused():
    with pytest.raises(DataError, match="val has 10 rows that lack a class: it could not be scored"):
        cut(y=np.array([1, 1] + [0] * 98))


def test_a_random_split_that_leaves_a_part_with_one_class_is_refused():
    with pytest.raises(DataError, match="rows that lack a class: it could not be scored"):
        cut("random", y=np.array([1, 1, 1] + [0] * 997))


def test_one_moment_in_time_cannot_be_cut():
    with pytest.raises(DataError, match="Too few distinct times"):
        cut("temporal", times=np.repeat(np.datetime64("2025-01-01"), 1000))


def test_too_few_rows_are_refused_in_words():
    with pytest.raises(DataError, match="4 rows, 1 of the rarest class"):
        cut(y=np.array([0, 1, 0, 0]))


def test_no_company_is_in_two_parts():
    parts = cut("group", keys=COMPANY)
    members = [set(COMPANY[rows]) for rows in parts.parts().values()]
    assert sum(map(len, members)) == len(set(COMPANY))
    assert len(parts.test) == pytest.approx(100, abs=40)


def test_two_groups_cannot_be_split_three_ways():
    with pytest.raises(DataError, match="2 groups cannot be split three ways"):
        cut("group", keys=np.arange(1000) % 2)


def test_rows_that_come_later_move_none_of_the_earlier_ones():
    before, after = (cut("hashed", y=Y[:n], keys=KEYS[:n]) for n in (700, 1000))
    for name, rows in before.parts().items():
        assert rows.tolist() == [row for row in after.parts()[name] if row < 700]


def test_a_hashed_split_keeps_its_ratios_and_its_groups_together():
    parts = cut("hashed", val_ratio=0.2, test_ratio=0.3, keys=KEYS)
    assert len(parts.val) == pytest.approx(200, abs=45)
    assert len(parts.test) == pytest.approx(300, abs=50)
    frame = pd.DataFrame({"company": COMPANY, "amount": RNG.random(1000)})
    parts = cut("hashed", keys=row_keys(frame, "company"))
    assert not set(COMPANY[parts.train]) & set(COMPANY[parts.test])


def test_a_split_of_numbers_needs_no_classes():
    parts = cut("random", y=RNG.normal(size=1000), task="regression")
    assert len(parts.train) == 800


def test_rows_of_test_that_stand_elsewhere_too_are_counted_as_often_as_they_occur():
    rng = np.random.default_rng(0)
    hashes, others = rng.integers(0, 500, 300).astype("uint64"), rng.integers(0, 500, 400).astype("uint64")
    assert n_among(hashes, others) == np.isin(hashes, others).sum() > 0
    assert n_among(hashes, others[:0]) == 0
