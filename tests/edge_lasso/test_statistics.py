"""Statistics by certificate: they equal the plain computation on the rows, and add and subtract."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.errors import DataError
from edge_lasso.statistics.folds import FoldStatistics, collect, held_out_moments
from edge_lasso.statistics.plans import forward_chain, kfold, plan_folds
from edge_lasso.statistics.statistics import Statistics


def plain(X, y, weight=None, mean=None):
    """Means, covariance (targets last) and defaults in long double, straight from the definition."""
    weight = np.ones(len(X)) if weight is None else weight
    known = np.isfinite(y) & (weight > 0)
    X, y, weight = X[known].astype(np.longdouble), y[known].astype(np.longdouble), weight[known].astype(np.longdouble)
    gap = ~np.isfinite(X)
    if mean is None:
        seen = np.where(gap, 0, weight[:, None])
        mean = (np.where(gap, 0, X) * seen).sum(axis=0) / seen.sum(axis=0)
    full = np.column_stack([np.where(gap, mean, X), y])
    centre = (full * weight[:, None]).sum(axis=0) / weight.sum()
    return mean, centre, (full - centre).T @ ((full - centre) * weight[:, None]) / weight.sum()


def table(seed, n=700, p=5, gaps=0.0, offset=0.0, scales=(1.0,)):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.resize(scales, p) + offset
    X[rng.random((n, p)) < gaps] = np.nan
    y = rng.normal(size=n) + np.nan_to_num(X[:, 0] - offset)
    return X, y, [f"c{j}" for j in range(p)]


def assert_same(moments, centre, covariance, tolerance):
    deviation = np.sqrt(np.diagonal(covariance)).astype(float)
    assert (np.abs(moments.mean - centre) <= tolerance * deviation + 4e-16 * np.abs(centre)).all()
    assert np.max(np.abs(moments.covariance - covariance) / np.outer(deviation, deviation)) < tolerance


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    gaps=st.sampled_from([0.0, 0.02, 0.6]),
    offset=st.sampled_from([0.0, -3.0, 1e6]),
    weighted=st.booleans(),
    shards=st.integers(1, 6),
)
def test_moments_are_those_of_the_rows(seed, gaps, offset, weighted, shards):
    X, y, columns = table(seed, gaps=gaps, offset=offset, scales=(1.0, 1e-3, 1e6, 1.0, 30.0))
    y[3] = np.nan
    weight = np.random.default_rng(seed).random(len(X)) * 3 if weighted else None
    _, centre, covariance = plain(X, y, weight)
    whole = Statistics(columns)
    merged = Statistics(columns)
    for rows in np.array_split(np.arange(len(X)), shards):
        part = None if weight is None else weight[rows]
        whole.update(X[rows], y[rows], part)
        merged = merged.merge(Statistics(columns).update(X[rows], y[rows], part))
    for statistics in (whole, merged):
        assert_same(statistics.moments(), centre, covariance, 1e-12 if offset < 10 else 1e-8)
        assert statistics.rows == len(X) - 1
        assert statistics.dropped == 1
        known = np.isfinite(y)
        assert (statistics.missing == np.isnan(X[known]).sum(axis=0)).all()
        assert (statistics.low[:5] == np.nanmin(X[known], axis=0)).all()
        assert (statistics.high[:5] == np.nanmax(X[known], axis=0)).all()


def test_float32_is_accumulated_in_float64():
    X, y, columns = table(1, n=5000, offset=1e4)
    single = X.astype(np.float32)
    _, centre, covariance = plain(single.astype(float), y)
    assert_same(Statistics(columns).update(single, y).moments(), centre, covariance, 1e-11)


def test_infinite_and_huge_readings_are_missing():
    X, y, columns = table(2)
    X[5, 0], X[6, 1], X[7, 2] = np.inf, -np.inf, 1e31
    same = np.where(np.abs(X) < 1e30, X, np.nan)
    a, b = Statistics(columns).update(X, y), Statistics(columns).update(same, y)
    assert (a.moments().covariance == b.moments().covariance).all()
    assert a.missing.tolist() == [1, 1, 1, 0, 0]


def test_a_column_that_starts_with_gaps_keeps_its_digits():
    X, y, columns = table(3, n=9000, offset=1e6)
    X[:5000, 1] = np.nan
    _, centre, covariance = plain(X, y)
    assert_same(Statistics(columns).update(X, y).moments(), centre, covariance, 1e-9)


def test_each_fold_uses_the_mean_of_its_own_training_rows():
    X, y, columns = table(4, gaps=0.2, offset=7.0)
    plan = kfold(len(X), 4)
    folds = collect(X, y, plan, columns)
    for split, test in enumerate(plan.rows(len(X))):
        train = np.setdiff1d(np.arange(len(X)), np.arange(len(X))[test])
        default, centre, covariance = plain(X[train], y[train])
        training, held_out = held_out_moments(folds, split)
        assert_same(training, centre, covariance, 1e-13)
        _, centre, covariance = plain(X[test], y[test], mean=default)
        assert_same(held_out, centre, covariance, 1e-13)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_subtracting_a_fold_is_the_others(gaps):
    X, y, columns = table(5, gaps=gaps, offset=1e3)
    whole = Statistics(columns).update(X, y)
    part = Statistics(columns).update(X[:200], y[:200])
    rest = whole - part
    _, centre, covariance = plain(X[200:], y[200:])
    assert_same(rest.moments(), centre, covariance, 1e-11)
    assert rest.rows == 500
    with pytest.raises(DataError, match="cannot remove 700 rows from statistics of 200"):
        part - whole


def test_several_targets_and_any_memory_order():
    X, y, columns = table(6)
    Y = np.column_stack([y, X[:, 1] ** 2])
    a = Statistics(columns, ("u", "v")).update(X, Y)
    b = Statistics(columns, ("u", "v")).update(np.asfortranarray(X), np.asfortranarray(Y))
    assert (a.moments().covariance == b.moments().covariance).all()
    assert np.allclose(a.moments().covariance, np.cov(np.column_stack([X, Y]).T, ddof=0), rtol=1e-12, atol=1e-12)


def test_the_result_depends_neither_on_batches_nor_on_workers():
    X, y, columns = table(7, n=12_345, gaps=0.01)
    plan = kfold(len(X), 5)
    reference = collect(X, y, plan, columns, workers=1)
    threaded = collect(X, y, plan, columns, workers=2)
    streamed = FoldStatistics(columns, ("y",), plan)
    for start in range(0, len(X), 1777):
        rows = np.arange(start, min(start + 1777, len(X)))
        streamed.update(X[rows], y[rows], plan.part_of(rows))
    for other in (threaded, streamed):
        for split in range(5):
            assert (other.training(split).moments().covariance == reference.training(split).moments().covariance).all()


def test_zero_weight_is_no_row():
    X, y, columns = table(8)
    weight = np.ones(len(X))
    weight[:100] = 0.0
    X[0, 0] = 1e9
    a = Statistics(columns).update(X, y, weight)
    b = Statistics(columns).update(X[100:], y[100:])
    assert (a.rows, a.high[0]) == (b.rows, b.high[0])
    assert np.allclose(a.moments().covariance, b.moments().covariance, rtol=1e-13)


def test_save_and_load_round_trip(tmp_path):
    X, y, columns = table(9, gaps=0.1)
    folds = collect(X, y, forward_chain(len(X), 3), columns, ("température",))
    folds.save(tmp_path / "a.stats.npz", {"data": "x.csv"})
    again = FoldStatistics.load(tmp_path / "a.stats.npz")
    assert (again.splits, again.forward, again.columns, again.targets) == (
        folds.splits,
        True,
        tuple(columns),
        ("température",),
    )
    for split in range(3):
        assert (again.training(split).moments().covariance == folds.training(split).moments().covariance).all()
    total = Statistics.load(tmp_path / "a.stats.npz")
    assert total.rows == 700
    assert (total.missing == folds.total.missing).all()
    more = again.total.merge(Statistics(columns, ("température",)).update(X, y))
    assert np.allclose(more.moments().covariance, total.moments().covariance, rtol=1e-12)
    with np.load(tmp_path / "a.stats.npz") as archive:  # any reader of .npz opens it
        assert b"edge-lasso-statistics/1" in bytes(archive["header"])[:60]
    folds.save(tmp_path / "b.stats.npz", {"data": "x.csv"})
    assert (tmp_path / "a.stats.npz").read_bytes() == (tmp_path / "b.stats.npz").read_bytes()


def test_every_damage_of_a_file_is_one_clear_error(tmp_path):
    X, y, columns = table(10, n=50)
    path = tmp_path / "a.stats.npz"
    Statistics(columns).update(X, y).save(path)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    bad = [b"", b"PK", good[:-1], good[: len(good) // 2], good + b"x", b"name,value\n1,2\n" * 100]
    for position in rng.integers(0, len(good), 150):
        flipped = bytearray(good)
        flipped[position] ^= 1 << int(rng.integers(8))
        bad.append(bytes(flipped))
    for data in bad:
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"a\.stats\.npz is not a statistics file or is damaged"):
            Statistics.load(path)


def test_other_names_are_refused():
    X, y, columns = table(11, n=20)
    a = Statistics(columns).update(X, y)
    with pytest.raises(DataError, match="'other' where 'c4' is needed"):
        a.merge(Statistics([*columns[:4], "other"]).update(X, y))
    with pytest.raises(DataError, match="'c0' stands twice"):
        Statistics(["c0", "c1"], ("c0",))
    assert a.hash != Statistics(columns, ("z",)).hash


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(X=np.zeros((3, 4))), r"X has shape \(3, 4\)"),
        (dict(y=np.zeros(9)), "y"),
        (dict(sample_weight=-np.ones(20)), "negative"),
        (dict(sample_weight=np.full(20, np.nan)), "non-finite"),
        (dict(sample_weight=np.ones(3)), "one weight a row"),
        (dict(X=np.full((20, 5), "a", dtype=object)), "not numbers"),
    ],
)
def test_bad_rows_are_refused(change, message):
    X, y, columns = table(12, n=20)
    with pytest.raises(DataError, match=message):
        Statistics(columns).update(**{"X": X, "y": y, **change})


def test_no_rows():
    X, _, columns = table(13, n=20)
    for statistics in (Statistics(columns), Statistics(columns).update(X, np.full(20, np.nan))):
        with pytest.raises(DataError, match="no rows with a known target"):
            statistics.moments()


def test_plans_are_those_of_scikit_learn():
    from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, RepeatedKFold, TimeSeriesSplit

    n = 103
    X, by_group = np.zeros((n, 1)), np.arange(n) // 10
    cases = [
        (5, KFold(5)),
        ("time", TimeSeriesSplit(5)),
        (TimeSeriesSplit(4, gap=3), TimeSeriesSplit(4, gap=3)),
        (TimeSeriesSplit(3, max_train_size=20), TimeSeriesSplit(3, max_train_size=20)),
        (KFold(3, shuffle=True, random_state=0), KFold(3, shuffle=True, random_state=0)),
        (
            RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
            RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        ),
        (GroupKFold(3), GroupKFold(3)),
        (LeaveOneGroupOut(), LeaveOneGroupOut()),
        (list(KFold(4).split(X)), KFold(4)),
    ]
    for cv, splitter in cases:
        groups = by_group if "Group" in type(splitter).__name__ else None
        plan = plan_folds(cv, n, X, None, groups)
        rows = [np.arange(n)[part] for part in plan.rows(n)]
        assert (
            plan.part_of(np.arange(n))[np.concatenate(rows)] == np.repeat(range(len(rows)), [*map(len, rows)])
        ).all()
        pairs = list(splitter.split(X, None, groups))
        assert len(plan.splits) == len(pairs)
        for parts, wanted in zip(plan.splits, pairs, strict=True):
            for side, index in zip(parts, wanted, strict=True):
                assert (np.sort(np.concatenate([rows[i] for i in side])) == np.sort(index)).all()


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (5, "4 rows are too few for cv=5"),
        ("time", "4 rows are too few"),
        (1, "needs 2 folds or more"),
        ("weekly", "'weekly'"),
        ([([0, 1], [1, 2])], "also training rows"),
        ([([0, 1], [7])], "names row 7"),
        ([([0, 1], [])], "without training rows or without held-out rows"),
    ],
)
def test_plans_that_cannot_be(cv, message):
    with pytest.raises(DataError, match=message):
        plan_folds(cv, 4)


def test_more_matrices_than_memory_are_refused_before_they_are_made():
    with pytest.raises(DataError, match=r"5 parts of 20000 columns need 14\.9 GB"):
        FoldStatistics([f"c{j}" for j in range(20_000)], ("y",), kfold(100, 5))
