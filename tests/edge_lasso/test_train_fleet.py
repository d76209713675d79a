"""What boards learn, merged: the model of all their rows in one table, and nothing else leaves a board."""

import csv
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_lasso import train
from edge_lasso.errors import DataError
from edge_lasso.statistics.boards import board_files
from edge_lasso.training.train_fleet import train_fleet
from edge_lasso_runtime import Factor, Input, Model, Output, Term, dumps, load, loads, save
from edge_lasso_runtime.learn import Learner
from edge_lasso_runtime.rows import RowError
from edge_lasso_runtime.step import start, step

NAMES = ("t", "h", "p", "u", "v")
KINDS = ("dry", "fog", "wet")


def seed_model(lag=False):
    """What the boards run before anything was trained: it names inputs and the output."""
    inputs = [Input(name, i, 0.0, -1.0, 1.0) for i, name in enumerate(NAMES)]
    inputs.append(Input("kind", 5, None, None, None, categories=KINDS))
    terms = [Term(1.0, (Factor(i),)) for i in range(5)] + [Term(1.0, (Factor(5, 0),))]
    if lag:
        inputs = [Input("t", 0, 0.0, -1.0, 1.0), Input("t lag 2", 1, 0.0, -1.0, 1.0, stream=("lag", "t", 2))]
        terms = [Term(1.0, (Factor(0),)), Term(1.0, (Factor(1),))]
    model = Model(tuple(each.name for each in inputs), tuple(inputs), (Output("y", 0.0, tuple(terms)),))
    return loads(dumps(model))


def board_rows(board, count=240):
    rng = random.Random(board)
    rows = []
    for _ in range(count):
        t, h, p = rng.gauss(20 + board, 5), rng.uniform(20, 90), rng.gauss(101325, 300)
        kind = rng.choice(KINDS)
        y = 0.3 * t - 0.05 * h + 0.002 * (p - 101325) + (2.0 if kind == "dry" else 0.0) + rng.gauss(0, 0.5)
        rows.append({"t": t, "h": h, "p": p, "u": rng.gauss(0, 1), "v": rng.gauss(0, 1), "kind": kind, "y": y})
    return rows


