"""``python -m edge_lasso_runtime predict``: rows of a file or of standard input, each by itself."""

from __future__ import annotations

import sys

from .printable import report
from .rows import RowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

    from .model import Model

DONE = 0


def run(options: Any) -> int:
    """Predict; results go to standard output, or to ``--out``, which is there whole or not at all."""
    from .format import load

    model = load(options.model)
    if options.interval and "interval/1" not in model.sections:
        raise RowError("the model has no interval; train it with --holdout 0.2 --interval 0.9")
    if options.out is None:
        _predict(model, options, sys.stdout)
        return DONE
    from io import TextIOWrapper

    from .atomic import replacing

    with replacing(options.out) as file:
        text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)  # type: ignore[type-var]
        _predict(model, options, text)
        text.detach()
    return DONE


def _predict(model: Model, options: Any, out: IO[str]) -> None:
    from csv import writer
    from time import perf_counter

    from .predict import clean, predict, predicted
    from .rows import PlainEnds, explained_header, explained_row, open_text, read_rows, result_header, result_row
    from .truth import truth_names, truths

    learned = second = metrics = None
    if options.learn is not None:  # imported where asked for: most starts import no more
        from .learn import Learner

        learned = Learner(model, options.learn)
    if options.cascade is not None:
        from .second_stage import SecondStage

        second = SecondStage(model, options.cascade)
    if options.metrics is not None:
        from .metrics import Metrics

        metrics = Metrics(model, options.metrics, options.model)
    if options.interval:
        from .interval import interval
    if options.explain:
        from .explain import explain
    decides = "cascade/1" in model.sections
    if decides:
        from .cascade import verdict
    shown = predicted(model)
    streaming = options.data == "-"
    wanted = truth_names(model) if learned is not None or metrics is not None else ()
    more = dict.fromkeys(wanted, True)
    if second is not None:
        more.update({name: name not in second.texts for name in second.names})
    with open_text(options.data, options.encoding) as source:
        table = writer(PlainEnds(out))
        for i, row in enumerate(read_rows(source, model, options.missing, report, streaming, more)):
            if i == 0:
                header = result_header(model, options.interval)
                then = [] if second is None else [f"then {name}" for name in result_header(second.model)]
                table.writerow([*header, *then, *(explained_header(model) if options.explain else [])])
            began = perf_counter()
            result = predict(model, row)
            if metrics is not None:
                metrics.take_prediction(result, perf_counter() - began)
            known = [row.get(name) for name in wanted]
            if metrics is not None and known:
                metrics.count_errors([result], truths(model, known[:1]))
            if learned is not None:
                learned.take(clean(model, row)[0], result.faults, known)
                learned.save_if_due()
            line = result_row(shown, result, interval(model, result) if options.interval else ())
            if decides:
                line.insert(0, verdict(model, result))
            if second is not None:
                after = second.of(result, row)
                line += [""] * len(then) if after is None else result_row(second.shown, after)
            table.writerow([*line, *explained_row(model, shown, explain(model, row))] if options.explain else line)
            if streaming:
                out.flush()
    if learned is not None:
        learned.save()
    if metrics is not None:
        metrics.write()
