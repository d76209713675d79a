"""What must hold between the parts of a model."""

from __future__ import annotations

from .checks import shown
from .errors import ModelFormatError
from .model import Input, Model, Output


def check_streams(inputs: tuple[Input, ...]) -> None:
    """Refuse a derived input whose source is not there."""
    sources = {one.name for one in inputs if one.stream is None and one.categories is None}
    for i, one in enumerate(inputs):
        if one.stream is not None and one.stream[1] not in sources:
            raise ModelFormatError(
                f"inputs[{i}].stream.of is {shown(one.stream[1])}; it must be an input of numbers that is itself read"
            )


def check_links(outputs: tuple[Output, ...], classes: tuple[str, ...] | None) -> None:
    """Refuse links that do not go with the outputs and classes."""
    links = {one.link for one in outputs}
    if len(links) > 1:
        raise ModelFormatError(f"outputs have different links ({', '.join(sorted(links))}); they must share one")
    link = links.pop()
    if link == "identity":
        if classes is not None:
            raise ModelFormatError("classes do not go with link 'identity'; use 'logistic' or 'softmax'")
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
    for i, one in enumerate(model.inputs):
        if one.low is not None and one.high is not None and max(-one.low, one.high) > limit:
            raise ModelFormatError(
                f"inputs[{i}]: the range {one.low!r} to {one.high!r} can overflow float32 in this model "
                f"(readings must stay within +-{limit!r}); rescale the input or the target"
            )
