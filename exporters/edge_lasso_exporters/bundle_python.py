"""The ``pyz`` variant of the Python target: the runtime package and a model in one file that Python runs as it is."""

from __future__ import annotations

import io
import json
import zipfile
from importlib.resources import files

from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.checks import sha256
from edge_lasso_runtime.format import file_text

from .detector_q import has_step_q
from .vectors import self_test

SESSION = "_session.py"
"""How files end that only artifacts of other targets need, and that run artifacts."""
LEFT_OUT = ("apart.py",)
INTEGER_DETECTOR = ("fixed_detector.py", "fixed_detector_section.py")
"""For models that have its section alone."""
SHEBANG = b"#!/usr/bin/env python3\n"
MAIN = '''"""A model and all it needs to run: python3 {name}.pyz --help."""

import sys

if sys.version_info < (3, 9):
    sys.exit("{name}.pyz needs Python 3.9 or later")
from os.path import abspath, dirname

{digest}
path = dirname(abspath(__file__))
with open(path, "rb") as file:
    data = file.read()
if sha256(data[:-64]).hexdigest().encode() != data[-64:]:
    sys.stderr.write("{name}.pyz is damaged: its hash is not that of its content; copy or export it again\\n")
    sys.exit(2)

from edge_lasso_runtime.__main__ import main

sys.exit(main(bundle=path))
'''
DIGEST = """try:
    from _sha2 import sha256
except ImportError:
    try:
        from _sha256 import sha256
    except ImportError:
        from hashlib import sha256"""
# A fixed date, because the same model gives the same bytes; an ordinary readable file.
DATE = (1980, 1, 1, 0, 0, 0)
UNIX, MODE = 3, 0o100644 << 16


def bundle(model: Model, name: str) -> bytes:
    """A zip archive that Python runs: ``__main__.py``, the runtime, ``model.json`` and test vectors.

    The archive's comment is the model's hash, readable without unpacking, and the hash of all bytes before that, which
    ``__main__.py`` checks before it imports anything else.
    """
    entries = {
        "__main__.py": MAIN.format(name=name, digest=DIGEST),
        "model.json": file_text(model),
        "selftest.json": json.dumps(self_test(model), separators=(",", ":"), allow_nan=False),
    }
    left_out = LEFT_OUT if has_step_q(model) else (*LEFT_OUT, *INTEGER_DETECTOR)
    for entry in sorted(files("edge_lasso_runtime").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".py") and not entry.name.endswith(SESSION) and entry.name not in left_out:
            entries[f"edge_lasso_runtime/{entry.name}"] = entry.read_text(encoding="utf-8")
    stream = io.BytesIO()
    stream.write(SHEBANG)
    with zipfile.ZipFile(stream, "w") as archive:
        archive.comment = f"{model_hash(model)} {'0' * 64}".encode()
        for path, text in entries.items():
            about = zipfile.ZipInfo(path, DATE)
            about.create_system, about.external_attr = UNIX, MODE
            archive.writestr(about, text.encode(), zipfile.ZIP_DEFLATED, 9)
    data = stream.getvalue()[:-64]
    return data + sha256(data).encode()
