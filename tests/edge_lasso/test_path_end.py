"""Where paths end: they go on while that helps, as far as they were told where they were told."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from edge_lasso import LassoRegressor
from edge_lasso.paths.cross_validation import FARTHEST, next_decade, still_falls
from edge_lasso.paths.options import TrainOptions
from edge_lasso.training.options import Training
from edge_lasso.training.train_table import train_table


def spectra(n, p, seed=1):
    """Smooth, collinear columns: what matters is in small differences."""
    rng = np.random.default_rng(seed)
    grid = np.linspace(0.0, 1.0, p)
    peaks = np.exp(-(((grid - rng.uniform(0, 1, (8, 1))) / rng.uniform(0.05, 0.2, (8, 1))) ** 2))
    amount = rng.gamma(2.0, 1.0, size=(n, 8))
    X = amount @ peaks + 1e-3 * rng.normal(size=(n, p)) + 0.3 * rng.normal(size=(n, 1))
    return X, amount[:, 0] + 0.05 * rng.normal(size=n)


@pytest.mark.parametrize("p", [60, 250])
def test_a_path_goes_on_while_the_held_out_error_falls(p):
    X, y = spectra(300, p)
    far = LassoRegressor(select="min", refit=False).fit(X, y)
    near = LassoRegressor(select="min", refit=False, eps=1e-3).fit(X, y)
    assert far.path_.alphas[-1] < 0.11 * near.path_.alphas[-1]
    assert far.path_.alphas[-1] >= FARTHEST / 10.0 * far.path_.alphas[0]
    assert far.cv_error_ < near.cv_error_
    assert np.allclose(far.path_.alphas[: len(near.path_.alphas)], near.path_.alphas)
    assert far.optimality_gap_ < 1e-6


def test_a_path_that_needs_no_more_ends_where_others_end():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 10))
    model = LassoRegressor().fit(X, X[:, 0] + rng.normal(size=300))
    assert len(model.path_.alphas) == 100
    assert model.path_.alphas[-1] == pytest.approx(1e-3 * model.path_.alphas[0])


def test_a_choice_at_the_end_is_told():
    X, y = spectra(300, 60)
    table = pa.table({**{f"x{j}": column for j, column in enumerate(X.T)}, "y": y})
    for eps, told in ((1e-2, True), (None, False)):
        notes = train_table(table, "y", Training.of(method=TrainOptions(eps=eps))).notes
        assert any("held-out error still falls at the smallest alpha" in note for note in notes) == told


def test_the_next_decade_is_as_fine_as_the_last():
    alphas = np.geomspace(1.0, 1e-3, 100)
    more = next_decade(alphas)
    assert more[-1] == pytest.approx(1e-4, rel=0.05)
    assert more[0] / alphas[-1] == pytest.approx(alphas[1] / alphas[0])
    falling = np.geomspace(1.0, 0.5, 100)[None]
    assert still_falls(alphas, falling)
    assert not still_falls(alphas, falling[:, ::-1])
    assert not still_falls(alphas, np.zeros((0, 100)))
