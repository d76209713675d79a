"""Mutation testing of what decides results: one change at a time in a copy of the project, and the tests that must notice.

python tests/tools/mutants.py --seconds 900 --seed 1 [--only MODULE ..] [--write]

cosmic-ray's operators make the changes; the modules and their tests are listed here. Mutants are tried in an order that the
seed gives, module by module in turn, two at a time, until the time is over; what became of each is remembered in
`.mutants.json`, so that the next run goes on, after those that survived: a new test may notice them. The process that tries
one is a fork of this one, which has imported what the project itself requires; tests that have noticed others and quick
tests come first. A survivor is printed, for somebody to look at: to notice it with a test, or to say in `survivors.toml`
why it computes the same. `--write` puts the table into `docs/reliability.md`.
"""

import argparse
import ast
import compileall
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from itertools import chain, zip_longest
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE, MEMORY, EXPLAINED = (
    ROOT / "docs" / "reliability.md",
    ROOT / ".mutants.json",
    Path(__file__).with_name("survivors.toml"),
)
BEGIN, END = "<!-- mutants -->\n", "<!-- end of mutants -->\n"
RUNTIME, COMPRESSING = "runtime/edge_lasso_runtime", "edge_lasso/compressing"
FORMAT = ["tests/runtime/test_format.py", "tests/runtime/test_model.py", "tests/runtime/test_sections.py"]
STEP = ["tests/runtime/test_step.py", "tests/runtime/test_sections.py"]
FIXED = ["tests/runtime/test_fixed_point.py"]
FIXED_DETECTOR = ["tests/runtime/test_fixed_detector.py"]
QUANTIZE = [
    "tests/edge_lasso/test_quantize.py",
    "tests/edge_lasso/test_stream_bound.py",
    "tests/edge_lasso/test_quantize_detector.py",
]
DENSE = [
    "tests/exporters/test_onnx_target.py",
    "tests/exporters/test_tflite_target.py",
    "tests/edge_lasso/test_verify.py",
]
TESTS = {
    f"{RUNTIME}/predict.py": ["tests/runtime/test_predict.py"],
    f"{RUNTIME}/step.py": STEP,
    f"{RUNTIME}/detector.py": STEP,
    f"{RUNTIME}/stream.py": STEP,
    f"{RUNTIME}/health.py": STEP,
    f"{RUNTIME}/fixed_point.py": FIXED,
    f"{RUNTIME}/fixed_detector.py": FIXED_DETECTOR,
    f"{RUNTIME}/fixed_stream.py": FIXED_DETECTOR,
    f"{RUNTIME}/model.py": FORMAT,
    f"{RUNTIME}/format.py": FORMAT,
    f"{RUNTIME}/checks.py": FORMAT,
    f"{RUNTIME}/model_checks.py": ["tests/runtime/test_sections.py"],
    f"{COMPRESSING}/error_bound.py": QUANTIZE,
    f"{COMPRESSING}/derived_bound.py": QUANTIZE[1:],
    f"{COMPRESSING}/centred.py": QUANTIZE[2:],
    "exporters/edge_lasso_exporters/dense_bounds.py": DENSE,
}  # fmt: skip
# decorators here are fields' and tests' own: changing them changes no result
LEFT_OUT = ("core/RemoveDecorator", "core/VariableInserter", "core/VariableReplacer")
KILLED, SURVIVED, SAME = "noticed", "survived", "same text"


def mutants(source):
    """Every change of what is executed: operator's name, and which occurrence."""
    tree, annotations = get_ast(source), annotated(source)
    for name in operator_names():
        operator = get_operator(name)
        if name in LEFT_OUT or operator.arguments():
            continue
        places = (place for node in ast_nodes(tree) for place in operator().mutation_positions(node))
        for occurrence, (start, end) in enumerate(places):
            if not any(first <= tuple(start) and tuple(end) <= last for first, last in annotations):
                yield name, occurrence


def annotated(source):
    """Where annotations stand, which nothing executes, and lines for type checkers."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if part is not None:
                spans.append(((part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)))
        if isinstance(node, ast.Assign | ast.If) and "TYPE_CHECKING" in ast.unparse(node).partition("\n")[0]:
            spans.append(((node.lineno, 0), (node.end_lineno, node.end_col_offset)))
    return spans


class Bench:
    """A copy of the project in which one mutant at a time is tried, and what is known of its tests."""

    def __init__(self, away):
        self.tree = Path(tempfile.mkdtemp(dir=away))
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, files.split("\0")):
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.tree / name)
        roots = [str(self.tree), *(str(self.tree / room) for room in ("runtime", "exporters", "devices"))]
        for folder in roots:
            compileall.compile_dir(folder, quiet=2)
        for path in TESTS:  # read anew each time
            for compiled in (self.tree / path).parent.glob(f"__pycache__/{Path(path).stem}.*"):
                compiled.unlink()
        sys.path[:0] = roots
        os.environ["PYTHONPATH"] = os.pathsep.join(roots)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
        self.rank, self.patience = {}, {}

    def outcome(self, path, name, occurrence):
        """What becomes of a mutant: (outcome, line, line of the mutant)."""
        source = (self.tree / path).read_text()
        text = mutate_code(source, get_operator(name)(), occurrence)
        if text is None or text == source:
            return SAME, "", ""
        was, became = difference(source, text)
        (self.tree / path).write_text(text)
        try:
            status, lines = self.attempt(path)
        finally:
            (self.tree / path).write_text(source)
        self.rank.update({test: self.rank.get(test, 1.0) / 2.0 for test, failed, _ in lines if failed})
        return KILLED if status else SURVIVED, was, became

    def learn(self, path):
        """How long the tests of a module take as it is: each, and what a mutant's may."""
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.monotonic()
        self.patience[path] = 600, 1800
        status, lines = self.attempt(path)
        assert not status, f"the tests of {path} fail as it is"
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        return (int(20 + 3 * seconds), int(120 + 10 * (time.monotonic() - started))), {row[0]: row[2] for row in lines}

    def attempt(self, path):
        """Run a module's tests in a fork: its status, and of each test whether it failed and its time."""
        reads, writes = os.pipe()
        child = os.fork()
        if not child:
            os.close(reads)
            self.run(path, writes)
        os.close(writes)
        with os.fdopen(reads, "rb") as told:
            lines = [json.loads(line) for line in told if line.endswith(b"\n")]
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)  # what its tests started
        return status, lines

    def run(self, path, writes):
        """Run tests in this fork, and end it."""
        try:
            os.setpgid(0, 0)
            cpu, wall = self.patience[path]
            resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
            signal.alarm(wall)
            os.chdir(self.tree)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for number in (1, 2):
                os.dup2(nowhere, number)
            import pytest

            words = [
                "-x",
                "-q",
                "-n",
                "0",
                "-p",
                "no:cacheprovider",
                "--assert=plain",
                "-m",
                "not slow and not long and not tool",
            ]
            code = pytest.main([*words, *TESTS[path]], [Order(self.rank, writes)])
            os._exit(int(code))
        finally:
            os._exit(99)


