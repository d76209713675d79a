"""A model's formula as text to copy: Python, C, a spreadsheet, SQL; the linear predictor of its first output."""

from __future__ import annotations

from html import escape

from edge_lasso_exporters.names import identifiers
from edge_lasso_runtime import Model


def formulas(model: Model) -> dict[str, str]:
    """The formula by language; empty where a formula alone is not the model (earlier rows, categories, hinges).

    Numbers are written so that they read back exactly.
    """
    if model.bent or any(each.stream is not None or each.categories is not None for each in model.inputs):
        return {}
    output = model.outputs[0]
    columns = [
        f"{chr(65 + i)}2" if i < 26 else f"{chr(64 + i // 26)}{chr(65 + i % 26)}2" for i in range(len(model.inputs))
    ]
    quoted = ['"' + each.name.replace('"', '""') + '"' for each in model.inputs]
    symbols = identifiers([each.name for each in model.inputs])
    written = {}
    for language, names in (("Python", symbols), ("C", symbols), ("Spreadsheet", columns), ("SQL", quoted)):
        terms = [
            " * ".join([_number(term.coef), *(names[factor.input] for factor in term.factors)]) for term in output.terms
        ]
        total = " + ".join([_number(output.intercept), *terms])
        written[language] = _linked(language, total, output.link)
    written["Spreadsheet"] += (
        "    (" + ", ".join(f"{at}: {each.name}" for at, each in zip(columns, model.inputs, strict=True)) + ")"
    )
    return written


def _number(value: float) -> str:
    return repr(value) if value >= 0 else f"({value!r})"


def _linked(language: str, total: str, link: str) -> str:
    if link == "logistic":
        inside = f"1 / (1 + exp(-({total})))"
        return "=" + inside.replace("exp", "EXP") if language == "Spreadsheet" else inside
    if link == "exp":
        return f"=EXP({total})" if language == "Spreadsheet" else f"exp({total})"
    return f"={total}" if language == "Spreadsheet" else total


def formula_section(model: Model) -> str:
    """The part of the page that has them."""
    written = formulas(model)
    if not written or len(model.outputs) > 1:
        return ""
    parts = "".join(
        f"<details><summary>{language}</summary><pre tabindex='0'><code>{escape(text)}</code></pre></details>"
        for language, text in written.items()
    )
    return f"<h2>The formula</h2><p class='soft'>Readings as they are; a missing one takes its default.</p>{parts}"
