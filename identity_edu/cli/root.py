"""The application that every command joins, and its options without a command."""

from typing import Annotated

import typer

from identity_edu import __version__

app = typer.Typer(
    name="identity-edu",
    help="Around the Identity: a textbook whose theorems are programs.",
    no_args_is_help=True,
    add_completion=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"identity-edu {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Exit."),
    ] = False,
) -> None:
    """Read, run and check the course."""
