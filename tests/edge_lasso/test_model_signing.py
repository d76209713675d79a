"""OpenSSF Model Signing over what `export` writes: signed and verified offline, any change refused."""

import subprocess
import sys

import pytest

from edge_lasso import export
from edge_lasso_runtime import Factor, Input, Model, Output, Term

pytestmark = [pytest.mark.needs("module:model_signing", "openssl"), pytest.mark.slow]


def run(*arguments):
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_artifacts_are_signed_for_a_registry(tmp_path):
    model = Model(("a",), (Input("a", 0, 0.0, -1.0, 1.0),), (Output("y", 0.5, (Term(2.0, (Factor(0),)),)),))
    assert export(model, "python", tmp_path / "artifacts").status == "passed"
    for name in ("maker", "other"):
        key, public = tmp_path / f"{name}.key", tmp_path / f"{name}.pub"
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        run("openssl", "ec", "-in", key, "-pubout", "-out", public)
    signature = tmp_path / "artifacts.sig"

    command = [sys.executable, "-m", "model_signing", "sign", "key", tmp_path / "artifacts", "--signature", signature]
    code, text = run(*command, "--private_key", tmp_path / "maker.key")
    assert (code, "Signing succeeded" in text) == (0, True), text
    import model_signing

    def refused(name="maker"):
        """Why the folder is refused; None: it is as it was signed."""
        verifier = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=tmp_path / f"{name}.pub")
        try:
            verifier.verify(tmp_path / "artifacts", signature)
        except Exception as error:  # of the library that checks the key, or of the one that compares
            return f"{type(error).__name__}: {error}"
        return None

    assert refused() is None
    assert refused("other") is not None
    file = next(path for path in (tmp_path / "artifacts").rglob("*.py"))
    content = file.read_bytes()
    file.write_bytes(content.replace(b"0.5", b"0.6"))
    assert file.name in refused()
    file.write_bytes(content)
    (tmp_path / "artifacts" / "more.txt").write_text("one more file")
    assert "more.txt" in refused()
    (tmp_path / "artifacts" / "more.txt").unlink()
    assert refused() is None
    file.unlink()
    assert file.name in refused()
