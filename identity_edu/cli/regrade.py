"""``identity-edu regrade``: see what other tests would change, then apply it."""

from pathlib import Path
from typing import Annotated

import typer

from identity_edu.cli.counts import counting
from identity_edu.cli.grade import (
    Assignment,
    Course,
    Folder,
    Isolation,
    PerStudent,
    Scheduler,
    Students,
    Workers,
    errors_told,
    names_of,
    options_told,
    short,
)
from identity_edu.cli.root import app


@app.command()
def regrade(  # noqa: PLR0913, PLR0917 - an option is a parameter
    assignment: Assignment,
    folder: Folder = None,
    course: Course = Path(),
    students: Students = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    isolation: Isolation = None,
    per_student: PerStudent = None,
    force: Annotated[
        bool, typer.Option("--force", help="Do not go on with an earlier run.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply/--diff", help="Change the gradebook, or only say.")
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(help="Table of changes; .grading/NN_slug-regrade.csv."),
    ] = None,
) -> None:
    """Grade again, show whose points would change, and change them only if told.

    Points that a person gave are never touched.
    """
    with errors_told(will_grade=scheduler is None):
        from identity_edu.grading.regrade import regrade_assignment, write_changes

        root = course.resolve()
        options = options_told(
            root,
            workers=workers,
            scheduler=scheduler,
            isolation=isolation,
            is_per_student=per_student,
            is_forced=force,
        )
        with counting() as show:
            regraded = regrade_assignment(
                root,
                assignment,
                folder,
                students=names_of(students),
                options=options,
                is_applied=apply,
                report=show,
            )
        table = csv or root / ".grading" / f"{assignment}-regrade.csv"
        write_changes(table, regraded)
        _tell(regraded, short(table, root))
    if regraded.failed:
        raise typer.Exit(1)


def _tell(regraded, table):
    changes = regraded.by_student()
    for student, questions in changes.items():
        effect = sum(change.effect for change in questions)
        details = ", ".join(map(_line, questions))
        typer.echo(f"{student}: {effect:+g}  {details}")
    verb = "changed" if regraded.is_applied else "would change"
    n_all = len(regraded.students)
    typer.echo(f"{len(changes)} of {n_all} {verb}; the table is {table}")
    for result in regraded.failed:
        typer.echo(f"{result.student} is not graded: {result.reason}", err=True)
    if regraded.absent:
        names = ", ".join(regraded.absent)
        typer.echo(f"not in this folder, and left as marked: {names}", err=True)
    if regraded.newer:
        names = ", ".join(regraded.newer)
        typer.echo(f"handed in anew since: {names}; see identity-edu grade", err=True)
    if changes and not regraded.is_applied:
        typer.echo("To change them, give the same command with --apply.")


def _line(change):
    before, after = _points(change.before), _points(change.after)
    stays = "" if change.by_hand is None else f" ({change.by_hand:g} by hand stays)"
    return f"{change.question} {before} -> {after}{stays}"


def _points(points):
    return "awaiting" if points is None else f"{points:g}"
