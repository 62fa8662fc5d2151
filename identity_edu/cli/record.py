"""``identity-edu record``: bring the result of a finished run into the book."""

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
        path = write_result(
            f"{recipe.name}_run" if is_own else f"{recipe.name}_{net}_run",
            result,
            command=f"identity-edu train {recipe.name}{kind} --seed {settings['seed']}",
            seeds=[settings["seed"]],
            script=start.__file__,
        )
        typer.echo(path)


def _stated_net(recipe):
    """Return the kind of net for which this is the recipe as it stands, or None."""
    from identity_edu.train import recipes

    for net in recipes.NETS:
        if recipe == recipes.with_net(recipes.RECIPES[recipe.name], net):
            return net
    return None
