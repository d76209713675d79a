"""Missing inputs: estimates and what they cost, against refitting on the rows."""

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from edge_lasso.compressing.prune import prune
from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.predicting.estimates import missing_losses
from edge_lasso.predicting.predict_table import predict_table
from edge_lasso.tables.series import lags
from edge_lasso.training.missing import estimate_section, held_out_errors, with_estimate
from edge_lasso.training.options import Training
from edge_lasso.training.train_table import train_table
from edge_lasso_runtime import dumps, loads, predict
from edge_lasso_runtime.step import interval, start, step

ALL = TrainOptions(select="min", method="relaxed")
PLAIN = TrainOptions(select="aic", method="relaxed")


def plant(rows=3000, seed=0, twin=False):
    """Five sensors of two hidden causes; with `twin`, a copy of the first."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2)) @ rng.normal(size=(2, 5)) + 0.3 * rng.normal(size=(rows, 5)) + np.arange(5.0)
    y = x @ [1.0, -2.0, 0.5, 1.5, -1.0] + 0.4 * rng.normal(size=rows)
    columns = {f"s{j}": x[:, j] for j in range(5)}
    if twin:
        columns["s0b"] = x[:, 0]
    return pa.table({**columns, "y": y})


def errors(x, y, lost):
    """Mean squared error of least squares with and without some inputs."""
    kept = [j for j in range(x.shape[1]) if j not in lost]
    found = []
    for columns in (range(x.shape[1]), kept):
        A = np.c_[x[:, columns], np.ones(len(x))]
        found.append(np.mean((y - A @ np.linalg.lstsq(A, y, rcond=None)[0]) ** 2))
    return found


def test_the_cost_of_a_missing_input_is_that_of_refitting_without_it():
    table = plant()
    result = train_table(table, "y", Training.of(cv=0, method=PLAIN))
    section = result.model.sections["estimate/1"]
    x, y = np.column_stack([table[f"s{j}"] for j in range(5)]), table["y"].to_numpy()
    assert section["residual"][0] == pytest.approx(errors(x, y, [])[0], rel=1e-6)
    for j in range(5):
        with_, without = errors(x, y, [j])
        assert section["loss"][j] == pytest.approx(without - with_, rel=1e-4)
        estimated, plain = missing_losses(result.model)[f"s{j}"]
        assert estimated == pytest.approx(100.0 * (without - with_) / with_, rel=1e-4)
        w = result.model.outputs[0].terms[j].coef
        assert plain == pytest.approx(100.0 * w**2 * x[:, j].var() / with_, rel=1e-4)


def test_a_board_with_a_missing_input_errs_as_predicted():
    whole = plant(6000)
    table, fresh = whole.slice(0, 3000), whole.slice(3000)
    model = loads(dumps(train_table(table, "y", Training.of(method=ALL)).model))
    x, y = np.column_stack([fresh[f"s{j}"] for j in range(5)]), fresh["y"].to_numpy()
    section = model.sections["estimate/1"]
    for j in range(5):
        state, errors_found, plain = start(model), [], []
        for row, truth in zip(x[:800].tolist(), y, strict=False):
            row[j] = None
            result, state = step(model, state, row)
            errors_found.append(result.values[0] - truth)
            plain.append(predict(model, row).values[0] - truth)
        found = np.mean(np.square(errors_found))
        assert found == pytest.approx(section["residual"][0] + section["loss"][j], rel=0.2)
        assert found < np.mean(np.square(plain))
        assert result.widths[0] == pytest.approx((1.0 + section["loss"][j] / section["residual"][0]) ** 0.5, rel=1e-6)


def test_a_sensor_and_its_copy_replace_each_other():
    model = loads(dumps(train_table(plant(twin=True), "y", Training.of(cv=0, method=PLAIN)).model))
    folds = train_table(plant(twin=True), "y", Training.of(cv=0, method=PLAIN)).folds
    first = model.inputs[0]
    both = (first, first.replace(name="s0b", column=5), *model.inputs[1:])
    moved = tuple(
        term.replace(factors=tuple(one.replace(input=one.input + (one.input > 0)) for one in term.factors))
        for term in model.outputs[0].terms
    )
    twins = model.replace(inputs=both, outputs=(model.outputs[0].replace(terms=moved),), sections={})
    twins = loads(dumps(with_estimate(twins, folds, [0.16])))
    whole = [0.7, 0.7, 1.0, 2.5, 3.0, 3.0]
    want, _ = step(twins, start(twins), whole)
    found, _ = step(twins, start(twins), [None, *whole[1:]])
    assert found.values == pytest.approx(want.values, abs=1e-4)
    assert twins.sections["estimate/1"]["loss"][0] < 1e-4


def test_a_lost_sensor_takes_what_is_computed_from_it_along():
    rng = np.random.default_rng(0)
    u, v = np.zeros(2000), rng.normal(size=2000)
    for t in range(1, 2000):
        u[t] = 0.8 * u[t - 1] + rng.normal()
    y = u + 2.0 * np.r_[0.0, u[:-1]] + 0.5 * v + 0.3 * rng.normal(size=2000)
    model = train_table(pa.table({"u": u, "v": v, "y": y}), "y", Training.of(past=lags(1, ["u"]), method=ALL)).model
    assert [one.name for one in model.inputs] == ["u", "v", "u.lag1"]
    losses = missing_losses(model)
    assert losses["u"][0] > 5.0 * losses["u.lag1"][0]
    section = model.sections["estimate/1"]
    assert section["loss"][0] == pytest.approx(section["residual"][0] * losses["u"][0] / 100.0, rel=1e-6)
    assert losses["u"][0] == pytest.approx(losses["u"][1], rel=0.01)  # v knows nothing of u


def test_the_output_does_not_estimate_its_own_inputs():
    rng = np.random.default_rng(0)
    y, v = np.zeros(2000), rng.normal(size=2000)
    for t in range(1, 2000):
        y[t] = 0.8 * y[t - 1] + v[t] + 0.3 * rng.normal()
    model = train_table(pa.table({"v": v, "y": y}), "y", Training.of(inputs=["v", "y"], past=lags(1), method=ALL)).model
    names = [one.name for one in model.inputs]
    at = names.index("y")
    section, k = model.sections["estimate/1"], len(names)
    inverse = np.zeros((k, k))
    inverse[np.tril_indices(k)] = section["inverse"]
    assert np.count_nonzero(inverse[at]) == 1
    assert not inverse[at + 1 :, at].any()
    assert section["loss"][at] > 0.0  # its past is an input


def test_pruning_computes_the_section_anew():
    table = plant()
    result = train_table(table, "y", Training.of(method=ALL))
    small = prune(result.model, result.folds, max_inputs=3)
    kept = [int(one.name[1:]) for one in small.inputs]
    assert len(kept) == 3
    x, y = np.column_stack([table[f"s{j}"] for j in kept]), table["y"].to_numpy()
    section = small.sections["estimate/1"]
    assert section["residual"][0] == pytest.approx(errors(x, y, [])[0], rel=0.02)
    assert section["loss"][0] == pytest.approx(np.subtract(*errors(x, y, [0])[::-1]), rel=1e-3)
    assert "estimate/1" not in prune(result.model, result.folds, max_inputs=1).sections
    assert loads(dumps(small)) == small
    wanted = held_out_errors(small, result.folds)
    assert section["residual"] == pytest.approx(wanted, rel=1e-5)  # the model trained may be all but least squares


def test_several_outputs_have_each_their_own():
    table = plant()
    table = table.append_column("z", pa.array(table["s1"].to_numpy() - table["s2"].to_numpy()))
    rng = np.random.default_rng(3)
    table = table.set_column(6, "z", pa.array(table["z"].to_numpy() + rng.normal(size=3000)))
    result = train_table(table, ["y", "z"], Training.of(method=ALL))
    section = result.model.sections["estimate/1"]
    assert section["residual"] == pytest.approx([0.16, 1.0], rel=0.1)
    assert section["loss"] == estimate_section(result.model, result.folds, section["residual"])["loss"]
    assert missing_losses(result.model, 1)["s0"][0] < missing_losses(result.model, 0)["s0"][0]
    small = prune(result.model, result.folds, max_inputs=4)
    assert len(small.sections["estimate/1"]["loss"]) == 8


def test_what_cannot_be_estimated_is_said():
    for options, message in (
        ({"degree": 2}, "it has products of inputs"),
        ({"inputs": ["s1"]}, "it has 1 input of numbers; 2 to 64 are possible"),
    ):
        assert "estimate/1" not in train_table(plant(), "y", Training.of(**options)).model.sections
        with pytest.raises(DataError, match=message):
            train_table(plant(), "y", Training.of(sections=["estimate"], **options))
    with pytest.raises(DataError, match="its 5 inputs were seen in 15 rows only"):
        train_table(plant(15), "y", Training.of(sections=["estimate"], cv=0, method=PLAIN))
    with pytest.raises(DataError, match="'status' is unknown; allowed are estimate, health, drift, or none"):
        train_table(plant(), "y", Training.of(sections=["status"]))
    assert train_table(plant(), "y", Training.of(sections=[])).model.sections == {}


@pytest.mark.parametrize("past", [(), lags(1, ["s0", "s1"])], ids=["no past", "lags"])
@pytest.mark.parametrize("policy", ["extrapolate", "clamp"])
def test_a_table_is_predicted_as_a_board_would_row_by_row(tmp_path, policy, past):
    table = plant(2000)
    model = train_table(
        table, "y", Training.of(holdout=0.3, interval=0.9, past=past, sections=["estimate"], method=ALL)
    )
    model = model.model.replace(policy=policy)
    x = np.column_stack([table[f"s{j}"] for j in range(5)])[:300] * 1.5
    x[np.random.default_rng(1).random(x.shape) < 0.4] = np.nan
    x[0] = np.nan
    state, want, ends = start(model), [], []
    for row in x.tolist():
        result, state = step(model, state, row)
        want.append(result.values[0])
        ends.append(interval(model, result)[0])
    gappy = pa.table({f"s{j}": x[:, j] for j in range(5)})
    predict_table(model, gappy, tmp_path / "out.csv", interval=True, estimate=True)
    found = pa.csv.read_csv(tmp_path / "out.csv")
    np.testing.assert_allclose(found["y"].to_numpy(), want, rtol=1e-9)
    np.testing.assert_allclose(np.column_stack([found["y low"], found["y high"]]), ends, rtol=1e-9)
    assert found["status"].to_pylist()[0] == "degraded"
    with pytest.raises(DataError, match="the model cannot estimate missing inputs; train it with --sections estimate"):
        predict_table(model.replace(sections={}), gappy, estimate=True)
