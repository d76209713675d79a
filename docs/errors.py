"""The page of every error message with its cure, from the source: what follows the last semicolon says what to do.

usage: python docs/errors.py    prints it
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rooms import PACKAGES

SOURCES = {package.removeprefix("edge_lasso_"): folder for package, folder in PACKAGES.items()}
KINDS = {
    "DataError": "A table, column or option cannot be used: exit code 2. `edge-lasso check DATA` looks it over.",
    "ModelFormatError": "A model file is damaged, or is none: exit code 2. Copy it again, or save it again.",
    "ExportError": "A target cannot express the model: exit code 2. Choose another target or variant.",
    "SessionError": "An artifact does not run, or is not what it says it is (exit code 2). Export it again.",
    "MissingRuntimeError": "What runs this kind of artifact is not installed. Install what the message names.",
    "BoardError": "A board, a link, a tool or an emulator is missing or refuses: exit code 2. See `edge-lasso doctor`.",
    "VerificationError": "A promise or a budget was not kept (exit code 1). The table above the message says by what.",
    "UpdateError": "A bundle, a signature or a version is refused, and the version in use stays: see the runbooks.",
    "RowError": "A row cannot be read; it is reported and left out, and the next one is read. Correct what sends it.",
    "RequestError": "The server cannot answer a request: status 4xx, with the message. Correct the request.",
    "SnapshotError": "A kept state is damaged, or of another model. `score --fresh` starts afresh.",
    "LockedError": "Another process works there. Wait for it, or end it.",
    "ProgramError": "The printer of programs met what it does not know: an error of edge-lasso; please report it.",
    "ProofError": "A number or an index of an artifact could leave its room. Quantize the model again, or report it.",
    "DialectError": "A table's way of writing cannot be told. Say it: `--encoding`, `--missing`, `--time-format`.",
    "ValueError": "A value in a call from Python is not allowed. Correct it as the message says.",
}
"""What a kind of error means, and the cure where a message has none of its own."""


def kinds() -> dict[str, str]:
    """Each kind of error with its meaning: `KINDS`, and of those that are not in it what their docstring says."""
    told = {}
    for folder in SOURCES.values():
        for path in sorted(folder.rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                    told[node.name] = (ast.get_docstring(node) or "See its message.").split("\n\n")[0]
    return {**{name: " ".join(text.split()) for name, text in told.items()}, **KINDS}


def messages() -> list[tuple[str, str, str]]:
    """Room, kind and text of each message; what is filled in is ``…``."""
    entries, known = set(), set(kinds())
    for package, folder in SOURCES.items():
        for path in sorted(folder.rglob("*.py")):
            inside = path.relative_to(folder).parts
            room = "/".join([package, *inside[:-1]])
            for kind, text in _calls(ast.parse(path.read_text(encoding="utf-8")), known):
                entries.add((room, kind, text))
    return sorted(entries)


def _calls(tree: ast.AST, known: set[str]) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in known:
            for text in _texts(node.args[0]):
                if any(c.isalpha() for c in text):
                    yield name, " ".join(text.split())


def _texts(node: ast.expr) -> list[str]:
    """What an expression may say."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [a + b for a in _texts(node.left) or ["…"] for b in _texts(node.right) or ["…"]]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    return []


def page() -> str:
    """The page, in Markdown."""
    lines = [
        "# Error messages",
        "",
        "Every refusal is one line on standard error: what is wrong, what is allowed, what to do. Here they are, with",
        "`…` for what is filled in; search for the words around it. `edge-lasso` ends with 0 (done), 1 (a check or",
        "budget failed), 2 (bad usage or input) or 130 (interrupted). Written by `make docs` from the source.",
        "",
        "## Kinds",
        "",
        "| kind | what it means, and the cure where a message has none of its own |",
        "| --- | --- |",
        *(f"| `{kind}` | {text.replace('|', ' ')} |" for kind, text in kinds().items()),
    ]  # fmt: skip
    before = ""
    for room, kind, text in messages():
        if room != before:
            lines += ["", f"## {room}", "", "| message | cure |", "| --- | --- |"]
            before = room
        said, mark, cure = text.rpartition("; ")
        lines.append(f"| {_cell(said if mark else text)} | {_cell(cure) if mark else f'see `{kind}`'} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text in a table, where nothing in it means anything."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|~" else c for c in text)


if __name__ == "__main__":
    print(page(), end="")
