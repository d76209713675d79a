"""The Open Inference Protocol (KServe's V2, JSON): requests in, answers out; knows no sockets.

``GET /v2``, ``/v2/health/live|ready``, ``/v2/models/NAME[/versions/V][/ready]``, ``POST /v2/models/NAME/infer``,
``GET /metrics``. A model's inputs come as one tensor each (shape ``[rows]`` or ``[rows, 1]``), or together as one
tensor ``[rows, inputs]`` in their order; ``null`` is a missing reading, a category is text (``BYTES``). Rows are
predicted each by itself.
"""

from __future__ import annotations

import json
from time import perf_counter

from .checks import parse
from .format import model_hash
from .predict import predict, predicted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .metrics import Metrics
    from .model import Model

    Answer = tuple[int, str, bytes]

JSON, TEXT = "application/json", "text/plain; version=0.0.4; charset=utf-8"
LARGEST_BODY = 1 << 20
MOST_ROWS = 10_000
NUMBERS = ("FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8", "BOOL")


class RequestError(ValueError):
    """A request that is refused; carries the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Inference:
    """Answers requests for one model.

    Parameters
    ----------
    model : Model
    name : str
        By which requests name it.
    metrics : Metrics
        What `/metrics` shows.
    token : str
        ``Authorization: Bearer`` must bring it; empty: nobody has to. Health needs none.
    """

    def __init__(self, model: Model, name: str, metrics: Metrics, token: str = "") -> None:
        if any(feature.stream is not None for feature in model.inputs):
            raise ValueError(
                "the model looks back at earlier rows; use score or mqtt: a request knows no row before it"
            )
        self._model = model
        self._name = name
        self._metrics = metrics
        self._token = token.encode()
        self._version = model_hash(model)[:12]

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One request.

        Parameters
        ----------
        method, path : str
        headers : mapping
            Names in lower case.
        body : bytes

        Returns
        -------
        status : int
        kind : str
            Of the content.
        content : bytes
        """
        try:
            return self._answer(method, path.partition("?")[0], headers, body)
        except RequestError as error:
            return error.status, JSON, _json({"error": str(error)})

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        parts = [part for part in path.split("/") if part]
        wanted = "POST" if parts and parts[-1] == "infer" else "GET"
        if method != wanted:
            raise RequestError(405, f"{path[:60]} takes {wanted}")
        if parts in (["v2", "health", "live"], ["v2", "health", "ready"]):
            return 200, JSON, _json({parts[-1]: True})
        self._check(headers)
        if parts == ["metrics"]:
            return 200, TEXT, self._metrics.text().encode()
        if parts == ["v2"]:
            import edge_lasso_runtime

            return 200, JSON, _json({"name": "edge-lasso", "version": edge_lasso_runtime.__version__, "extensions": []})
        if parts[:2] != ["v2", "models"] or len(parts) < 3:
            raise RequestError(404, f"there is no {path[:60]!r}; the protocol begins at /v2")
        if parts[2] != self._name:
            raise RequestError(404, f"there is no model {parts[2][:60]!r}; this server has {self._name!r}")
        rest = parts[3:]
        if rest[:1] == ["versions"] and len(rest) > 1:
            if rest[1] != self._version:
                raise RequestError(404, f"there is no version {rest[1][:60]!r}; this server has {self._version!r}")
            rest = rest[2:]
        if not rest:
            return 200, JSON, _json(self._about())
        if rest == ["ready"]:
            return 200, JSON, _json({"name": self._name, "ready": True})
        if rest == ["infer"]:
            if "inference-header-content-length" in headers:
                raise RequestError(400, "tensors in binary are an extension that is not here; send their data as JSON")
            return 200, JSON, self._infer(body)
        raise RequestError(404, f"there is no {path[:60]!r}")

    def _check(self, headers: Mapping[str, str]) -> None:
        if not self._token:
            return
        from hmac import compare_digest

        kind, _, supplied = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not compare_digest(supplied.strip().encode(), self._token):
            raise RequestError(401, "Authorization: Bearer TOKEN is missing or wrong")

    def _about(self) -> dict[str, Any]:
        inputs = [
            {"name": feature.name, "datatype": "FP64" if feature.categories is None else "BYTES", "shape": [-1, 1]}
            for feature in self._model.inputs
        ]
        outputs = [{"name": name, "datatype": kind, "shape": [-1, 1]} for name, kind in self._outputs()]
        return {
            "name": self._name, "versions": [self._version], "platform": "edge-lasso", "inputs": inputs,
            "outputs": outputs,
        }  # fmt: skip

    def _outputs(self) -> list[tuple[str, str]]:
        label = [("label", "BYTES")] if self._model.classes is not None else []
        names = [self._model.outputs[k].name for k in predicted(self._model)]
        return [*label, *((name, "FP64") for name in names), ("status", "BYTES")]

    def _infer(self, body: bytes) -> bytes:
        request = _parsed(body)
        rows = self._rows(request.get("inputs"))
        began = perf_counter()
        predictions = [predict(self._model, row) for row in rows]
        took = (perf_counter() - began) / max(len(rows), 1)
        columns: dict[str, list[Any]] = {name: [] for name, _ in self._outputs()}
        shown = predicted(self._model)
        for prediction in predictions:
            self._metrics.count_prediction(prediction, took)
            if prediction.label is not None:
                columns["label"].append(prediction.label)
            for k in shown:
                columns[self._model.outputs[k].name].append(prediction.values[k])
            columns["status"].append(prediction.status)
        asked = request.get("outputs")
        names = [name for name, _ in self._outputs()]
        if asked is not None:
            wanted = (
                [entry.get("name") for entry in asked if isinstance(entry, dict)] if isinstance(asked, list) else [None]
            )
            if any(name not in names for name in wanted):
                raise RequestError(400, f"outputs must be among {', '.join(names)[:200]}")
            names = [name for name in names if name in wanted] or names
        kinds = dict(self._outputs())
        answer = {
            "model_name": self._name,
            "model_version": self._version,
            "outputs": [
                {"name": name, "datatype": kinds[name], "shape": [len(rows), 1], "data": columns[name]}
                for name in names
            ],
        }
        if isinstance(request.get("id"), str):
            answer["id"] = request["id"][:200]
        return _json(answer)

    def _rows(self, tensors: Any) -> list[dict[str, Any]]:
        if not isinstance(tensors, list) or not tensors or not all(isinstance(tensor, dict) for tensor in tensors):
            raise RequestError(400, 'inputs must be a list of {"name", "shape", "datatype", "data"}')
        names = [feature.name for feature in self._model.inputs]
        if len(tensors) == 1 and tensors[0].get("name") not in names:
            rows = _table(tensors[0], len(names))
            return [dict(zip(names, row)) for row in rows]
        columns: dict[str, list[Any]] = {}
        for tensor in tensors:
            name = tensor.get("name")
            if name in columns:
                raise RequestError(400, f"input {name!r} comes twice")
            if name in names:
                columns[name] = [row[0] for row in _table(tensor, 1)]
        lengths = {len(column) for column in columns.values()}
        if len(lengths) != 1:
            raise RequestError(
                400,
                f"no input is one of the model's: {', '.join(names)[:200]}"
                if not columns
                else "inputs have different numbers of rows",
            )
        return [dict(zip(columns, row)) for row in zip(*columns.values())]


