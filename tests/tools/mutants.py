"""Mutation testing of what decides results: one change at a time in a copy of the project, and the tests that must notice.

python tests/tools/mutants.py --seconds 900 --seed 1 [--only MODULE ..]

cosmic-ray's operators make the changes; the modules and their tests are listed here. Mutants are tried in an order that the
seed gives, module by module in turn, until the time is over. The process that tries one is a fork of this one, which has
imported what the project itself requires. A survivor is printed with its place, for somebody to look at.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parent.parent.parent
RUNTIME = "runtime/edge_lasso_runtime"
TESTS = {
    f"{RUNTIME}/model.py": ["tests/runtime/test_model.py", "tests/runtime/test_format.py"],
    f"{RUNTIME}/format.py": ["tests/runtime/test_format.py", "tests/runtime/test_seals.py"],
    f"{RUNTIME}/checks.py": ["tests/runtime/test_format.py"],
    f"{RUNTIME}/model_checks.py": ["tests/runtime/test_format.py"],
    f"{RUNTIME}/predict.py": ["tests/runtime/test_predict.py"],
    f"{RUNTIME}/fixed_point.py": ["tests/runtime/test_fixed_point.py"],
    f"{RUNTIME}/step.py": ["tests/runtime/test_step.py"],
    f"{RUNTIME}/detector.py": ["tests/runtime/test_step.py"],
    "edge_lasso/compressing/error_bound.py": ["tests/edge_lasso/test_quantize.py"],
}
# annotations are not executed, decorators here are fields' and tests' own: changing them changes no result
LEFT_OUT = ("core/RemoveDecorator", "core/VariableInserter", "core/VariableReplacer")
PATIENCE = 300
"""Seconds of processor time for one mutant's tests: an endless loop is noticed, too."""


def mutants(source):
    """Every change: operator's name, which occurrence, line."""
    tree = get_ast(source)
    for name in operator_names():
        operator = get_operator(name)
        if name in LEFT_OUT or operator.arguments():
            continue
        places = (place for node in ast_nodes(tree) for place in operator().mutation_positions(node))
        for occurrence, ((line, _), _) in enumerate(places):
            yield name, occurrence, line


def executed(source, line):
    """Whether a line is code: no annotation of a signature or variable alone can be told apart by a test."""
    text = source.splitlines()[line - 1].strip()
    return not (
        text.startswith(("def ", '"', "from ", "import ")) or (": " in text and " | " in text and "=" not in text)
    )


def noticed(tree, path, text, tests):
    """Whether tests fail on a changed file."""
    place = tree / path
    whole = place.read_text()
    place.write_text(text)
    try:
        child = os.fork()
        if not child:
            attempt(tree, tests)
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what its tests started
        return status != 0
    finally:
        place.write_text(whole)


def attempt(tree, tests):
    """Run tests in this fork, and end it."""
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
        os.chdir(tree)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (1, 2):
            os.dup2(nowhere, number)
        import pytest

        os._exit(int(pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not slow", *tests])))
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(99)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(TESTS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as away:
        tree = Path(away, "tree")
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, files.split("\0")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
        roots = [str(tree), *(str(tree / room) for room in ("runtime", "exporters", "devices"))]
        sys.path[:0] = roots
        os.environ["PYTHONPATH"] = os.pathsep.join(roots)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
        import numpy  # noqa: F401
        import pyarrow  # noqa: F401
        import pytest  # noqa: F401
        import scipy.stats  # noqa: F401

        tell(tree, options)


def tell(tree, options):
    """Try mutants until the time is over, and print what became of them."""
    waiting, counts = {}, {}
    for path in options.only:
        source = (tree / path).read_text()
        entries = [entry for entry in mutants(source) if executed(source, entry[2])]
        random.Random(f"{options.seed} {path}").shuffle(entries)
        waiting[path], counts[path] = entries, [len(entries), 0, 0]
        assert not noticed(tree, path, source, TESTS[path]), f"the tests of {path} fail as it is"
    print(f"{'module':44} mutants  tried  noticed", flush=True)
    until, survivors = time.monotonic() + options.seconds, []
    while any(waiting.values()) and time.monotonic() < until:
        for path, entries in waiting.items():
            if not entries or time.monotonic() >= until:
                continue
            name, occurrence, line = entries.pop()
            source = (tree / path).read_text()
            text = mutate_code(source, get_operator(name)(), occurrence)
            if text is None or text == source:
                continue
            counts[path][1] += 1
            if noticed(tree, path, text, TESTS[path]):
                counts[path][2] += 1
            else:
                survivors.append((path, line, name, source.splitlines()[line - 1].strip()))
                print("survived:", *survivors[-1], flush=True)
    for path, (total, tried, killed) in counts.items():
        print(f"{path:44} {total:7,} {tried:6,} {killed:8,}")
    tried, killed = (sum(count[i] for count in counts.values()) for i in (1, 2))
    print(f"{killed} of {tried} noticed, {len(survivors)} survived; seed {options.seed}, "
          f"cosmic-ray {version('cosmic-ray')}, Python {sys.version.split()[0]}")  # fmt: skip


if __name__ == "__main__":
    main()
