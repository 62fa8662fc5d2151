"""``identity-edu record``: bring the result of a finished run into the book."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from identity_edu.cli.root import app
from identity_edu.cli.train import one_line_errors


@app.command()
def record(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
) -> None:
    """Write the result of an unchanged recipe to where the book reads it."""
    from identity_edu.experiments import write_result
    from identity_edu.train import recipes, start
    from identity_edu.train.files import RunError
    from identity_edu.train.folder import RunFolder

    with one_line_errors():
        folder = RunFolder(run)
        settings, result = folder.settings(), folder.result()
        if result is None:
            raise RunError(f"{run} has not finished: there is no result to record.")
        recipe = recipes.from_plain(settings["recipe"])
        net = _stated_net(recipe)
        if net is None:
            raise RunError(
                f"the recipe of {recipe.name} is required, as it stands; {run} has "
                "another width, length or rate."
            )
        is_own = net == recipes.NETS[0]
        kind = "" if is_own else f" --net {net}"
        options, device = _on_a_device(settings)
        path = write_result(
            f"{recipe.name}_run" if is_own else f"{recipe.name}_{net}_run",
            result | device,
            command=f"identity-edu train {recipe.name}{kind}{options} "
            f"--seed {settings['seed']}",
            seeds=[settings["seed"]],
            script=start.__file__,
        )
        typer.echo(path)


def _on_a_device(settings):
    """Return what a run that NumPy did not compute adds to command and result."""
    from identity_edu.train import backends

    backend = backends.from_plain(settings.get("backend"))
    if backend == backends.Backend():
        return "", {}
    options = f" --backend {backend.name} --precision {backend.precision}"
    return options, {"device": settings["history"][-1]["environment"]["device"]}


def _stated_net(recipe):
    """Return the kind of net for which this is the recipe as it stands, or None.

    How often it was looked at changes no weight: on a device, less often.
    """
    from identity_edu.train import recipes

    for net in recipes.NETS:
        stated = recipes.with_net(recipes.RECIPES[recipe.name], net)
        looks = recipe.telemetry_every, recipe.checkpoint_every
        as_often = replace(stated, telemetry_every=looks[0], checkpoint_every=looks[1])
        if recipe == as_often:
            return net
    return None
