"""``identity-edu release``: hand an assignment out, as a folder and as one archive."""

from pathlib import Path
from typing import Annotated

import typer

from identity_edu.cli.grade import Course, errors_told, short
from identity_edu.cli.root import app


@app.command()
def release(
    assignment: Annotated[str, typer.Argument(help="NN_slug, as in solutions/.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the archive; dist/ by default.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; say what drifts.")
    ] = False,
    course: Course = Path(),
) -> None:
    """Write the exercise, enter it into the gradebook, and pack it for students."""
    root = course.resolve()
    with errors_told():
        from identity_edu.grading.bundle import write_bundle
        from identity_edu.grading.release import check_drift
        from identity_edu.grading.release import release as write_exercise

        if check:
            check_drift(root, [assignment])
            return
        write_exercise(root, assignment, gradebook=True)
        typer.echo(f"wrote exercises/{assignment}/, and entered it into the gradebook")
        bundle = write_bundle(root, assignment, out or root / "dist")
        typer.echo(f"wrote {short(bundle, root)}: give this file to your students")
