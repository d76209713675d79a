"""What must hold between the parts of a model."""

from __future__ import annotations

from .checks import shown
from .errors import ModelFormatError
from .model import Input, Model, Output


def check_streams(inputs: tuple[Input, ...]) -> None:
    """Refuse a derived input whose source is not there."""
    sources = {feature.name for feature in inputs if feature.stream is None and feature.categories is None}
    for i, feature in enumerate(inputs):
        if feature.stream is not None and feature.stream[1] not in sources:
            raise ModelFormatError(
                f"inputs[{i}].stream.of is {shown(feature.stream[1])}; "
                "it must be an input of numbers that is itself read"
            )


def check_links(outputs: tuple[Output, ...], classes: tuple[str, ...] | None) -> None:
    """Refuse links that do not go with the outputs and classes."""
    links = {output.link for output in outputs}
    if len(links) > 1:
        raise ModelFormatError(f"outputs have different links ({', '.join(sorted(links))}); they must share one")
    link = links.pop()
    if link in ("identity", "exp"):
        if classes is not None:
            raise ModelFormatError(f"classes do not go with link {link!r}; use 'logistic' or 'softmax'")
        return
    if (link == "logistic") != (len(outputs) == 1):
        raise ModelFormatError(f"link {link!r} with {len(outputs)} outputs; 'logistic' has one, 'softmax' two or more")
    wanted = 2 if link == "logistic" else len(outputs)
    if classes is None or len(classes) != wanted:
        raise ModelFormatError(f"classes must name the {wanted} classes of link {link!r}")


def check_room(model: Model) -> None:
    """Refuse a model whose values could overflow float32."""
    limit = model.limit
    if limit <= 1.0:
        raise ModelFormatError("the model's values can overflow float32 for readings within +-1; rescale the target")
    for i, feature in enumerate(model.inputs):
        if feature.low is not None and feature.high is not None and max(-feature.low, feature.high) > limit:
            raise ModelFormatError(
                f"inputs[{i}]: the range {feature.low!r} to {feature.high!r} can overflow float32 in this model "
                f"(readings must stay within +-{limit!r}); rescale the input or the target"
            )
