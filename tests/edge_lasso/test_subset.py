"""Best subsets: what exhaustive search finds, with groups, signs, costs, twins, weights; what is proven holds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso import LassoRegressor
from edge_lasso.errors import DataError
from edge_lasso.paths.branch_and_bound import prove
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.problem import Problem
from edge_lasso.paths.subset import SubsetSearch


def problem(X, y, weight=None):
    """The standardized problem of rows."""
    w = np.ones(len(y)) / len(y) if weight is None else weight / weight.sum()
    Z, t = X - w @ X, y - w @ y
    scale = np.sqrt(w @ Z**2)
    constant = scale < 1e-12
    scale[constant] = 1.0
    Z = np.where(constant, 0.0, Z / scale)
    return Problem((Z.T * w) @ Z, (Z.T * w) @ t, float(w @ t**2), scale, constant, len(y))


def factors(seed, n=120, p=10, common=3, noise=0.5):
    """Rows that few factors explain: hard for single exchanges."""
    rng = np.random.default_rng(seed)
    X = noise * rng.normal(size=(n, p)) + rng.normal(size=(n, common)) @ rng.normal(size=(common, p))
    return X, X @ rng.normal(size=p) + rng.normal(size=n)


def residual(of, columns):
    columns = list(columns)
    gram = of.gram[np.ix_(columns, columns)]
    return of.yy - of.xy[columns] @ np.linalg.lstsq(gram, of.xy[columns], rcond=1e-10)[0]


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_the_proof_finds_what_exhaustive_search_finds(seed, size):
    of = problem(*factors(seed))
    search = SubsetSearch(of)
    search.run(size)
    least = min(residual(of, columns) for columns in combinations(range(10), size))
    proof = prove(of, search.best[size].columns)
    assert proof.exact
    assert proof.residual == pytest.approx(least, rel=1e-8)
    assert search.best[size].residual >= least * (1.0 - 1e-8)  # how far the search itself is off, nothing promises


def test_the_search_alone_mostly_finds_the_best():
    """Of a hundred problems that are hard for exchanges, whatever the draw."""
    off = 0
    for seed in range(100):
        of = problem(*factors(seed))
        search = SubsetSearch(of)
        search.run(2)
        off += search.best[2].residual > 1.01 * min(residual(of, columns) for columns in combinations(range(10), 2))
    assert off <= 2


def test_a_proof_that_is_cut_short_tells_a_bound_that_holds():
    of = problem(*factors(4, p=14))
    least = min(residual(of, columns) for columns in combinations(range(14), 4))
    cut = prove(of, np.array([0, 1, 2, 3]), work=1.0)
    assert not cut.exact
    assert cut.bound <= least * (1.0 + 1e-9)


def test_twins_constants_and_few_rows_are_no_obstacle():
    X, y = factors(1, n=30, p=8)
    X = np.column_stack([X, X[:, 0], 2.0 * X[:, 1] + 3.0, np.ones(30)])
    of = problem(X, y)
    search = SubsetSearch(of)
    search.run(20)
    assert max(search.best) <= 8
    for size, support in search.best.items():
        assert len(support.columns) == size
        assert 10 not in support.columns
        assert support.residual == pytest.approx(residual(of, support.columns), rel=1e-9)
    full = prove(of, search.best[3].columns)  # columns depend on each other: the bound of all of them
    assert full.bound == pytest.approx(residual(of, range(8)), rel=1e-8)


def test_groups_come_whole_and_every_single_change_is_exact():
    X, y = factors(2, p=12)
    of, owners = problem(X, y), [(j // 3,) for j in range(12)]
    search = SubsetSearch(of, owners)
    search.run(3)
    for size in (1, 2, 3):
        least = min(residual(of, [j for j in range(12) if j // 3 in units]) for units in combinations(range(4), size))
        assert search.best[size].residual == pytest.approx(least, rel=1e-9)
    support, (others,) = search.best[1], search.best[1].chosen
    gains, change = search.best[1].gains(), search.best[1].exchanges()
    for unit in set(range(4)) - {int(others)}:
        both = residual(of, [j for j in range(12) if j // 3 in (unit, others)])
        assert support.residual - gains[unit] == pytest.approx(both, rel=1e-6)
        alone = residual(of, [j for j in range(12) if j // 3 == unit])
        assert support.residual - change[0, unit] == pytest.approx(alone, rel=1e-6)


def test_products_need_the_inputs_they_read():
    X, y = factors(3, p=3)
    products = [(i, j) for i in range(3) for j in range(i, 3)]
    wide = np.column_stack([X, *(X[:, i] * X[:, j] for i, j in products)])
    y = y + X[:, 0] * X[:, 2]
    owners = [(0,), (1,), (2,), *(tuple(sorted({i, j})) for i, j in products)]
    of = problem(wide, y)
    search = SubsetSearch(of, owners)
    search.run(2)
    for size in (1, 2):
        least = min(
            residual(of, [j for j, units in enumerate(owners) if set(units) <= set(chosen)])
            for chosen in combinations(range(3), size)
        )
        assert search.best[size].residual == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_signs_hold_and_the_best_that_obeys_them_is_found(seed):
    X, y = factors(seed, p=7)
    of, signs = problem(X, y), np.array([1, -1, 0, 1, -1, 0, 1])
    search = SubsetSearch(of, signs=signs)
    search.run(3)

    def obeys(columns):
        gram = of.gram[np.ix_(columns, columns)]
        return (np.linalg.solve(gram, of.xy[list(columns)]) * signs[list(columns)] >= 0.0).all()

    for size, support in search.best.items():
        assert (support.coef * signs[support.columns] >= 0.0).all()
        allowed = [residual(of, columns) for columns in combinations(range(7), size) if obeys(columns)]
        assert support.residual <= 1.05 * min(allowed, default=np.inf)


def test_a_dear_column_gives_way_to_a_cheap_one_that_is_almost_as_good():
    rng = np.random.default_rng(0)
    cheap = rng.normal(size=400)
    X = np.column_stack(
        [cheap + 0.05 * rng.normal(size=400), cheap + 0.08 * rng.normal(size=400), rng.normal(size=400)]
    )
    y = cheap + 0.5 * X[:, 2] + 0.1 * rng.normal(size=400)
    free, charged = SubsetSearch(problem(X, y)), SubsetSearch(problem(X, y), costs=np.array([30.0, 1.0, 1.0]))
    free.run(2)
    charged.run(2)
    assert free.best[2].columns.tolist() == [0, 2]
    assert charged.best[2].columns.tolist() == [1, 2]


def test_weights_count():
    X, y = factors(5)
    weight = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    twice = np.repeat(np.arange(len(y)), weight.astype(int))
    a = LassoRegressor(method="subset", max_inputs=3, cv=0, select="bic").fit(X, y, weight)
    b = LassoRegressor(method="subset", max_inputs=3, cv=0, select="ebic").fit(X[twice], y[twice])
    assert a.method_ == b.method_ == "best subset"
    assert np.allclose(a.coef_, b.coef_, rtol=1e-8, atol=1e-10)


def test_a_budget_takes_the_best_subset_where_the_lasso_is_misled():
    """Two columns whose difference matters: the lasso takes the proxy first (the case of RH_1)."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 3000))
    shared = 5.0 * rng.normal(size=3000)
    y = a - b + 0.1 * rng.normal(size=3000)
    X = np.column_stack([shared + a, shared + b, *(y[:, None] + 1.0 * rng.normal(size=(3000, 6))).T])
    model = LassoRegressor(max_inputs=2).fit(X, y)
    assert model.method_ == "best subset"
    assert model.coef_.nonzero()[0].tolist() == [0, 1]
    assert model.optimality_gap_ == 0.0
    assert LassoRegressor(max_inputs=2, refit=False).fit(X, y).method_ == "lasso"


