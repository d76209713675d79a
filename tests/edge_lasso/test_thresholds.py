"""Rates of false alarms, against plants whose true rate is known from long simulations."""

import math
import re

import numpy as np
import pytest
from scipy.signal import lfilter

from edge_lasso.detecting.episodes import correlation_time, episode_rows, episodes
from edge_lasso.detecting.fit_detector import DetectorOptions, fit_detector
from edge_lasso.detecting.following import drifts
from edge_lasso.detecting.thresholds import (
    CONFIDENCE,
    SECONDS,
    Rate,
    automatic,
    find_threshold,
    found_rate,
    limits,
    parse_rate,
    upper_limit,
)
from edge_lasso.errors import DataError
from edge_lasso.predicting.predict_table import linear_rows
from edge_lasso.predicting.scores import scores as run

STEP = 180.0
PER_DAY = 480  # rows


def ewma(values, alpha):
    return lfilter([alpha], [1.0, alpha - 1.0], values, axis=0)


def ar(rng, rows, columns, phi):
    """Autoregressive noise of variance 1."""
    return lfilter([math.sqrt(1.0 - phi**2)], [1.0, -phi], rng.standard_normal((rows + 500, columns)), axis=0)[500:]


def plant(rng, rows):
    """Six sensors of two common, slow causes, each with autocorrelated noise."""
    causes = ar(rng, rows, 2, 0.95)
    mixing = np.array([[1.0, 1.0, 0.5, 0.0, -1.0, 0.3], [0.0, 0.5, 1.0, 1.0, 0.5, -1.0]])
    return causes @ mixing + 0.3 * ar(rng, rows, 6, 0.6)


def scores(rng, rows, phi, alpha=0.05):
    """Score of the chart ``both`` on autocorrelated residuals of four sensors, smoothed."""
    r = ar(rng, rows + 500, 4, phi)
    slow = ewma(r, alpha)
    q = (r**2 + slow**2 / slow[500:].var(axis=0)) / 2.0
    return ewma(q.mean(axis=1), alpha)[500:]


@pytest.fixture(scope="module")
def normal():
    """1.2 million rows that nothing was fitted to."""
    return plant(np.random.default_rng(1), 1_200_000)


@pytest.mark.slow
@pytest.mark.parametrize("rate", ["0.01", "0.03", "1/day", "4/week"])
def test_the_rate_found_on_new_rows_is_the_one_stated(rate, normal):
    rows = plant(np.random.default_rng(0), 250_000)
    names = tuple(f"s{j}" for j in range(6))
    options = DetectorOptions(max_coefs=15, rate=parse_rate(rate), step_seconds=STEP)
    fit = fit_detector(lambda: [rows], len(rows), names, names, {}, options)
    assert fit.threshold.kind == "rate"
    place = [names.index(one.name) for one in fit.model.inputs]
    watched = [names.index(sensor["reading"]) for sensor in fit.model.sections["detector/1"]["watched"]]
    residuals = normal[:, watched] - linear_rows(fit.model, normal[:, place])[0]
    new = run(residuals, fit.model.sections["detector/1"])[0]
    found, _, _, _ = found_rate(new[100:], fit.threshold.score, fit.threshold.rate, fit.threshold.hold, STEP)
    assert 1.0 / 1.5 < found / fit.threshold.rate.value < 1.5


@pytest.fixture(scope="module", params=[0.5, 0.9])
def long(request):
    """Strength of the autocorrelation, and a series long enough to tell the true rate of any threshold."""
    return request.param, scores(np.random.default_rng(2), 1_000_000, request.param)


def simulate(long, rate, rows, count):
    """Thresholds of `count` series, each with its true rate."""
    phi, series = long
    rng = np.random.default_rng(rows)
    found = [find_threshold(scores(rng, rows, phi), parse_rate(rate), STEP) for _ in range(count)]
    return [(one, true_rate(series, one)) for one in found]


