"""Inputs that know the target, now or later."""

import numpy as np
import pandas
import pytest

from edge_lasso.training.options import Training
from edge_lasso.training.train_table import train_table


def table(n=3000, seed=0, **columns):
    rng = np.random.default_rng(seed)
    drive = rng.normal(size=n + 60)
    y = np.zeros(n + 60)
    for i in range(1, n + 60):
        y[i] = 0.9 * y[i - 1] + drive[i]
    found = {
        "time": pandas.date_range("2024-01-01", periods=n, freq="h").astype(str),
        "noisy": y[30:-30] + rng.normal(size=n),
        "near": y[30:-30] + 0.2 * rng.normal(size=n),
        "past": y[25:-35],
        "y": y[30:-30],
    }
    return pandas.DataFrame({**found, **{name: make(y, rng) for name, make in columns.items()}})


def notes(data, **options):
    return [
        note for note in train_table(data, "y", Training.of(time="time", **options)).notes if "leave it out" in note
    ]


def test_honest_inputs_are_not_named():
    assert notes(table()) == []


@pytest.mark.parametrize("lead", [1, 3, 24])
def test_the_target_of_later_is_named(lead):
    found = notes(table(later=lambda y, rng: y[30 + lead : len(y) - 30 + lead]))
    assert len(found) == 1
    assert f"input 'later' follows target 'y' of {lead} row{'s' * (lead > 1)} later (correlation 1.0000)" in found[0]


def test_also_scaled_noisy_with_gaps_and_in_any_order():
    def later(y, rng):
        x = 5.0 - 3.0 * (y[34:-26] + 0.05 * rng.normal(size=len(y) - 60))
        x[rng.random(len(x)) < 0.1] = np.nan
        return x

    data = table(later=later).sample(frac=1.0, random_state=0)
    assert ["of 4 rows later" in note for note in notes(data)] == [True]


def test_a_slow_series_resembles_its_neighbours_without_a_note():
    t = np.arange(3000)
    data = table().assign(
        y=np.sin(t / 300.0), slow=np.sin(t / 300.0) + 0.01 * np.random.default_rng(1).normal(size=3000)
    )
    assert not any("'slow' follows" in note for note in notes(data[["time", "slow", "y"]]))


def test_a_copy_is_named_as_a_copy():
    found = notes(table(copy=lambda y, rng: 2.0 * y[30:-30] + 1.0))
    assert len(found) == 1
    assert "'copy' has a correlation of 1.00000 with target 'y'" in found[0]


def test_without_times_nothing_is_later():
    data = table(later=lambda y, rng: y[33:-27]).drop(columns="time")
    assert not any("follows" in note for note in train_table(data, "y").notes)