def _table(tensor: dict[str, Any], width: int) -> list[list[Any]]:
    """A tensor's rows."""
    name, shape, data = str(tensor.get("name"))[:60], tensor.get("shape"), tensor.get("data")
    sizes = shape if isinstance(shape, list) else []
    if not all(isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= MOST_ROWS for size in sizes):
        raise RequestError(400, f"shape of {name!r} must be whole numbers up to {MOST_ROWS}")
    rows = sizes[0] if sizes else -1
    if sizes not in ([rows], [rows, width]) or (len(sizes) == 1 and width != 1):
        raise RequestError(400, f"shape of {name!r} is {str(shape)[:40]}; it must be [rows, {width}]")
    if tensor.get("datatype") not in (*NUMBERS, "BYTES"):
        raise RequestError(
            400, f"datatype of {name!r} is {str(tensor.get('datatype'))[:20]!r}; FP64 or BYTES, as a rule"
        )
    if not isinstance(data, list):
        raise RequestError(400, f"data of {name!r} must be a list")
    flat = [value for row in data for value in row] if data and isinstance(data[0], list) else data
    if len(flat) != rows * width or any(isinstance(value, (list, dict)) for value in flat):
        raise RequestError(400, f"data of {name!r} has {len(flat)} values; its shape has {rows * width}")
    return [flat[i * width : (i + 1) * width] for i in range(rows)]


def _parsed(body: bytes) -> dict[str, Any]:
    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no JSON; null is a missing reading")

    try:
        request = parse(body.decode("utf-8"), None, refuse)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"the body is no JSON: {' '.join(str(error).split())[:100]}") from None
    if not isinstance(request, dict):
        raise RequestError(400, "the body must be a JSON object")
    return request


def _json(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def name_of_file(path: str) -> str:
    """The name under which a model's file is served by default."""
    import os

    return os.path.basename(path).rpartition(".")[0] or "model"


def loaded(path: str, token: str = "") -> Inference:
    """A model's file, ready for requests.

    Raises
    ------
    ModelFormatError, OSError
    ValueError
        The model needs the rows before.
    """
    from .format import load
    from .metrics import Metrics

    model = load(path)
    return Inference(model, name_of_file(path), Metrics(model, None, path), token)
