"""What a board needs: the model, its reference meaning, sessions and measurements.

Requires the standard library alone.
"""

from __future__ import annotations

from .errors import ModelFormatError, SessionError
from .format import dumps, load, loads, model_hash, save
from .model import Factor, Input, Model, Output, Term
from .predict import Prediction, predict

__version__ = "0.1.0"

__all__ = [
    "Factor",
    "Input",
    "Model",
    "ModelFormatError",
    "Output",
    "Prediction",
    "SessionError",
    "Term",
    "dumps",
    "load",
    "loads",
    "model_hash",
    "predict",
    "save",
]
