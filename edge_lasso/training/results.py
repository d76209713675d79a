"""How a result of training shows itself: three lines, and a table in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from edge_lasso_runtime.explain import Explanation, explain, term_text
from edge_lasso_runtime.model import Model


class Explains:
    """Something with a model, of which single rows can be explained."""

    def explain(self, row: Mapping[str, Any] | Sequence[Any]) -> list[Explanation]:
        """What each input adds to the prediction of a row, the largest first; one per output."""
        return explain(getattr(self, "model", None) or self.model_, row)  # type: ignore[attr-defined]


class Shown(Explains):
    """A result with a `model`, which shows itself in few lines."""

    model: Model

    def _facts(self) -> str:
        """What training measured, in words."""
        return ""

    def __repr__(self) -> str:
        model = self.model
        outputs = ", ".join(output.name for output in model.outputs[:3]) + (" ..." if len(model.outputs) > 3 else "")
        inputs = ", ".join(each.name for each in model.inputs[:6]) + (" ..." if len(model.inputs) > 6 else "")
        return (
            f"{type(self).__name__}: {outputs} from {len(model.inputs)} of {len(model.columns)} inputs\n"
            f"  {inputs or 'a constant'}\n"
            f"  {self._facts()}"
        )

    def _repr_html_(self) -> str:
        """The terms of the first outputs, as a table."""
        rows = []
        for output in self.model.outputs[:3]:
            rows.append((output.name, "(intercept)", f"{output.intercept:.6g}"))
            for term in output.terms[:30]:
                rows.append((output.name, term_text(self.model, term), f"{term.coef:.6g}"))
        cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        return (
            f"<p>{escape(self._facts())}</p><table><thead><tr><th>output</th><th>input</th><th>coefficient</th></tr>"
            f"</thead><tbody>{cells}</tbody></table>"
        )


def quality_text(quality: dict[str, Any]) -> str:
    """Figures of rows held out, in words; an R2 below 0 is said in words, too."""
    text = f"held-out R2 {quality['r2']:.3f}, RMSE {quality['rmse']:.4g} on {quality['rows']:,.0f} rows never seen"
    return text + (": worse than always saying the mean" if quality["r2"] < 0 else "")
