"""The workbench: train, prune, quantize, verify, measure and report sparse linear models for small boards."""

from edge_lasso.bench import bench
from edge_lasso.classifier import LassoClassifier
from edge_lasso.estimators import LassoRegressor
from edge_lasso.from_sklearn import from_sklearn
from edge_lasso.prune import prune
from edge_lasso.quantize import quantize
from edge_lasso.residual_detector import ResidualDetector
from edge_lasso.statistics import Statistics
from edge_lasso.verify import export, verify
from edge_lasso_runtime import load

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
