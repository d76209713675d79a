"""Sessions for the PromQL artifact: its rules in Prometheus' own test tool, one row a minute."""

from __future__ import annotations

from .artifact import Artifact
from .errors import MissingRuntimeError, SessionError
from .sessions import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .sessions import Rows

MISSING = "stale"
TIMEOUT = 120.0


def open_session(kind: str, artifact: Artifact, promtool: str = "promtool") -> Session:
    """See `sessions.load`."""
    import json
    import subprocess

    try:
        with open(artifact.path(f"{artifact.name}.inputs.json"), encoding="utf-8") as file:
            inputs = json.load(file)
        asked = subprocess.run([promtool, "--version"], capture_output=True, text=True)
    except FileNotFoundError:
        raise MissingRuntimeError("there is no promtool here; install it with: apt-get install prometheus") from None
    except (OSError, ValueError) as error:
        raise SessionError(f"{artifact.path()} cannot be read: {error}") from None
    version = (asked.stdout or asked.stderr).split("version ")[-1].split("+")[0].split(",")[0].split(" ")[0]
    return PromqlSession(artifact, f"promtool {version}", inputs, promtool)


class PromqlSession(Session):
    """Recording rules, a row a minute."""

    def __init__(self, artifact: Artifact, runtime: str, inputs: dict[str, Any], promtool: str) -> None:
        super().__init__(artifact, runtime, inputs["model_hash"])
        self.inputs = inputs
        self.promtool = promtool
        self.rows: Rows | None = None
        self.answers: dict[str, list[dict[str, float]]] = {}

    def linear(self, rows: Rows) -> list[list[float]]:
        """The linear predictor of each output."""
        return self._outputs(rows, "linear")

    def predict(self, rows: Rows) -> list[list[float]]:
        """The prediction: after the link."""
        return self._outputs(rows, "value")

    def labels(self, rows: Rows) -> list[int | str] | None:
        """The class whose sample is 1."""
        if self.inputs["classes"] is None:
            return None
        return [max(answer, key=lambda word: answer[word]) for answer in self._of(rows, "label")]

    def degraded(self, rows: Rows) -> list[bool] | None:
        """The rule `degraded`."""
        return [answer[""] != 0.0 for answer in self._of(rows, "degraded")]

    def _outputs(self, rows: Rows, rule: str) -> list[list[float]]:
        try:
            return [[answer[name] for name in self.artifact.outputs] for answer in self._of(rows, rule)]
        except KeyError as error:
            raise SessionError(f"{self.artifact.entry} records no {rule} of {error}") from None

    def _of(self, rows: Rows, rule: str) -> list[dict[str, float]]:
        self._check(rows)
        if rows is not self.rows:
            self.answers = self._ask(rows) if rows else {}
            self.rows = rows
        return self.answers[rule] if rows else []

    def _ask(self, rows: Rows) -> dict[str, list[dict[str, float]]]:
        """Every rule on every row: what promtool finds where it is told to find nothing."""
        import json
        import os
        import subprocess
        import tempfile

        name = self.artifact.name
        rules = ["linear", "value", "degraded", *(["label"] if self.inputs["classes"] is not None else [])]
        asked = [
            {"expr": f"{name}:{rule}", "eval_time": f"{minute}m", "exp_samples": []}
            for minute in range(len(rows))
            for rule in rules
        ]
        test = {
            "rule_files": [os.path.abspath(self.artifact.path())],
            "evaluation_interval": "1m",
            "tests": [{"interval": "1m", "input_series": self._series(rows), "promql_expr_test": asked}],
        }
        with tempfile.TemporaryDirectory() as away:
            path = os.path.join(away, "test.yml")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(test, file)
            try:
                done = subprocess.run(
                    [self.promtool, "test", "rules", path],
                    capture_output=True,
                    text=True,
                    encoding="utf-8",
                    timeout=TIMEOUT,
                )
            except subprocess.TimeoutExpired:
                raise SessionError(f"timed out: {self.runtime} did not answer within {TIMEOUT:g} s") from None
        result = [
            line.strip()[5:] for line in (done.stdout + done.stderr).splitlines() if line.strip().startswith("got: ")
        ]
        if len(result) != len(asked):
            lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()] or ["no answer"]
            raise SessionError(f"{self.runtime} cannot run {self.artifact.entry}: {lines[-1].strip()[:200]}")
        answers: dict[str, list[dict[str, float]]] = {rule: [] for rule in rules}
        for question, line in zip(asked, result):
            answers[str(question["expr"]).rpartition(":")[2]].append(samples(line))
        return answers

    def _series(self, rows: Rows) -> list[dict[str, str]]:
        import json

        series = []
        for place, (name, words) in enumerate(zip(self.artifact.inputs, self.inputs["categories"])):
            column = [row[place] for row in rows]
            label = json.dumps(name, ensure_ascii=False)
            if words is None:
                values = " ".join(_value(x) for x in column)
                series.append({"series": f"reading{{input={label}}}", "values": values})
                continue
            for k, word in enumerate(words):
                there = " ".join("1" if x == k else MISSING for x in column)
                value = json.dumps(word, ensure_ascii=False)
                series.append({"series": f"reading{{input={label}, value={value}}}", "values": there})
        return series


def _value(x: float) -> str:
    if x != x:
        return MISSING
    return repr(x).replace("inf", "Inf")


def samples(line: str) -> dict[str, float]:
    """``{labels} value, {labels} value`` as a mapping from the label `output` or `class` to the value."""
    import json

    entry: dict[str, float] = {}
    decoder = json.JSONDecoder()
    at = 0
    while at < len(line):
        key, at = "", line.index("{", at) + 1
        while line[at] != "}":
            equals = line.index("=", at)
            label = line[at:equals].strip(" ,")
            text, at = decoder.raw_decode(line, equals + 1)
            key = text if label in ("output", "class") else key
        number, _, rest = line[at + 1 :].strip().partition(", {")
        entry[key] = float(number)
        at = len(line) - len(rest) - 1 if rest else len(line)
    return entry
