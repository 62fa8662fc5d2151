"""``identity-edu fetch``: bring a data set to this machine, in one go or in many."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from identity_edu.cli.root import app


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="cifar10 or cifar100.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where to; by default the user's cache folder.")
    ] = None,
    mirror: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Address to try; may be given again."),
    ] = None,
    from_file: Annotated[
        Path | None, typer.Option(help="The archive, brought by other means.")
    ] = None,
) -> None:
    """Fetch a data set, check it and unpack it; run it again after a break."""
    from identity_edu.data.fetch import ARCHIVES, FetchError
    from identity_edu.data.fetch import fetch as fetch_archive

    if name not in ARCHIVES:
        typer.echo(
            f"NAME must be one of {', '.join(ARCHIVES)}; got {name!r}.", err=True
        )
        raise typer.Exit(2)
    try:
        with _progress(name) as show:
            target = fetch_archive(
                ARCHIVES[name],
                folder,
                mirrors=mirror,
                from_file=from_file,
                progress=show,
            )
    except (FetchError, ValueError, OSError) as error:
        typer.echo(f"{name} is not fetched: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        typer.echo(
            "Stopped; what arrived is kept. The same command continues.", err=True
        )
        raise typer.Exit(130) from error
    typer.echo(f"{name} is in {target}")


@contextmanager
def _progress(name):
    """Give a function that shows progress: a bar, or lines where is no terminal."""
    if not sys.stderr.isatty():
        yield _lines(name)
        return
    from tqdm import tqdm

    bars = []

    def show(done, total):
        if not bars:  # the first bytes may lie here already, and are no speed
            bars.append(tqdm(desc=name, total=total, initial=done, **units))
        bars[0].update(done - bars[0].n)

    units = {"unit": "B", "unit_scale": True}
    try:
        yield show
    finally:
        for bar in bars:
            bar.close()


def _lines(name):
    """Show a line for each tenth."""
    shown = -1

    def show(done, total):
        nonlocal shown
        if (tenths := 10 * done // total) != shown:
            shown = tenths
            typer.echo(f"{name}: {done / 1e6:.1f} of {total / 1e6:.1f} MB", err=True)

    return show
