"""``identity-edu plot``: draw what a run has written."""

from pathlib import Path
from typing import Annotated

import typer

from identity_edu.cli.root import app
from identity_edu.cli.train import one_line_errors


@app.command()
def plot(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    output: Annotated[
        Path | None, typer.Option(help="PNG to write; RUN/run.png.")
    ] = None,
) -> None:
    """Draw loss, accuracy, rate and the telemetry of every layer of a run."""
    from identity_edu import plots
    from identity_edu.train.files import RunError, write_atomically
    from identity_edu.train.folder import RunFolder

    with one_line_errors():
        folder = RunFolder(run)
        name = folder.settings()["recipe"].get("name", "a run")
        log, telemetry = folder.lines("log"), folder.lines("telemetry")
        if not log:
            raise RunError(f"{run} has no line in its log yet: train a little longer.")
        plots.use_book_style()
        try:
            figure = plots.training_run(log, telemetry, folder.lines("held_out"))
        except KeyError as error:
            raise RunError(f"a line of a file in {run} lacks {error}.") from error
        figure.suptitle(f"{name}, {log[-1]['step']} steps")
        output = run / "run.png" if output is None else output
        kind = output.suffix.removeprefix(".") or "png"
        write_atomically(output, lambda file: figure.savefig(file, format=kind))
        typer.echo(output)
