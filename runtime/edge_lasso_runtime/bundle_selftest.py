"""A bundle checks itself: its test vectors through its own model."""

from __future__ import annotations

from .bundle import VECTORS, member
from .checks import parse
from .format import load, model_hash
from .predict import predict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def selftest(path: Any) -> tuple[list[str], str]:
    """Run a bundle's test vectors: the linear predictor of each row, bit for bit.

    Returns
    -------
    failures : list of str
        One line each; empty when all is well.
    text : str
        What was run.
    """
    model = load(path)
    vectors = parse(member(path, VECTORS).decode("utf-8"), None, float)
    failures = []
    for i, (row, wanted) in enumerate(vectors):
        linear = predict(model, row).linear
        if linear != wanted:
            failures.append(f"vector {i} gives {linear!r}, must be {wanted!r}")
    return failures, f"python:pyz, {len(vectors)} vectors bit for bit, model {model_hash(model)}"
