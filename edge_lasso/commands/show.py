"""`edge-lasso show`."""

from __future__ import annotations

from edge_lasso.commands.shared import Json, ModelFile


def show(model: ModelFile, as_json: Json = False) -> None:
    """Show a model: inputs, coefficients, ranges, provenance, quality.

    Example: edge-lasso show model.json
    """
    from edge_lasso.reporting.show import show_model
    from edge_lasso.statistics.beside import load_statistics
    from edge_lasso_runtime import load

    loaded = load(model)
    show_model(loaded, load_statistics(model, loaded, missing_ok=True), as_json)