def test_useless_inputs_are_not_handed_out():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 12))
    y = X[:, 3] - 2.0 * X[:, 7] + 0.5 * rng.normal(size=500)
    assert LassoRegressor(max_inputs=8).fit(X, y).coef_.nonzero()[0].tolist() == [3, 7]


def test_the_same_for_any_number_of_threads():
    X, y = factors(9, n=400, p=30)
    one, four = (LassoRegressor(max_inputs=6, n_jobs=jobs).fit(X, y) for jobs in (1, 4))
    assert (one.coef_ == four.coef_).all()


def test_bad_input_is_one_clear_line():
    X, y = factors(0, p=12)
    with pytest.raises(DataError, match="max_inputs is 0; it must be 1 or more"):
        TrainOptions(method="subset", max_inputs=0)
    with pytest.raises(DataError, match="groups must be 12 whole numbers"):
        LassoRegressor(method="subset", max_inputs=3, sensors=[0, 0]).fit(X, y)
    with pytest.raises(DataError, match="signs must be 12 of -1, 0 and 1"):
        LassoRegressor(method="subset", max_inputs=3, signs=[2] * 12).fit(X, y)


def test_more_inputs_than_columns_and_few_rows():
    X, y = factors(0, n=60, p=4)
    assert LassoRegressor(max_inputs=50).fit(X, y).fit_.n_inputs <= 4
    twins = np.column_stack([X[:, 0]] * 5)
    assert LassoRegressor(max_inputs=3).fit(twins, y).fit_.n_inputs <= 1
    few = np.zeros(60)
    few[:6] = 1.0  # fewer rows with a weight than inputs asked for
    model = LassoRegressor(max_inputs=8, cv=[(np.arange(0, 60, 2), np.arange(1, 60, 2))])
    assert model.fit(np.random.default_rng(0).normal(size=(60, 9)), y, few).fit_.n_inputs <= 4
    with pytest.raises(DataError, match="too few for cv=5"):
        LassoRegressor(max_inputs=2).fit(X[:2], y[:2])
