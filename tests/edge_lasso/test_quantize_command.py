"""`edge-lasso quantize`: ranges, counts and what clamping costs, from the command line."""

import json
import random
from types import SimpleNamespace

import pytest

from edge_lasso.commands.main import main
from edge_lasso_runtime import Factor, Input, Model, Output, Term, load, save
from edge_lasso_runtime.fixed_point import INT16, reach


@pytest.fixture
def files(tmp_path):
    """A model and 1,000 rows, two of them with absurd readings."""
    inputs = (
        Input("t", 0, 20.0, -10.0, 50.0, "C"),
        Input("adc", 2, 1.0, 0.0, 3.3),
        Input("k", 3, None, None, None, "", ("p", "q")),
    )
    terms = (Term(0.1, (Factor(0),)), Term(2.0, (Factor(1),)), Term(1.0, (Factor(2, 1),)))
    save(Model(("t", "n", "adc", "k"), inputs, (Output("y", 0.3, terms, unit="V"),)), tmp_path / "model.json")
    source = random.Random(0)
    rows = [f"{source.gauss(20, 5)},1,{source.uniform(0, 3.3)},{source.choice('pq')}" for _ in range(1000)]
    rows[10], rows[20] = "999,1,1.5,p", ",1,-7,q"
    (tmp_path / "data.csv").write_text("\n".join(["t,n,adc,k", *rows]) + "\n")
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command in the files' folder."""

    def one(files, *arguments):
        monkeypatch.chdir(files)
        capsys.readouterr()
        code = main(["quantize", "model.json", *arguments])
        found = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=found.out, stderr=found.err)

    return one


def test_the_bound_and_effective_bits_are_printed(run, files, capsys):
    done = run(files, "--to", "int16", "--out", "int16.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "error at most" in done.stdout
    assert "effective bits" in done.stdout
    told = json.loads(run(files, "--to", "int16", "--out", "int16.json", "--json").stdout)
    assert 8.0 < told["effective_bits"][0] < 24.0
    assert load(files / "model.json").sections == {}
    assert main(["show", "int16.json"]) == 0
    assert "clamp in integers, else extrapolate" in capsys.readouterr().out


def test_float_storage_tells_its_bound(run, files):
    done = run(files, "--to", "float16", "--out", "f16.json")
    bound = load(files / "f16.json").provenance["quantized"]["bounds"][0]
    assert f"coefficients rounded to float16, proven error at most {bound:.4g}"[:50] in done.stdout
    assert "None" not in done.stdout


def test_what_clamping_costs_is_counted_on_data(run, files):
    done = run(files, "--data", "data.csv", "--out", "q.json")
    assert done.returncode == 0, done.stderr
    assert "of 1,000 rows 2 (0.2 %) have a reading outside its range" in done.stdout
    assert "y: clamping changes it by up to " in done.stdout
    told = json.loads(run(files, "--data", "data.csv", "--out", "q.json", "--json").stdout)["saturation"]
    assert (told["rows"], told["rows_affected"]) == (1000, 2)
    assert told["above"]["t"] == told["below"]["adc"] == told["missing"]["t"] == 1
    assert told["largest"][0] == pytest.approx(0.1 * (999.0 - 56.0))


def test_quantiles_give_the_ranges(run, files):
    done = run(files, "--data", "data.csv", "--quantiles", "0.01:0.99", "--range", "adc=0:5", "--out", "q.json")
    assert done.returncode == 0, done.stderr
    t, adc, _ = load(files / "q.json").inputs
    assert 5.0 < t.low < 12.0 < 28.0 < t.high < 35.0
    assert (adc.low, adc.high) == (0.0, 5.0)


def test_margin(run, files):
    assert run(files, "--margin", "0.5", "--out", "q.json").returncode == 0
    assert (load(files / "q.json").inputs[0].low, load(files / "q.json").inputs[0].high) == (-40.0, 80.0)


def test_a_result_of_sixteen_bits(run, files):
    assert run(files, "--result-bits", "16", "--out", "q.json").returncode == 0
    section = load(files / "q.json").sections["fixed_point/1"]
    output = section["outputs"][0]
    assert output["shift"] > 0
    assert reach(section["inputs"], output) >> output["shift"] <= INT16


def test_counts_of_a_sensor(run, files):
    done = run(files, "--raw", "adc=0.000805861:0", "--margin", "0", "--out", "q.json")
    assert done.returncode == 0, done.stderr
    assert "sensors' counts" in done.stdout
    assert "0 to 4095" in done.stdout
    model = load(files / "q.json")
    assert model.inputs[1].raw == (0.000805861, 0.0)
    assert model.sections["fixed_point/1"]["inputs"][1]["scale"] == pytest.approx(1.0 / 0.000805861)


def test_a_coefficient_that_rounds_to_zero_is_told(run, files):
    model = load(files / "model.json")
    terms = (*model.outputs[0].terms[:1], Term(1e-9, (Factor(1),)), model.outputs[0].terms[2])
    save(model.replace(outputs=(model.outputs[0].replace(terms=terms),)), files / "model.json")
    done = run(files, "--to", "int8", "--out", "q.json")
    assert done.returncode == 0
    assert "note: the coefficient of y: adc rounds to 0 and is left out; the bound holds what that costs" in done.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (("--quantiles", "0.1:0.9"), "--quantiles are of the readings in --data DATA, which is missing"),
    (("--data", "data.csv", "--quantiles", "0.9:0.1"), "quantiles '0.9:0.1' are not LOW:HIGH between 0 and 1"),
    (("--range", "t=50:50"), "the range 50.0 to 50.0 of input 't' is empty"),
    (("--range", "t=50:0"), "the range 50.0 to 0.0 of input 't' is inverted"),
    (("--range", "t=0:inf"), "the range 0.0 to inf of input 't' is not finite"),
    (("--raw", "adc=0:1"), "the raw scale of 'adc' is 0.0:1.0"),
    (("--raw", "adc=1e-9"), "do not fit 16 bits"),
    (("--range", "t=-50:50", "--range", "t=-60:60"), "--range is given twice for 't'"),
    (("--to", "float16", "--result-bits", "16"), "an int16 result goes with fixed point"),
    (("--result-bits", "8"), "result_bits is 8; allowed are 32, 16"),
    (("--max-error", "1e-9"), "an error of at most 1e-09 cannot be proven; the best bound is "),
])  # fmt: skip
def test_refused_in_one_line(run, files, arguments, message):
    before = (files / "model.json").read_bytes()
    done = run(files, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (files / "model.json").read_bytes() == before


@pytest.mark.parametrize("to", ["float16", "int16"])
def test_rounded_coefficients_are_not_quantized_again(run, files, to):
    assert run(files, "--to", "float16").returncode == 0  # in place: what was trained is gone
    done = run(files, "--to", to)
    assert done.returncode == 2
    assert "the coefficients are rounded to float16 already; " in done.stderr
    assert len(done.stderr.splitlines()) == 1
