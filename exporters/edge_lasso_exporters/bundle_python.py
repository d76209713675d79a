"""The ``pyz`` variant of the Python target: the runtime package and a model in one file that Python runs as it is."""

from __future__ import annotations

import ast
import io
import json
import tokenize
import zipfile
from functools import cache
from importlib.resources import files
from itertools import accumulate

from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.checks import sha256
from edge_lasso_runtime.format import file_text
from edge_lasso_runtime.sections import SECTIONS

from .vectors import self_test

PACKAGE = "edge_lasso_runtime"
BEGINNING = ("__init__", "__main__", "function")
SESSION = "_session"
"""How modules end that run artifacts of other targets."""
ELSEWHERE = ("apart", "compiled", "fleet_commands", "manifest")
"""Modules of commands for artifacts, for fast streams, and for boards of a fleet."""
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
    """A zip archive that Python runs: ``__main__.py``, what it needs of the runtime, ``model.json`` and test vectors.

    The archive's comment is the model's hash, readable without unpacking, and the hash of all bytes before that, which
    ``__main__.py`` checks before it imports anything else.
    """
    entries = {
        "__main__.py": MAIN.format(name=name, digest=DIGEST),
        "model.json": file_text(model),
        "selftest.json": json.dumps(self_test(model), separators=(",", ":"), allow_nan=False),
    }
    entries |= {f"{PACKAGE}/{module}.py": _modules()[module][0] for module in needed(model)}
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


def needed(model: Model) -> list[str]:
    """The modules of the runtime that a bundle's commands and function reach: what those import, and its sections'."""
    modules, reached = _modules(), set[str]()
    ahead = [*BEGINNING, *(SECTIONS[key] for key in model.sections if key in SECTIONS)]
    while ahead:
        module = ahead.pop()
        if module in modules and module not in reached and module not in ELSEWHERE and not module.endswith(SESSION):
            reached.add(module)
            ahead += modules[module][1]
    return sorted(reached)


@cache
def _modules() -> dict[str, tuple[str, list[str]]]:
    """Of every module of the runtime its text as a bundle has it, and which modules it imports when it runs."""
    result = {}
    for entry in files(PACKAGE).iterdir():
        if entry.name.endswith(".py"):
            text = entry.read_text(encoding="utf-8")
            tree = ast.parse(text)
            result[entry.name[:-3]] = (_trimmed(text, tree), _imports(tree))
    return result


def _imports(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.iter_child_nodes(tree):
        if _is_for_checkers(node):
            continue
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names += [node.module] if node.module else [alias.name for alias in node.names]
        names += _imports(node)
    return names


def _trimmed(text: str, tree: ast.Module) -> str:
    """The text without docstrings, comments, annotations and what is imported for type checkers."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0, *accumulate(map(len, lines))]

    def end(node: ast.expr | ast.stmt | ast.arg) -> int:
        return starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)

    spans = [(starts[node.lineno - 1], end(node)) for node in tree.body if _is_for_checkers(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            texts = [part for part in node.body if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)]
            spans += [(starts[t.lineno - 1], end(t)) for t in texts if len(texts) < len(node.body)]
        if isinstance(node, ast.arg) and node.annotation is not None:
            begin = starts[node.lineno - 1] + node.col_offset + len(node.arg.encode())
            spans.append((begin, end(node.annotation)))
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            arrow = text.encode().rindex(b"->", 0, starts[node.returns.lineno - 1] + node.returns.col_offset)
            spans.append((arrow, end(node.returns)))
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            spans.append((end(node.target), end(node.annotation)))
    for token in tokenize.tokenize(io.BytesIO(text.encode()).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            begin = starts[row - 1] + len(token.line[:column].encode())
            spans.append((begin, begin + len(token.string.encode())))
    plain, done = b"", 0
    for begin, stop in sorted(spans):
        if begin >= done:
            plain += text.encode()[done:begin]
            done = stop
    rest = (plain + text.encode()[done:]).decode()
    return "".join(f"{line.rstrip()}\n" for line in rest.splitlines() if line.strip())


def _is_for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