def true_rate(series, threshold):
    above = series > threshold.score
    if threshold.rate.per == "row":
        return above.mean()
    return episodes(above, threshold.hold) / (len(series) * STEP / SECONDS[threshold.rate.per])


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "rows"), [("0.05", 70_000), ("1/day", 20_000)])
def test_intervals_contain_the_true_rate(rate, rows, long):
    made = simulate(long, rate, rows, 100)
    assert all(one.kind == "rate" for one, _ in made)
    assert np.mean([one.low <= true <= one.high for one, true in made]) >= 0.92
    assert np.mean([1.0 / 1.5 < true / one.rate.value < 1.5 for one, true in made]) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "rows"), [("0.01", 40_000), ("2/week", 20_000)])
def test_limits_are_upper_limits(rate, rows, long):
    made = simulate(long, rate, rows, 100)
    assert all(one.kind == "limit" and one.low == 0.0 and one.high <= one.rate.value for one, _ in made)
    assert np.mean([true <= one.rate.value for one, true in made]) >= 0.93


def clustered(rng, rows, count, phi=0.5):
    """Scores of `count` plants whose noise is large for days and small for weeks: a GARCH(1, 1) that all sensors share."""
    shape = (rows + 600, count)
    first, variance, size = rng.standard_normal(shape), np.ones(count), np.empty(shape)
    for t in range(len(first)):
        size[t] = np.sqrt(variance)
        variance = 0.02 + (0.1 * first[t] ** 2 + 0.88) * variance
    total = 0.0
    for noise in (first, *rng.standard_normal((3, *shape))):
        r = lfilter([math.sqrt(1.0 - phi**2)], [1.0, -phi], noise * size, axis=0)
        slow = ewma(r, 0.05)
        total = total + (r**2 + slow**2 / slow[600:].var()) / 8.0
    return ewma(total, 0.05)[600:].T


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "rows"), [("0.01", 40_000), ("0.05", 40_000), ("2/week", 20_000), ("1/day", 20_000)])
def test_what_is_stated_holds_where_noise_comes_in_clusters(rate, rows):
    rng = np.random.default_rng(rows)
    series = clustered(rng, 50_000, 16)
    simulations = []
    for row in clustered(rng, rows, 80):
        try:
            threshold = find_threshold(row, parse_rate(rate), STEP)
        except DataError:  # too few rows
            continue
        true = np.mean([true_rate(each, threshold) for each in series])
        simulations.append(threshold.low <= true <= threshold.high)
    assert len(simulations) > 50
    assert np.mean(simulations) >= CONFIDENCE - 2.0 * math.sqrt(CONFIDENCE * (1.0 - CONFIDENCE) / len(simulations))


@pytest.mark.parametrize(("growth", "found"), [(0.0, False), (0.33, True), (1.0, True)])
def test_noise_that_grows_smoothly_is_drift(growth, found):
    rng = np.random.default_rng(1)
    noise = scores(rng, 20_000, 0.5) * (1.0 + growth * np.arange(20_000) / 20_000) ** 2
    assert bool(drifts(noise)) == found


@pytest.mark.parametrize("rate", ["0.05", None])
def test_alarms_that_are_one_lie_within_an_hour_however_long_the_scores_hang_together(rate):
    slow = scores(np.random.default_rng(0), 40_000, 0.98)
    threshold = automatic(slow, STEP) if rate is None else find_threshold(slow, parse_rate(rate), STEP)
    assert correlation_time(slow) > 60
    assert threshold.hold == 20


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "rows"), [("0.01", 1000), ("0.01", 3000), ("2/week", 500)])
def test_a_refusal_says_how_many_rows_suffice(rate, rows):
    rng = np.random.default_rng(3)
    kinds = []
    for _ in range(8):
        with pytest.raises(DataError, match=f"^{rows:,} normal rows are too few for an alarm rate of") as refused:
            find_threshold(scores(rng, rows, 0.9), parse_rate(rate), STEP)
        least, enough = (int(one.replace(",", "")) for one in re.findall(r"about ([\d,]+)", str(refused.value)))
        kinds += [find_threshold(scores(rng, n, 0.9), parse_rate(rate), STEP).kind for n in (least, enough)]
    assert set(kinds[::2]) <= {"limit", "rate"}
    assert kinds[1::2].count("rate") >= 7  # the length of an alarm is known from few rows at first


