"""The house: which room may import which, no circles, no long files, nothing private across files; CONTRIBUTING is true."""

import ast
import re
from pathlib import Path

import pytest
import rooms

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT = {
    "tables": set(),
    "statistics": {"tables"},
    "paths": {"statistics"},
    "predicting": {"tables"},
    "training": {"tables", "statistics", "paths", "predicting"},
    "detecting": {"tables", "statistics", "paths", "predicting", "training"},
    "compressing": {"statistics", "paths", "predicting", "training"},
    "verifying": {"tables"},
    "measuring": {"statistics", "paths", "training", "compressing"},
    "watching": {"tables", "verifying", "measuring"},
    "reporting": {
        "tables", "statistics", "paths", "predicting", "training", "detecting", "compressing", "verifying", "measuring",
    },
    "estimators": {"tables", "statistics", "paths", "predicting", "training", "detecting"},
    "commands": set(rooms.ROOMS) - {"commands"},
}  # fmt: skip
LONGEST = 350
# what writes beside `atomic`: into folders that are this process' own and go away with it, or into the cache, where a
# file is moved into place; and what `atomic` itself is made of
WRITERS = {
    "edge_lasso_runtime/atomic.py", "edge_lasso_runtime/unfinished.py", "edge_lasso_runtime/versions.py",
    "edge_lasso_runtime/printable.py",  # a closed standard error is opened: of no file
    "edge_lasso_runtime/interpreter_session.py", "edge_lasso_runtime/promql_session.py", "edge_lasso_runtime/trust.py", "edge_lasso_runtime/esphome_session.py",
    "edge_lasso_runtime/apart.py", "edge_lasso/verifying/artifact_files.py", "edge_lasso/verifying/executions.py",
    "edge_lasso_devices/build.py", "edge_lasso_devices/cross.py", "edge_lasso_devices/cache.py",
    "edge_lasso_devices/qemu.py", "edge_lasso_devices/shells.py", "edge_lasso_devices/ssh.py",
}  # fmt: skip
SOURCES = [path for package in rooms.PACKAGES for path in rooms.modules(package).values()]


def test_rooms_are_those_of_the_house():
    folders = {path.parent.name for path in (ROOT / "edge_lasso").glob("*/__init__.py")}
    assert folders == set(rooms.ROOMS)
    assert {path.stem for path in (ROOT / "edge_lasso").glob("*.py")} == {"__init__", "__main__", "errors", "workbench"}


@pytest.mark.parametrize("room", rooms.ROOMS)
def test_a_room_imports_from_rooms_before_it(room):
    used = {other for (who, other) in rooms.arrows() if who == room}
    assert used <= MAY_IMPORT[room]
    earlier = set(rooms.ROOMS[: rooms.ROOMS.index(room)])
    assert MAY_IMPORT[room] <= earlier


@pytest.mark.parametrize("package", rooms.PACKAGES)
def test_no_circles(package):
    known = rooms.modules(package)
    graph = {name: set(rooms.imports(path, known)) - {name, package} for name, path in known.items()}
    done, walking = set(), []

    def walk(name):
        assert name not in walking, " -> ".join([*walking[walking.index(name) :], name])
        if name in done:
            return
        walking.append(name)
        for other in sorted(graph[name]):
            walk(other)
        done.add(walking.pop())

    for name in graph:
        walk(name)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_short_and_keeps_what_is_private(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("edge_lasso")):
            private = [alias.name for alias in node.names if re.match("_(?!_)", alias.name)]
            assert not private, f"{node.module} keeps {private[0]} to itself"


def test_the_picture_shows_the_imports_of_today():
    assert (ROOT / "docs" / "rooms.svg").read_text(encoding="utf-8") == rooms.picture(), "python docs/rooms.py"


def test_contributing_names_places_that_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    places = [place for place in re.findall(r"`([\w./-]+)`", text) if "/" in place and "NAME" not in place]
    assert len(places) > 8
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_files_are_written_by_one_mechanism():
    """`edge_lasso_runtime.atomic`: all old or all new; a test that strikes every call is only as good as this list."""

    def writes(node):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = (
            node.func.value.id if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) else ""
        )
        texts = {
            arg.value for arg in [*node.args, *(word.value for word in node.keywords)] if isinstance(arg, ast.Constant)
        }
        modes = {
            text for text in texts if isinstance(text, str) and set(text) <= set("rwaxbt+") and set(text) & set("wax+")
        }
        if name in ("open", "fdopen") and modes:
            return True
        if name in ("write_bytes", "write_text"):
            return isinstance(node.func, ast.Attribute)
        return (owner, name) in {(m, n) for m in ("os", "shutil") for n in ("rename", "replace", "move", "copyfile")}

    writers = set()
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        if any(isinstance(node, ast.Call) and writes(node) for node in ast.walk(tree)):
            writers.add("/".join(path.parts[next(i for i, part in enumerate(path.parts) if part in rooms.PACKAGES) :]))
    assert writers == WRITERS
