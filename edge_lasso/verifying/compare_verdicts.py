"""Comparing an artifact's `verdict` with the thresholds of its first stage."""

from __future__ import annotations

from math import inf, nextafter

import numpy as np

from edge_lasso_exporters.options import Options
from edge_lasso_exporters.verdicts import verdict_of
from edge_lasso_runtime import Model
from edge_lasso_runtime.cascade import KEY
from edge_lasso_runtime.interpreter_session import InterpreterSession
from edge_lasso_runtime.sessions import Session


def promised(model: Model, options: Options) -> dict[str, str]:
    """What the certificate says of verdicts; nothing of a model that is no first stage, or of a bundle's."""
    tried = KEY in model.sections and options.variant != "pyz"
    return {"verdict": "verdicts at, around and far from both thresholds"} if tried else {}


def compare_verdicts(session: Session, model: Model) -> list[str]:
    """What is wrong; empty where all is well, where there is no verdict, or reals are no binary64."""
    variant = session.artifact.variant
    wanted = verdict_of(model, Options(variant)) if variant in ("double", "float", "fixed") else None
    if wanted is None or (isinstance(session, InterpreterSession) and not session.exact and variant != "fixed"):
        return []
    numbers: list[float] = [-(2.0**31) + 1.0, 0.0, 2.0**31 - 1.0]
    for end in (wanted.low, wanted.high):
        if variant == "fixed":
            numbers += [end - 1, end, end + 1]
        elif variant == "float":
            numbers += [float(np.nextafter(np.float32(end), np.float32(far))) for far in (-inf, inf)] + [end]
        else:
            numbers += [nextafter(end, -inf), end, nextafter(end, inf)]
    supplied = session.verdicts(numbers)
    if supplied is None:
        return ["it has no verdict, and the model is a first stage"]
    for number, code in zip(numbers, supplied, strict=True):
        must = wanted.below if number < wanted.low else wanted.above if number > wanted.high else 0
        if code != must:
            return [f"the verdict of {number!r} is {code}, must be {must}"]
    return []
