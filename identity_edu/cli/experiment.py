"""``identity-edu experiment``: measure again what the book shows."""

from typing import Annotated

import typer

from identity_edu.cli.root import app
from identity_edu.cli.train import one_line_errors


@app.command()
def experiment(
    name: Annotated[str | None, typer.Argument(help="Without it: the list.")] = None,
) -> None:
    """Run an experiment and write its results file, or list the experiments."""
    from identity_edu import experiments

    known = experiments.registry()
    if name is None:
        for key, module in sorted(known.items()):
            purpose = module.__doc__.splitlines()[0]
            typer.echo(f"{key:<28} {purpose}")
        return
    if name not in known:
        names = ", ".join(sorted(known))
        typer.echo(f"NAME must be one of {names}; got {name!r}.", err=True)
        raise typer.Exit(2)
    with one_line_errors():
        typer.echo(experiments.run(name))