def run(*arguments, data="", status=0):
    command = [sys.executable, "-m", "edge_lasso_runtime", *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stderr


def close(a, b, scale=1.0):
    return abs(a - b) <= 1e-10 * max(abs(a), abs(b), scale)


def same(fleet, pooled):
    """Inputs, defaults, ranges and coefficients, to 1e-10."""
    assert [each.name for each in fleet.inputs] == [each.name for each in pooled.inputs]
    for a, b in zip(fleet.inputs, pooled.inputs, strict=True):
        assert (a.low, a.high, a.categories, a.stream) == (b.low, b.high, b.categories, b.stream)
        assert a.default == b.default or close(a.default, b.default)
    for a, b in zip(fleet.outputs, pooled.outputs, strict=True):
        assert [term.factors for term in a.terms] == [term.factors for term in b.terms]
        assert all(close(x.coef, y.coef, 0.0) for x, y in zip(a.terms, b.terms, strict=True))
        assert close(a.intercept, b.intercept, sum(abs(t.coef) for t in b.terms) * 1e5)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Three boards that ran `predict`, `score` from CSV and `score` from JSON lines; and all their rows in one table."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "boards").mkdir()
    save(seed_model(), folder / "model.json")
    everything = []
    for board in range(3):
        rows = board_rows(board)
        everything += [{**row, "board": f"gw{board}"} for row in rows]
        lost = [{**rows[0], "h": None}, {**rows[1], "y": None}]  # incomplete, or without truth: they do not count
        data, learned = folder / f"{board}.csv", folder / "boards" / f"gw{board}.json"
        with open(data, "w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows([*rows, *lost])
        if board == 0:
            run("predict", folder / "model.json", data, "--learn", learned)
        elif board == 1:
            run("score", folder / "model.json", data, "--learn", learned, "--state", folder / "state.json")
        else:
            lines = "".join(json.dumps(row) + "\n" for row in [*lost, *rows])
            run("score", folder / "model.json", "--learn", learned, data=lines)
    with open(folder / "all.csv", "w", newline="") as file:
        table = csv.DictWriter(file, list(everything[0]))
        table.writeheader()
        table.writerows(everything)
    return folder


@pytest.mark.parametrize("options", [{}, {"max_inputs": 2}, {"method": "subset"}, {"l1_ratio": 0.5, "select": "min"}])
def test_the_model_is_that_of_all_rows_with_a_fold_per_board(fleet, options):
    from edge_lasso.paths.options import TrainOptions

    result = train_fleet(str(fleet / "boards" / "*.json"), TrainOptions(**options))
    pooled = train(fleet / "all.csv", "y", group="board", categorical=["kind"], **options)
    same(result.model, pooled.model)
    assert close(result.fits[0].cv_error, pooled.fits[0].cv_error)
    assert list(result.model.sections) == list(pooled.model.sections)
    if "max_inputs" not in options:  # with one number there is no other to estimate it from
        a, b = (model.sections["estimate/1"]["inverse"] for model in (result.model, pooled.model))
        assert a == pytest.approx(b, rel=1e-7)  # written with nine digits
    assert result.model.provenance["data"]["boards"][1]["rows"] == 240


def test_nothing_of_a_row_is_in_a_file(fleet):
    """Numbers of rows are there as the ranges' ends alone: two a column."""
    text = (fleet / "boards" / "gw1.json").read_text()
    content = json.loads(text)["content"]
    assert len(content["products"]) == 9 * 10 // 2
    ends = {*content["low"], *content["high"]}
    numbers = {row[name] for row in board_rows(1) for name in (*NAMES, "y")}
    shown = {number for number in numbers if repr(number) in text}
    assert shown <= ends
    assert len(shown) == 12


def test_rows_that_look_back_count_once_what_they_look_at_is_there(tmp_path):
    model = seed_model(lag=True)
    learner, state = Learner(model, str(tmp_path / "b.json")), start(model)
    readings = [float(i % 7) for i in range(150)]
    for i, t in enumerate(readings):
        row = {"t": None if i == 50 else t, "y": 2.0 * readings[i - 2] + 1.0}
        result, _ = step(model, state, row)
        learner.follow(state, result, [row["y"]])
    assert learner.rows == 150 - 2 - 3  # not the first two, not the missing one and the two that look back at it
    learner.save()
    model = train_fleet_of(tmp_path, readings, model)
    assert model.inputs[-1].stream == ("lag", "t", 2)
    assert model.outputs[0].terms[-1].coef == pytest.approx(2.0, rel=1e-2)


def train_fleet_of(folder, readings, model):
    other = Learner(model, str(folder / "c.json"))
    state = start(model)
    for i, t in enumerate(reversed(readings)):
        result, _ = step(model, state, {"t": t})
        other.follow(state, result, [2.0 * readings[::-1][i - 2] + 1.0 + (i % 3) * 0.01])
    other.save()
    return train_fleet([folder / "b.json", folder / "c.json"]).model


def test_fewer_rows_than_stated_write_nothing_and_files_differ_by_as_many(tmp_path):
    model = seed_model()
    path = tmp_path / "b.json"
    learner = Learner(model, str(path))
    assert learner.least == 100
    rows = board_rows(9, 250)
    written = []
    for row in rows:
        x = [row[name] for name in NAMES] + [KINDS.index(row["kind"])]
        learner.take(x, {}, [row["y"]])
        learner.save()
        written.append(json.loads(path.read_text())["content"]["rows"] if path.exists() else 0)
    assert sorted(set(written)) == [0, 100, 200]
    assert written[98:100] == [0, 100]
    learner.close()
    assert Learner(model, str(path)).rows == 200


def test_a_folder_has_a_file_for_each_models_readings(tmp_path):
    for model in (seed_model(), seed_model(lag=True)):
        learner = Learner(model, str(tmp_path))
        for row in board_rows(3, 120):
            x = [row[name] for name in NAMES] + [KINDS.index(row["kind"])]
            learner.take(x[: len(model.inputs)], {}, [row["y"]])
        learner.save()
    assert len(list(tmp_path.glob("*.json"))) == 2


def refused(file, change, why, fleet):
    data = json.loads((fleet / "boards" / "gw0.json").read_text())
    change(data)
    file.write_text(json.dumps(data))
    with pytest.raises(DataError, match=why):
        train_fleet([fleet / "boards" / "gw0.json", file])


def test_files_that_do_not_go_together_are_refused_in_a_line(fleet, tmp_path):
    file, boards = tmp_path / "x.json", fleet / "boards"
    refused(file, lambda data: data["content"]["mean"].pop(), "is damaged: its checksum", fleet)
    refused(file, lambda data: data.update(format="edge-lasso-moments/9"), r"reads 'edge-lasso-moments/1'", fleet)
    file.write_text("[")
    with pytest.raises(DataError, match=r"x.json is damaged, or no statistics of a board; fetch it again, or leave it"):
        train_fleet([boards / "gw0.json", file])
    with pytest.raises(DataError, match=r"no-such\*: no such file; boards write them with --learn"):
        train_fleet(tmp_path / "no-such*")
    with pytest.raises(DataError, match="is one board; each board is a fold, so that 2 or more are needed"):
        train_fleet(boards / "gw0.json")
    file.write_bytes((boards / "gw0.json").read_bytes())
    with pytest.raises(DataError, match="are the same file; its rows would count twice"):
        train_fleet([boards / "gw0.json", file])
    with open(file, "wb") as big:
        big.truncate(1 << 30)
    with pytest.raises(DataError, match=r"1,073,741,824 bytes; statistics of a board have 67,108,864 at most"):
        train_fleet([boards / "gw0.json", file])
    with pytest.raises(DataError, match="'drift' cannot be had from statistics"):
        train_fleet(boards, sections=["drift"])


def test_a_board_refuses_what_it_cannot_learn_into(fleet, tmp_path):
    save(seed_model(lag=True), tmp_path / "other.json")
    said = run("score", tmp_path / "other.json", "--learn", fleet / "boards" / "gw0.json", status=2)
    assert "is of another model, with t, h, p, u, v, kind, y; name another file, or a folder" in said
    assert said.count("\n") == 1
    said = run("score", tmp_path / "other.json", "--learn", tmp_path / "no" / "b.json", status=2)
    assert "No such file" in said
    square = seed_model().outputs[0].replace(terms=(Term(1.0, (Factor(0), Factor(0))),))
    hinged = seed_model().outputs[0].replace(terms=(Term(1.0, (Factor(0, hinge=2.0),)),))
    for model, why in [
        (seed_model().replace(outputs=(square,)), "without products, hinges"),
        (seed_model().replace(outputs=(hinged,)), "without products, hinges"),
        (Model((), (), (Output("y", 1.0, ()),)), "reads no input"),
    ]:
        with pytest.raises(RowError, match=why):
            Learner(model, str(tmp_path / "b.json"))
    first = Learner(seed_model(), str(tmp_path / "b.json"))
    said = run("score", fleet / "model.json", "--learn", tmp_path / "b.json", status=2)
    assert "two processes cannot learn into one file" in said
    first.close()


def test_the_command_merges_and_its_model_can_be_updated(fleet, tmp_path, capsys):
    from edge_lasso.commands.main import main

    patterns, out = str(fleet / "boards" / "*.json"), tmp_path / "fleet.json"
    assert main(["train", "--from", patterns, "--out", str(out)]) == 0
    assert load(out).provenance["data"]["rows"] == 720
    new = tmp_path / "new.json"
    assert (
        main(["train", str(fleet / "all.csv"), "--update", str(tmp_path / "fleet.stats.npz"), "--out", str(new)]) == 0
    )
    assert load(new).provenance["data"]["rows"] == 1440
    assert main(["train", "x.csv", "--from", patterns, "--cv", "3"]) == 2
    assert "--cv, DATA: not with --from (boards keep statistics" in " ".join(capsys.readouterr().err.split())
    assert main(["train"]) == 2
    assert "no DATA is given; name a table, or what boards learned with --from" in capsys.readouterr().err


@pytest.mark.parametrize("patterns", ["boards/*.json", "boards"])
def test_a_board_is_not_replaced_by_the_model_of_all(fleet, tmp_path, patterns, capsys):
    from edge_lasso.commands.main import main

    shutil.copytree(fleet / "boards", tmp_path / "boards")
    board = tmp_path / "boards" / "gw0.json"
    before = board.read_bytes()
    assert main(["train", "--from", str(tmp_path / patterns), "--out", str(board)]) == 2
    assert "is what is read; the result would replace it" in " ".join(capsys.readouterr().err.split())
    assert board.read_bytes() == before


def test_names_of_files_and_folders_are_no_patterns(fleet, tmp_path):
    folder = tmp_path / "site [1]"
    folder.mkdir()
    files = [Path(shutil.copy(fleet / "boards" / f"gw{i}.json", folder / f"gw[{i}].json")) for i in range(2)]
    assert board_files(files) == files
    assert board_files([folder]) == files


def test_errors_are_counted_where_the_truth_comes_along(fleet, tmp_path):
    for command in (["score", fleet / "model.json"], ["predict", fleet / "model.json"]):
        run(*command, fleet / "0.csv", "--metrics", tmp_path / "m.prom")
        figures = dict(line.split() for line in (tmp_path / "m.prom").read_text().splitlines() if line[0] != "#")
        assert figures["edge_lasso_error_rows_total"] == "241"
        wanted = sum(abs(row["y"] - predicted(row)) for row in [*board_rows(0), {**board_rows(0)[0], "h": 0.0}])
        assert float(figures["edge_lasso_error_absolute_total"]) == pytest.approx(wanted)


def predicted(row):
    return sum(row[name] for name in NAMES) + (row["kind"] == "dry")