def test_more_alarms_than_the_score_has_are_refused():
    with pytest.raises(DataError, match=r"an alarm rate of 20 per hour cannot be: .* more often than 0\.\d+ times per"):
        find_threshold(scores(np.random.default_rng(0), 20_000, 0.5), Rate(20.0, "hour"), STEP)


@pytest.mark.parametrize(("values", "said"), [([], "there are 0"), ([1.0, math.nan, 2.0], "there are 2")])
def test_scores_must_be_there(values, said):
    with pytest.raises(DataError, match=f"needs finite scores of normal rows; {said}"):
        find_threshold(np.array(values), Rate(0.01))


def test_a_rate_per_time_needs_the_time_between_rows():
    with pytest.raises(DataError, match="1 per day needs to know the time between rows; name their column with --time"):
        find_threshold(np.arange(10.0), Rate(1.0, "day"))


def test_constant_scores_give_no_alarms():
    found = find_threshold(np.ones(100_000), Rate(0.01))
    assert (found.score, found.found, found.events) == (1.0, 0.0, 0)


def test_a_section_has_what_the_model_file_takes():
    found = find_threshold(scores(np.random.default_rng(0), 20_000, 0.5), parse_rate("1/day"), STEP)
    assert found.section() == {
        "score": found.score, "row_rate": found.row_rate, "hold": found.hold, "rate": 1.0, "per": "day",
        "kind": "rate", "low": found.low, "high": found.high, "confidence": CONFIDENCE, "rows": 20_000,
        "events": found.events,
    }  # fmt: skip


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, 0.98])
def test_correlation_time_is_that_of_an_autoregression(phi):
    found = correlation_time(ar(np.random.default_rng(5), 400_000, 1, phi)[:, 0])
    assert found == pytest.approx((1.0 + phi) / (1.0 - phi), rel=0.1, abs=1.0)


def test_correlation_time_of_little_is_one():
    assert correlation_time(np.ones(1000)) == 1
    assert correlation_time(np.arange(5.0)) == 1


@pytest.mark.parametrize(("hold", "rows"), [(0, [1, 2, 1, 1]), (1, [3, 1, 1]), (2, [3, 2]), (9, [5])])
def test_rows_close_together_are_one_episode(hold, rows):
    above = np.array([0, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1]) > 0
    assert episode_rows(above, hold).tolist() == rows
    assert episodes(above, hold) == len(rows)


def test_no_rows_are_no_episode():
    assert episodes(np.zeros(5, dtype=bool), 2) == 0


def test_limits_are_garwoods():
    assert limits(0) == pytest.approx((0.0, 3.689), abs=1e-3)
    assert limits(10) == pytest.approx((4.795, 18.390), abs=1e-3)
    assert upper_limit(0) == pytest.approx(-math.log(0.05))


@pytest.mark.parametrize(
    ("text", "rate"),
    [("0.01", Rate(0.01)), (0.001, Rate(0.001)), (" 2 / week ", Rate(2.0, "week")), ("1e-3", Rate(0.001)),
     (Rate(1.0, "day"), Rate(1.0, "day"))],
)  # fmt: skip
def test_rates_are_read(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "0", "1", "-0.1", "nan", "inf", "1e999/day", "0/day", "-1/day", "1/fortnight", "2 per day", "1/", "1.2.3"],
)
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(DataError, match=r"give a part of the rows between 0 and 1, as 0\.001, or alarms per time"):
        parse_rate(text)
