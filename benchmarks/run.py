"""Every figure of docs/figures.md from one run: the commands that the page shows, in turn, and what they print.

    python benchmarks/run.py [--fast] [--only training] [--data FOLDER] [--peers PEERS/bin/python] [--out FOLDER]

The page is the registry: a line ``$ python benchmarks/..`` in one of its blocks is run, and what stands below it is
replaced; what cannot be run here is named and stays. OUT gets all as JSON and as Markdown, with the machine, versions,
load and date. Ratios (seconds say little about another day) are compared with the last run that was kept of the same
kind of machine, and what is more than 10 % worse is named. `--fast` runs some of them on small tables, writes neither
page nor `kept.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "figures.md"
KEPT = Path(__file__).with_name("kept.json")
PACKAGES = ("edge-lasso", "numpy", "scikit-learn", "pyarrow", "onnxruntime", "ai-edge-litert", "skl2onnx", "m2cgen")
COMMAND = re.compile(r"^\$ python (benchmarks/.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```\n(\$ python benchmarks/.*?)^```$", re.MULTILINE | re.DOTALL)
MACHINE = re.compile(r"(?<=<!-- machine -->\n).*?(?=<!-- end of machine -->)", re.DOTALL)
FAST = (
    "benchmarks/training.py --shape 10000x50",
    "benchmarks/classification.py --shape 400x5x2",
    "benchmarks/predict_table.py --rows 30000 --rounds 1 --no-programs",
)
WORSE = 1.1
MEASURE = r"^ *(?P<name>.+): at most .+ (?P<value>[\d.]+) x +(?:ok|MISSED)"
PEER = r"^ +(?P<name>[A-Za-z][\w-]+).*= +(?P<value>[\d.]+) x ours"
RATIOS = {
    "training": ((PEER, "more"),),
    "classification": ((PEER, "more"),),
    "inference": (
        (r"^ *(?P<name>.+ takes at least .+?) +(?P<value>[\d.]+) x +(?:ok|MISSED)", "more"),
        (r"^ *(?P<name>.+ starts within .+?) +(?P<value>[\d.]+) x +(?:ok|MISSED)", "less"),
    ),
    "predict_table": ((MEASURE, "less"),),
    "reading": ((MEASURE, "less"),),
    "artifacts": ((r"^ *(?P<name>runtime and .+|python:pyz \w+) +[\d.]+ +(?P<value>[\d.]+)$", "less"),),
}
"""Of a script's lines: the ratios that stand there, and what is better."""
SHAPE = re.compile(r"^ *(\d[\d,]* x \d+(?: x \d+)?)")


def ratios(script: str, printed: str) -> dict[str, float]:
    """The ratios that a script printed, by what it is, the shape above it and the line's name."""
    shape, table = "", {}
    for line in printed.splitlines():
        above = SHAPE.match(line)
        shape = above[1] + ", " if above else shape
        for pattern, better in RATIOS.get(script, ()):
            match = re.search(pattern, line)
            if match:
                table[f"{script}, {shape}{match['name']} ({better} is better)"] = float(match["value"])
    return table


def worse(now: Mapping[str, float], before: Mapping[str, float]) -> list[str]:
    """What is more than 10 % worse than before, a line each."""
    lines = []
    for name in sorted(set(now) & set(before)):
        a, b = now[name], before[name]
        if (b > a * WORSE) if "(more" in name else (a > b * WORSE):
            lines.append(f"{name}: {a:g}, was {b:g}")
    return lines


def commands(page: str) -> list[str]:
    """What the page's blocks run."""
    return [command for block in BLOCK.findall(page) for command in COMMAND.findall(block)]


def rewritten(page: str, printed: Mapping[str, str], machine: str) -> str:
    """The page with what its commands printed; those that were not run keep what stood there."""

    def block(match: re.Match[str]) -> str:
        parts = re.split(r"^(?=\$ )", match[1], flags=re.MULTILINE)
        for i, part in enumerate(parts):
            command, _, _ = part.removeprefix("$ python ").partition("\n")
            if command in printed:
                parts[i] = f"$ python {command}\n{printed[command].rstrip()}\n"
        return "```\n" + "".join(parts) + "```"

    return MACHINE.sub(lambda _: machine + "\n", BLOCK.sub(block, page))


def about() -> dict[str, Any]:
    """The machine, versions, load and date of a run."""
    from edge_lasso_runtime.machine import machine

    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    kind = f"{machine()['cpu'] or platform.machine()}, {os.cpu_count()} cores"
    load = round(os.getloadavg()[0], 1)
    return {"machine": kind, "versions": versions, "load": load, "date": time.strftime("%Y-%m-%d", time.gmtime())}


def described(facts: Mapping[str, Any]) -> str:
    """The same in a line."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return f"The last run: {facts['date']}, {facts['machine']}, load {facts['load']} when it began; {versions}."


def run(command: str, places: Mapping[str, Path | None]) -> tuple[str, str]:
    """What a command of the page prints, or why it cannot be run here."""
    words = shlex.split(command)
    if "--install" in words:
        return "", "it installs"
    for place, path in places.items():
        if path is None and any(place == word for word in words):
            return "", f"no {place}"
        words = [str(path) if word == place else word for word in words]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "118"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return "", (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return done.stdout, ""


def script_of(command: str) -> str:
    """The name of a command's script."""
    return Path(command.split()[0]).stem


def markdown(facts: Mapping[str, Any], printed: Mapping[str, str], names: Iterable[str]) -> str:
    """A run as a page of its own."""
    blocks = [f"```\n$ python {command}\n{text.rstrip()}\n```\n" for command, text in printed.items()]
    notes = [f"- {name}" for name in names]
    return "\n".join([described(facts), "", *blocks, *(["More than 10 % worse:", "", *notes] if notes else [])]) + "\n"


def main() -> None:
    """Run, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="some of them, on small tables; writes only OUT")
    parser.add_argument("--only", action="append", help="scripts of these names (repeatable)")
    parser.add_argument("--data", type=Path, help="the folder of the data sets")
    parser.add_argument("--peers", type=Path, help="the Python of an environment with the peers")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "bench", help="folder for figures.json and figures.md"
    )
    options = parser.parse_args()
    facts = about()
    wanted = FAST if options.fast else commands(PAGE.read_text(encoding="utf-8"))
    wanted = [command for command in wanted if not options.only or script_of(command) in options.only]
    places = {"FOLDER": options.data, "peers/bin/python": options.peers}
    printed: dict[str, str] = {}
    table: dict[str, float] = {}
    for command in wanted:
        print(f"$ python {command}", flush=True)
        text, why = run(command, places)
        if why:
            print(f"not run: {why}", flush=True)
            continue
        print(text, flush=True)
        printed[command] = text
        table |= ratios(script_of(command), text)
    kept = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    before = kept.get(facts["machine"], {})
    names = worse(table, before.get("ratios", {}))
    options.out.mkdir(parents=True, exist_ok=True)
    whole = {**facts, "ratios": table, "printed": printed, "worse": names, "before": before.get("date")}
    (options.out / "figures.json").write_text(json.dumps(whole, indent=1) + "\n")
    (options.out / "figures.md").write_text(markdown(facts, printed, names), encoding="utf-8")
    for name in names:
        print(f"more than 10 % worse than on {before['date']}: {name}")
    if not options.fast and printed:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(rewritten(page, printed, described(facts)), encoding="utf-8")
        kept[facts["machine"]] = {**facts, "ratios": {**before.get("ratios", {}), **table}}
        KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    if not printed:
        sys.exit("nothing was run")


if __name__ == "__main__":
    main()