class Order:
    """A plugin: tests that noticed others and quick ones first; each is told with its time."""

    def __init__(self, rank, writes):
        self.rank, self.writes = rank, writes

    def pytest_collection_modifyitems(self, items):
        items.sort(key=lambda item: self.rank.get(item.nodeid, 1.0))

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.failed:
            os.write(self.writes, json.dumps([report.nodeid, report.failed, report.duration]).encode() + b"\n")


def difference(source, text):
    """The first line that is another, before and after."""
    pairs = zip_longest(source.splitlines(), text.splitlines(), fillvalue="")
    return next(((was.strip(), became.strip()) for was, became in pairs if was != became), ("", ""))


def prepare(away, end):
    """In a worker."""
    global bench, until
    bench, until = Bench(away), end


def learn(path):
    """In a worker: what is known of a module's tests."""
    return bench.learn(path)


def judge(task):
    """In a worker: what becomes of a mutant; None when the time is over."""
    (path, name, occurrence, key), (patience, rank) = task
    bench.patience[path], bench.rank = patience, {**rank, **bench.rank}
    return key, path, bench.outcome(path, name, occurrence) if time.monotonic() < until else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(TESTS))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    memory = json.loads(MEMORY.read_text()) if MEMORY.exists() else {}
    entries = {path: known(path, options.seed) for path in TESTS}
    again = [entry for path in options.only for entry in entries[path] if memory.get(entry[3], [""])[0] == SURVIVED]
    new = [[entry for entry in entries[path] if entry[3] not in memory] for path in options.only]
    waiting = [*again, *filter(None, chain.from_iterable(zip_longest(*new)))]
    import hypothesis  # noqa: F401
    import numpy  # noqa: F401
    import pyarrow  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.linear_model  # noqa: F401

    end = time.monotonic() + options.seconds
    try:
        with (
            tempfile.TemporaryDirectory() as away,
            multiprocessing.get_context("fork").Pool(2, prepare, (away, end)) as pool,
        ):
            learned = dict(zip(options.only, pool.map(learn, options.only, chunksize=1), strict=True))
            for key, path, outcome in pool.imap_unordered(judge, [(entry, learned[entry[0]]) for entry in waiting]):
                if outcome is None:
                    continue
                memory[key] = outcome
                if outcome[0] == SURVIVED:
                    print(f"survived: {path}: {outcome[1]}  ->  {outcome[2]}", flush=True)
    finally:
        MEMORY.write_text(json.dumps(memory))
    sys.exit(tell(entries, memory, options.write))


def known(path, seed):
    """A module's mutants in the order of the seed, each with a name that holds while the module is what it is."""
    source = (ROOT / path).read_text()
    digest = sha256(source.encode()).hexdigest()[:16]
    listed = [(path, name, occurrence, f"{path} {digest} {name} {occurrence}") for name, occurrence in mutants(source)]
    random.Random(f"{seed} {path}").shuffle(listed)
    return listed


def tell(entries, memory, write):
    """Print (and write) the table; how many survivors nobody has explained."""
    explained = {(row["module"], row["was"], row["became"]) for row in tomllib.loads(EXPLAINED.read_text())["same"]}
    lines = ["| module | mutants | tried | noticed | same result, explained | survived |", "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    sums = [0] * 5
    for path, listed in entries.items():
        outcomes = [memory[entry[3]] for entry in listed if memory.get(entry[3], [SAME])[0] != SAME]
        survived = [outcome for outcome in outcomes if outcome[0] == SURVIVED]
        same = sum((path, was, became) in explained for _, was, became in survived)
        row = [len(listed), len(outcomes), len(outcomes) - len(survived), same, len(survived) - same]
        sums = [a + b for a, b in zip(sums, row, strict=True)]
        lines.append(f"| `{path}` | " + " | ".join(f"{count:,}" for count in row) + " |")
    lines.append("| all | " + " | ".join(f"{count:,}" for count in sums) + " |")
    text = "\n".join(lines)
    print(text)
    if write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        made_by = f"cosmic-ray {version('cosmic-ray')}, Python {sys.version.split()[0]}, {time.strftime('%Y-%m-%d')}"
        whole = f"{before}{BEGIN}{text}\n\n`make mutants`: {made_by}.\n{END}{rest.partition(END)[2]}"
        PAGE.write_text(whole, encoding="utf-8")
    return int(sums[4] > 0)


if __name__ == "__main__":
    main()
