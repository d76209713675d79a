"""`edge-lasso verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands import table_options as table
from edge_lasso.commands.shared import ModelFile
from edge_lasso.errors import VerificationError


@table.reads_tables
def verify(
    model: ModelFile,
    artifacts: Annotated[
        list[Path] | None, typer.Argument(help="Artifact folders; by default all targets, rendered anew.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Real rows to try, too.")] = None,
    run_foreign: Annotated[
        bool,
        typer.Option("--run-foreign", help="Execute also what MODEL does not render to: foreign code, your rights."),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the certificate here.")
    ] = None,
    *,
    read: table.Reader,
) -> None:
    """Run artifacts in their own runtimes and compare them with the model.

    This executes code: only artifacts that are byte for byte what MODEL renders to, unless --run-foreign says otherwise.

    Example: edge-lasso verify model.json artifacts --data readings.csv --json certificate.json
    """
    from edge_lasso.reporting.show_measured import show_certificate
    from edge_lasso.verifying.verify import verify as run
    from edge_lasso_runtime import load
    from edge_lasso_runtime.atomic import write_json

    certificate = run(load(model), artifacts or None, None if data is None else read(data)[0], run_foreign=run_foreign)
    if json_file is not None:
        write_json(json_file, certificate.to_json())
    show_certificate(certificate, as_json=False)
    if certificate.status != "passed":
        raise VerificationError(f"verification: {certificate.status.replace('_', ' ')}; see the table above")
