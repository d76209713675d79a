"""`edge-lasso bundle`: the same bytes for the same arguments, certified artifacts alone, signed; and a board takes it."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from edge_lasso.commands.main import main
from edge_lasso.verifying.certificate import from_json
from edge_lasso.watching.bundle import read_manifest
from edge_lasso_runtime import Factor, Input, Model, Output, Term, save

pytestmark = pytest.mark.needs("ssh-keygen")
NEEDED = ["--serial", "7", "--expires", "2037-06-01", "--for", "boilers"]


@pytest.fixture(scope="module")
def away(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    inputs = (Input("a", 0, 0.0, -1.0, 1.0), Input("b", 1, 0.0, -1.0, 1.0))
    model = Model(("a", "b"), inputs, (Output("y", 0.5, (Term(2.0, (Factor(0),)), Term(-1.0, (Factor(1),)))),))
    save(model, folder / "model.json")
    save(model.replace(outputs=(Output("y", 0.25, model.outputs[0].terms),)), folder / "other.json")
    for name in ("ann", "bob"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    lines = [f"{name} {' '.join((folder / f'{name}.pub').read_text().split()[:2])}" for name in ("ann", "bob")]
    (folder / "signers").write_text("\n".join(lines))
    assert main(["export", str(folder / "model.json"), "--to", "python,c", "--out", str(folder / "artifacts"), "--allow-unverified"]) == 0  # fmt: skip
    return folder


@pytest.fixture
def here(away, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795824000")
    return away


def board(*words):
    done = subprocess.run([sys.executable, "-m", "edge_lasso_runtime", *words], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_bundle_goes_from_the_workbench_to_a_board(here, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    artifacts = [str(here / "artifacts" / name) for name in ("python-double", "c-double")]
    subjects = [str(here / "model.json"), *artifacts]
    assert main(["bundle", *subjects, *NEEDED, "--rollout", "99.5%", "--sign", str(here / "ann")]) == 0
    assert "wrote boilers-7.elb: serial 7 for boilers" in capsys.readouterr().out
    home = ["--home", str(tmp_path / "home")]
    enrolled = [
        "update",
        *home,
        "--enroll",
        "boilers",
        "--signers",
        str(here / "signers"),
        "--threshold",
        "2",
        "--board",
        "g",
    ]
    assert board(*enrolled)[0] == 0
    code, text = board("update", *home, "--from", ".")
    assert (code, "2 signers are needed" in text) == (1, True)
    assert main(["bundle", "boilers-7.elb", "--sign", str(here / "bob")]) == 0
    code, text = board("update", *home, "--from", "boilers-7.elb")
    assert (code, "is in place" in text) == (0, True), text
    manifest = read_manifest((tmp_path / "boilers-7.elb").read_bytes())
    names = {name for name, _, _ in manifest.files}
    assert {
        "model.json",
        "artifacts/certificate.json",
        "artifacts/python-double/model.py",
        "edge_lasso_runtime/update.py",
    } <= names
    assert manifest.rollout == 9950


def test_the_same_arguments_give_the_same_bytes(here, tmp_path):
    for name in ("a.elb", "b.elb"):
        assert main(["bundle", str(here / "model.json"), *NEEDED, "--no-runtime", "--out", name]) == 0
    assert (tmp_path / "a.elb").read_bytes() == (tmp_path / "b.elb").read_bytes()


def test_new_signers(here, tmp_path, capsys):
    words = [
        "bundle",
        "--signers",
        str(here / "signers"),
        "--for",
        "boilers",
        "--threshold",
        "2",
        "--sign",
        str(here / "ann"),
    ]
    assert main(words) == 0
    assert capsys.readouterr().out == "wrote signers.2.json and its signatures\n"
    assert json.loads((tmp_path / "signers.2.json").read_text())["threshold"] == 2
    assert (tmp_path / "signers.2.json.sig").read_text().startswith("-----BEGIN SSH SIGNATURE-----")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["MODEL"], "a bundle needs a model, --serial N, --expires DATE and --for NAME"),
        (["MODEL", "--serial", "7", "--expires", "June", "--for", "x"], "--expires 'June' is not a date such as"),
        (
            ["MODEL", "--serial", "7", "--expires", "2020-01-01", "--for", "x"],
            "which is past; choose a later --expires",
        ),
        (["MODEL", "--serial", "0", "--expires", "2037-01-01", "--for", "x"], "serial is 0"),
        (["MODEL", "--serial", "7", "--expires", "2037-01-01", "--for", "../x"], "for is '../x'"),
        (["MODEL", *NEEDED, "--rollout", "10"], "--rollout '10' is not a part of the boards, such as 10%"),
        (["MODEL", *NEEDED, "--limit", "speed=3"], "the limits are degraded, alarms, error, p95_us"),
        (["MODEL", *NEEDED, "--sign", "absent"], "--sign absent is no file"),
        (["MODEL", *NEEDED, "--sign", "MODEL"], "does not sign"),
        (["OTHER", "ARTIFACT", *NEEDED], "export it again"),
        (["ARTIFACT", *NEEDED], "the model comes first"),
        (["MODEL", *NEEDED, "--out", "no/where.elb"], "folder no does not exist"),
        (["--signers", "SIGNERS"], "--signers goes with --for NAME, and without a model"),
        (["--signers", "SIGNERS", "--for", "x", "--threshold", "3"], "--threshold 3: the file names 2"),
    ],
)
def test_refusals(here, tmp_path, capsys, words, message):
    paths = {"MODEL": "model.json", "OTHER": "other.json", "ARTIFACT": "artifacts/python-double", "SIGNERS": "signers"}
    assert main(["bundle", *(str(here / paths[word]) if word in paths else word for word in words)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_what_is_not_certified_is_not_bundled(here, tmp_path, capsys):
    import shutil

    shutil.copytree(here / "artifacts" / "python-double", tmp_path / "alone" / "python-double")
    assert main(["bundle", str(here / "model.json"), str(tmp_path / "alone" / "python-double"), *NEEDED]) == 2
    assert "does not certify python-double" in capsys.readouterr().err
    good = from_json(json.loads((here / "artifacts" / "certificate.json").read_text()))
    failed = replace(good, artifacts=tuple(replace(artifact, status="failed") for artifact in good.artifacts))
    (tmp_path / "alone" / "certificate.json").write_text(json.dumps(failed.to_json()))
    assert main(["bundle", str(here / "model.json"), str(tmp_path / "alone" / "python-double"), *NEEDED]) == 2
    assert "does not say that python:double of this model passed" in capsys.readouterr().err
