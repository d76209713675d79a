"""What of scikit-learn is taken over: the table in the documentation is what happens, and nothing is wrong."""

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import pipelines

    yield pipelines
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def results(benchmark):
    ways = {"ours": benchmark.ours}
    return {group: benchmark.outcomes(cases(), ways)["ours"] for group, cases in benchmark.GROUPS}


@pytest.mark.parametrize(("group", "at_least"), [("estimators", 105), ("pipelines", 64)])
def test_most_are_taken_and_none_is_wrong(results, group, at_least):
    cases = results[group]
    assert [one.name for one in cases if one.result == "wrong"] == []
    assert sum(one.result in ("yes", "labels") for one in cases) >= at_least


def test_every_refusal_names_the_step_and_says_why(results):
    for one in [*results["estimators"], *results["pipelines"]]:
        if one.result == "no":
            assert one.why.startswith("step '"), one
            assert "\n" not in one.why
            assert len(one.why) < 240


def test_the_table_in_the_documentation_is_what_happens(benchmark, results):
    assert (ROOT / "docs" / "reference" / "pipelines.md").read_text(encoding="utf-8") == benchmark.markdown(results)
