"""``identity-edu train``: begin a run, or go on with one."""

import contextlib
import shlex
from pathlib import Path
from typing import Annotated

import typer

from identity_edu.cli.progress import progress
from identity_edu.cli.root import app

NAMES = ("digits", "cifar10", "cifar100")
NETS = ("residual", "plain", "procrustes")
BACKENDS, PRECISIONS = ("numpy", "cupy"), ("bf16", "fp32")
RECIPE = "In place of the recipe's."
PACE = "Steps; on a GPU, unless given, 8 times the recipe's."


@app.command()
def train(  # noqa: PLR0913, PLR0917 - an option is a parameter
    name: Annotated[str | None, typer.Argument(help=" | ".join(NAMES))] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Folder of a run to go on with.")
    ] = None,
    net: Annotated[
        str | None, typer.Option(help=f"{' | '.join(NETS)}; residual.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; runs/NAME[-NET][-cupy]-SEED."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the official CIFAR files.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of start, order and shifts; 0.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="All cores; NumPy's bits depend on it.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="The falls of the rate move in proportion."),
    ] = None,
    width: Annotated[float | None, typer.Option(help="Factor on all channels.")] = None,
    blocks: Annotated[
        int | None, typer.Option(min=1, help="Residual blocks of each stage.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help=RECIPE)] = None,
    learning_rate: Annotated[float | None, typer.Option(help=RECIPE)] = None,
    checkpoint_every: Annotated[int | None, typer.Option(min=1, help=PACE)] = None,
    telemetry_every: Annotated[int | None, typer.Option(min=1, help=PACE)] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            help="numpy | cupy (a GPU: `identity-edu doctor` looks for it); numpy."
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="bf16 | fp32, of activations with --backend cupy; bf16 there."
        ),
    ] = None,
) -> None:
    """Train the all-convolutional residual net; Ctrl-C stops it so that it can go on.

    The digits are part of the package: `identity-edu train digits` needs nothing else.
    """
    changes = {
        "n_steps": steps,
        "width": width,
        "n_blocks": blocks,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "checkpoint_every": checkpoint_every,
        "telemetry_every": telemetry_every,
    }
    changes = {key: value for key, value in changes.items() if value is not None}
    with one_line_errors():
        if resume is None:
            chosen = _backend(backend, precision)
            recipe = _recipe(name, net, chosen, changes)
            options = {"threads": threads, "source": data, "backend": chosen}
            job = _begin(recipe, net, run, seed=seed or 0, **options)
        else:
            options = {_option(key): value for key, value in changes.items()}
            fixed = {"NAME": name, "--net": net, "--run": run, "--seed": seed}
            fixed |= {"--backend": backend, "--precision": precision}
            _require_free(fixed | options)
            job = _resume(resume, threads=threads, source=data)
        if job is not None:
            _finish(job)


@contextlib.contextmanager
def one_line_errors():
    """Say in one line what is missing or wrong, and leave with status 1.

    Yields
    ------
    None
    """
    from identity_edu.train.files import RunError

    try:
        yield
    except typer.Exit:  # a RuntimeError too
        raise
    except (RunError, RuntimeError, OSError, ValueError, MemoryError) as error:
        typer.echo(str(error) or "the memory is full.", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        typer.echo("Stopped before the first step.", err=True)
        raise typer.Exit(130) from error


def _say(text):
    """Print a line, if there is still somebody who reads it."""
    with contextlib.suppress(OSError):
        typer.echo(text)


def _refuse(text):
    """Say what is wrong with the command itself, and leave with status 2."""
    typer.echo(text, err=True)
    raise typer.Exit(2)


def _require_known(option, value, known):
    if value not in known:
        _refuse(f"{option} must be one of {', '.join(known)}; got {value!r}.")


def _backend(name, precision):
    from identity_edu.train.backends import Backend

    name = BACKENDS[0] if name is None else name
    _require_known("--backend", name, BACKENDS)
    usual = "fp32" if name == "numpy" else "bf16"
    precision = usual if precision is None else precision
    _require_known("--precision", precision, PRECISIONS)
    if name == "numpy" and precision != usual:
        _refuse(f"--precision {precision} needs --backend cupy; NumPy has fp32 alone.")
    return Backend(name, precision)


def _recipe(name, net, backend, changes):
    from identity_edu.train import backends, recipes

    net = NETS[0] if net is None else net
    _require_known("NAME", name, NAMES)
    _require_known("--net", net, NETS)
    recipe = recipes.with_net(recipes.RECIPES[name], net)
    if backend.name != "numpy":
        recipe = backends.at_a_devices_pace(recipe)
    return recipes.adapted(recipe, **changes)


def _begin(recipe, net, folder, *, seed, **options):
    from identity_edu.train import start

    if folder is None:
        usual = (None, NETS[0], BACKENDS[0])
        unusual = [k for k in (net, options["backend"].name) if k not in usual]
        folder = Path("runs") / "-".join((recipe.name, *unusual, str(seed)))
    _say_what_takes_long(options["backend"].to_plain())
    job = start.begin(folder, recipe, seed=seed, **options)
    drops = " and ".join(map(str, recipe.drops))
    _say(
        f"{recipe.name} in {folder}: {recipe.architecture.n_weights():,} weights, "
        f"{recipe.n_steps} steps of {recipe.batch_size} images, {job.where}. "
        f"The rate, {recipe.learning_rate:g}, falls after {drops} steps."
    )
    return job


def _resume(folder, *, threads, source):
    from identity_edu.train import start
    from identity_edu.train.folder import RunFolder

    result = RunFolder(folder).result()
    if result is not None:
        _say_result(folder, result)
        return None
    _say_what_takes_long(RunFolder(folder).settings().get("backend"))
    job = start.resume(folder, threads=threads, source=source)
    for note in job.notes:
        _say(note)
    _say(f"{folder} goes on after {job.trainer.n_steps} steps, {job.where}.")
    return job


def _say_what_takes_long(backend):
    """Announce the silence before the first step of a run that is not NumPy's."""
    from identity_edu.train.backends import Backend

    if backend not in (None, Backend().to_plain()):
        _say("Setting up the device. It compiles the kernels; CuPy keeps them.")


def _finish(job):
    """Train to the end; after a signal, say how to go on."""
    from identity_edu.train.folder import resume_command

    folder = job.folder.path
    with progress(job.trainer.recipe.n_steps, job.trainer.n_steps) as show:
        outcome = job.train(show)
    if outcome.signal is not None:
        kept = "a checkpoint is written" if outcome.n_steps else "nothing is lost"
        _say(
            f"Stopped after {outcome.n_steps} steps; {kept}. "
            f"Go on with: {resume_command(folder)}"
        )
        raise typer.Exit(128 + outcome.signal)
    _say_result(folder, job.folder.result())


def _say_result(folder, result):
    _say(
        f"Held-out accuracy {100 * result['held_out_accuracy']:.2f} % after "
        f"{result['n_steps']} steps in {result['seconds']:.0f} seconds. "
        f"See it: identity-edu plot {shlex.quote(str(folder))}"
    )


def _option(key):
    """Return what the command line calls a change to a recipe."""
    return f"--{key.removeprefix('n_').replace('_', '-')}"


def _require_free(fixed):
    """Refuse options that a run has fixed when it began."""
    given = [key for key, value in fixed.items() if value is not None]
    if given:
        raise ValueError(
            f"a run keeps its recipe: --resume goes with --threads and --data alone; "
            f"got {', '.join(given)} too."
        )
