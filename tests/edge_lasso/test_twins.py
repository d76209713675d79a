"""Duplicated columns under signs, differences that are lost, criteria where columns are many."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pyarrow as pa
import pytest

from edge_lasso import LassoRegressor
from edge_lasso.errors import DataError
from edge_lasso.training.train_table import train_table


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 300))
    return x, z, 2.0 * x + z + 0.1 * rng.normal(size=300)


@pytest.mark.parametrize("options", [{}, {"select": "min"}, {"max_inputs": 2}, {"method": "subset"}])
def test_a_twin_that_may_do_what_the_other_may_not_is_no_twin(rows, options):
    x, z, y = rows
    for columns, signs in (
        ([x, x, z], {"signs": [-1, 1, 0]}),
        ([-x, x, z], {"positive": True}),
        ([-x, x, z], {"signs": [1, 0, 0]}),
    ):
        model = LassoRegressor(**signs, **options).fit(np.column_stack(columns), y)
        assert model.coef_[0] == 0.0
        assert model.coef_[1] == pytest.approx(2.0, abs=0.1)
        assert model.optimality_gap_ < 1e-6


def test_twins_with_the_same_rights_are_one(rows):
    x, z, y = rows
    model = LassoRegressor(signs=[1, 1, 0]).fit(np.column_stack([x, 3.0 * x, z]), y)
    assert (model.coef_ != 0.0).tolist() == [True, False, True]
    assert model.fit_.dependent == ("x1",)


def test_a_difference_that_least_squares_can_use_is_used_and_a_smaller_one_is_named():
    rng = np.random.default_rng(0)
    b, e, z = rng.normal(size=(3, 2000))
    for size, told in ((1e-3, False), (1e-6, True)):
        X = np.column_stack([b + size * e, b, z])
        with pytest.warns(UserWarning, match="'x0' and 'x1' differ by less") if told else nullcontext():
            model = LassoRegressor().fit(X, X[:, 0] - X[:, 1])
        assert (model.score(X, X[:, 0] - X[:, 1]) > 0.999) != told
        table = pa.table({"a": X[:, 0], "b": X[:, 1], "z": z, "y": X[:, 0] - X[:, 1]})
        notes = train_table(table, "y").notes
        assert any("inputs 'a' and 'b' differ by less than" in note for note in notes) == told


@pytest.mark.parametrize("shape", [(50, 100), (50, 49), (60, 400)])
def test_criteria_do_not_take_noise_for_a_model(shape):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=shape), rng.normal(size=shape[0])
    assert LassoRegressor(select="ebic", cv=0).fit(X, y).fit_.n_inputs == 0
    if shape[1] >= shape[0]:
        for rule in ("aic", "bic"):
            with pytest.raises(
                DataError, match=f"select '{rule}' tells nothing with {shape[1]} columns for {shape[0]}"
            ):
                LassoRegressor(select=rule, cv=0).fit(X, y)
