"""A model and the statistics beside it belong together, and a mixed pair is refused everywhere."""

import shutil

import numpy as np
import pytest

from edge_lasso.commands.main import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, rows in (("one", 60), ("two", 80)):
        rng = np.random.default_rng(rows)
        X = rng.normal(size=(rows, 3))
        y = X[:, 0] - 2.0 * X[:, 1] + 0.5 * X[:, 2] + rng.normal(0.0, 0.1, rows)
        lines = [",".join(map(repr, map(float, (*row, out)))) for row, out in zip(X, y, strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["a,b,c,y", *lines]) + "\n")
        assert main(["train", f"{name}.csv", "--target", "y", "--out", f"{name}.json"]) == 0
    return tmp_path


@pytest.mark.parametrize(
    "command",
    ["prune one.json --max-inputs 1", "show one.json", "report one.json", "train two.csv --update one.stats.npz",
     "quantize one.json --to float16"],
)  # fmt: skip
def test_a_mixed_pair_is_refused(here, capsys, command):
    shutil.copy("two.stats.npz", "one.stats.npz")
    before = {path: path.read_bytes() for path in here.iterdir()}
    capsys.readouterr()
    assert main(command.split()) == 2
    assert "one.stats.npz was written with another model" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in here.iterdir()} == before


def test_what_changes_a_model_in_place_seals_its_statistics_anew(here):
    assert main(["quantize", "one.json", "--to", "float16"]) == 0
    assert main(["prune", "one.json", "--max-inputs", "2"]) == 0
    assert main(["prune", "one.json", "--max-inputs", "1", "--out", "three.json"]) == 0
    assert main(["show", "one.json"]) == main(["show", "three.json"]) == 0


def test_rows_that_were_counted_are_not_counted_again(here, capsys):
    update = ["train", "two.csv", "--update", "one.stats.npz", "--out", "one.json"]
    assert main(update) == 0
    before = (here / "one.stats.npz").read_bytes()
    capsys.readouterr()
    assert main(update) == 2
    assert "are in these statistics already" in capsys.readouterr().err
    assert (here / "one.stats.npz").read_bytes() == before
    assert main([*update, "--again"]) == 0
