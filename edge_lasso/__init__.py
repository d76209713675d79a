"""Sparse linear models for small boards.

What people call: `train` (numbers), `classify` (classes) and `watch` (normal operation) make models of tables; `check`
says what is in one; `predict`, `explain`, `report` and `drift` use a model; `prune`, `quantize`, `search`, `export`,
`verify` and `bench` bring it to a board; `save` and `load` keep it. `LassoRegressor`, `LassoClassifier` and
`ResidualDetector` are scikit-learn's estimators; `from_sklearn` takes a fitted pipeline.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_lasso.detecting.plots import plot_scores
    from edge_lasso.estimators.classifier import LassoClassifier
    from edge_lasso.estimators.detector import ResidualDetector
    from edge_lasso.estimators.from_sklearn import from_sklearn
    from edge_lasso.estimators.regressor import LassoRegressor
    from edge_lasso.paths.plots import plot_path
    from edge_lasso.statistics.statistics import Statistics
    from edge_lasso.watching.bundle import bundle
    from edge_lasso.workbench import (
        bench,
        check,
        classify,
        drift,
        explain,
        export,
        predict,
        prune,
        quantize,
        report,
        save,
        search,
        train,
        verify,
        watch,
    )
    from edge_lasso_runtime import load

__version__ = "0.1.0"

__all__ = [
    "LassoClassifier",
    "LassoRegressor",
    "ResidualDetector",
    "Statistics",
    "bench",
    "bundle",
    "check",
    "classify",
    "drift",
    "explain",
    "export",
    "from_sklearn",
    "load",
    "plot_path",
    "plot_scores",
    "predict",
    "prune",
    "quantize",
    "report",
    "save",
    "search",
    "train",
    "verify",
    "watch",
]

_ELSEWHERE = {
    "LassoClassifier": "edge_lasso.estimators.classifier",
    "LassoRegressor": "edge_lasso.estimators.regressor",
    "ResidualDetector": "edge_lasso.estimators.detector",
    "Statistics": "edge_lasso.statistics.statistics",
    "bundle": "edge_lasso.watching.bundle",
    "from_sklearn": "edge_lasso.estimators.from_sklearn",
    "load": "edge_lasso_runtime",
    "plot_path": "edge_lasso.paths.plots",
    "plot_scores": "edge_lasso.detecting.plots",
}


def __getattr__(name: str) -> Any:
    """What is asked for is imported then: importing everything takes a second, and most commands need little of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_ELSEWHERE.get(name, "edge_lasso.workbench")), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
