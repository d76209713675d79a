"""The workbench: train, prune, quantize, verify, measure and report sparse linear models for small boards."""

from typing import TYPE_CHECKING, Any

from edge_lasso.compressing.prune import prune
from edge_lasso.compressing.quantize import quantize
from edge_lasso.measuring.bench import bench
from edge_lasso.statistics.statistics import Statistics
from edge_lasso.verifying.verify import export, verify
from edge_lasso_runtime import load

if TYPE_CHECKING:
    from edge_lasso.estimators.classifier import LassoClassifier
    from edge_lasso.estimators.detector import ResidualDetector
    from edge_lasso.estimators.from_sklearn import from_sklearn
    from edge_lasso.estimators.regressor import LassoRegressor

__version__ = "0.1.0"

__all__ = [
    "LassoClassifier",
    "LassoRegressor",
    "ResidualDetector",
    "Statistics",
    "bench",
    "export",
    "from_sklearn",
    "load",
    "prune",
    "quantize",
    "verify",
]

_WITH_SKLEARN = {
    "LassoClassifier": "edge_lasso.estimators.classifier",
    "LassoRegressor": "edge_lasso.estimators.regressor",
    "ResidualDetector": "edge_lasso.estimators.detector",
    "from_sklearn": "edge_lasso.estimators.from_sklearn",
}


def __getattr__(name: str) -> Any:
    """What needs scikit-learn is imported when it is asked for: that takes a second, and most commands do without."""
    if name not in _WITH_SKLEARN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_WITH_SKLEARN[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
