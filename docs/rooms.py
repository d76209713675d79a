"""Draws the rooms of `edge_lasso` and the arrows between them from the imports: ``python docs/rooms.py``."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "edge_lasso": ROOT / "edge_lasso",
    "edge_lasso_exporters": ROOT / "exporters" / "edge_lasso_exporters",
    "edge_lasso_devices": ROOT / "devices" / "edge_lasso_devices",
    "edge_lasso_runtime": ROOT / "runtime" / "edge_lasso_runtime",
}
ROOMS = (
    "tables", "statistics", "paths", "predicting", "training", "detecting", "compressing", "verifying", "measuring",
    "watching", "reporting", "estimators", "commands",
)  # fmt: skip
"""In the order of the data: a room imports from those before it alone."""
WIDTH, STEP, BOX, LEFT = 760, 58, 34, 300


def modules(package: str) -> dict[str, Path]:
    """The modules of a package, by dotted name."""
    folder = PACKAGES[package]
    names = {path: path.relative_to(folder.parent).with_suffix("").parts for path in sorted(folder.rglob("*.py"))}
    return {".".join(parts).removesuffix(".__init__"): path for path, parts in names.items()}


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Which of the known modules a file imports, wherever in it; imports for type checkers alone are left out."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.ImportFrom):
            here = next(iter(known)).split(".")[0] if node.level else ""
            module = ".".join(part for part in (here, node.module) if part)
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                if inner in known or module in known:
                    yield inner if inner in known else module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        else:
            inside = ast.iter_child_nodes(node)
            waiting += (part for part in inside if isinstance(part, (ast.stmt, ast.ExceptHandler, ast.match_case)))


@cache
def arrows() -> Counter[tuple[str, str]]:
    """How many files of one room import from another."""
    known = modules("edge_lasso")
    room = {name: name.split(".")[1] for name in known if name.count(".") and name.split(".")[1] in ROOMS}
    pairs = {(name, room[other]) for name in room for other in imports(known[name], known) if other in room}
    return Counter((room[name], other) for name, other in pairs if room[name] != other)


def picture() -> str:
    """The rooms from top to bottom, with an arc for each arrow, as wide as it is busy."""
    counted = arrows()
    middle = {room: 40 + STEP * i for i, room in enumerate(ROOMS)}
    height = 40 + STEP * len(ROOMS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif">',
        "<title>Rooms of edge_lasso and which imports from which</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for (room, other), files in sorted(counted.items(), key=lambda item: (item[1], item[0])):
        top, bottom = middle[other], middle[room]
        bulge = LEFT + 90 + 26 * (ROOMS.index(room) - ROOMS.index(other))
        parts.append(
            f'<path d="M{LEFT + 70} {bottom} C{bulge} {bottom} {bulge} {top} {LEFT + 70} {top}" fill="none" '
            f'stroke="#1b6ca8" stroke-opacity=".45" stroke-width="{1 + files**0.5:.1f}">'
            f"<title>{room} imports from {other} in {files} files</title></path>"
        )
    for room in ROOMS:
        y, files = middle[room], len(list((PACKAGES["edge_lasso"] / room).glob("*.py"))) - 1
        about = ast.get_docstring(ast.parse((PACKAGES["edge_lasso"] / room / "__init__.py").read_text("utf-8"))) or ""
        parts += [
            f'<rect x="{LEFT - 70}" y="{y - BOX / 2}" width="140" height="{BOX}" rx="6" fill="#eef5fb" '
            'stroke="#1b6ca8"/>',
            f'<text x="{LEFT}" y="{y + 5}" text-anchor="middle" font-size="15">{room}</text>',
            f'<text x="{LEFT - 84}" y="{y + 4}" text-anchor="end" font-size="12" fill="#555">{files} files'
            f"<title>{escape(about)}</title></text>",
        ]
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    (Path(__file__).parent / "rooms.svg").write_text(picture(), encoding="utf-8")
