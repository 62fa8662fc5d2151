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
    """Write the result of an unchanged recipe to where chapter 11 reads it."""
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
        if recipe != recipes.RECIPES[recipe.name]:
            raise RunError(
                f"the recipe of {recipe.name} is required, as it stands; {run} has "
                "another width, length or rate."
            )
        path = write_result(
            f"{recipe.name}_run",
            result,
            command=f"identity-edu train {recipe.name} --seed {settings['seed']}",
            seeds=[settings["seed"]],
            script=start.__file__,
        )
        typer.echo(path)
