"""``identity-edu grade``: grade what students handed in, however often it is killed."""

import contextlib
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from identity_edu.cli.counts import counting
from identity_edu.cli.root import app

Assignment = Annotated[str, typer.Argument(help="NN_slug", show_default=False)]
Folder = Annotated[
    Path | None,
    typer.Argument(help="Of submissions; .grading/submitted.", show_default=False),
]
Course = Annotated[Path, typer.Option(help="The course's folder.")]
Students = Annotated[
    str | None, typer.Option(metavar="A,B,...", help="Only these; all.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Submissions at a time; one a core.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="tcp://HOST:PORT", help="Of a Dask cluster that grades."),
]
Isolation = Annotated[
    str | None,
    typer.Option(help="bubblewrap | rlimits (for those you trust); bubblewrap."),
]
PerStudent = Annotated[
    bool | None,
    typer.Option(help="Hidden problems of each student's own; no."),
]


@app.command()
def grade(  # noqa: PLR0913, PLR0917 - an option is a parameter
    assignment: Assignment,
    folder: Folder = None,
    course: Course = Path(),
    students: Students = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    isolation: Isolation = None,
    force: Annotated[
        bool, typer.Option("--force", help="Grade again what was graded.")
    ] = False,
    per_student: PerStudent = None,
    feedback: Annotated[
        bool, typer.Option(help="Write the pages that go back, into return/.")
    ] = True,
    csv: Annotated[
        Path | None, typer.Option(help="Table to write; .grading/NN_slug.csv.")
    ] = None,
) -> None:
    """Grade the submissions of an assignment; run it again after any interruption.

    What was graded before is left as it is, unless a newer version was handed in.
    """
    with errors_told(will_grade=scheduler is None):
        from identity_edu.grading.batch import grade_assignment
        from identity_edu.grading.handback import hand_back

        root = course.resolve()
        options = options_told(
            root,
            workers=workers,
            scheduler=scheduler,
            isolation=isolation,
            is_per_student=per_student,
            is_forced=force,
        )
        table = csv or root / ".grading" / f"{assignment}.csv"
        with counting() as show:
            graded = grade_assignment(
                root,
                assignment,
                folder,
                students=names_of(students),
                options=options,
                report=show,
            )
        pages = hand_back(root, graded, table, has_pages=feedback)
        count = f"{len(pages)} page{'' if len(pages) == 1 else 's'}"
        typer.echo(f"wrote {short(table, root)}, and {count} to return/")
    _tell(graded, folder)
    if not graded.is_complete:
        raise typer.Exit(1)


def names_of(students: str | None) -> list[str] | None:
    """Take a list of names apart.

    Parameters
    ----------
    students : str or None
        Names with commas between them.

    Returns
    -------
    list of str or None
        None stands for all.
    """
    if students is None:
        return None
    return [name.strip() for name in students.split(",") if name.strip()]


def options_told(root, **chosen):
    """Return how to grade, and print the isolation and the secret in force.

    Parameters
    ----------
    root : Path
        Course folder.
    **chosen : object
        What the command line says; None leaves it to the course's settings.

    Returns
    -------
    identity_edu.grading.marking.Options
    """
    from identity_edu.grading.plugin import options_of
    from identity_edu.grading.secret import course_secret, fingerprint

    options = options_of(root, **chosen)
    where = f", on {options.scheduler}" if options.scheduler else ""
    typer.echo(f"isolation: {options.isolation}{where}")
    typer.echo(f"secret: {fingerprint(course_secret())}")
    return options


@contextlib.contextmanager
def errors_told(*, will_grade: bool = False):
    """Say in one line what is missing or wrong, and leave with status 1.

    Parameters
    ----------
    will_grade : bool
        Whether to warm up what grades here, while nbgrader is imported.

    Yields
    ------
    None
    """
    try:
        from identity_edu.grading.isolation import grade_one

        if will_grade:
            grade_one.warm_up()
        from identity_edu.grading.course import GradingError
        from identity_edu.grading.isolation.task import IsolationError
        from identity_edu.train.files import RunError
    except ModuleNotFoundError as error:
        if error.name.startswith("identity_edu"):  # a student's copy
            needs = "is the instructor's part; this copy of identity_edu has none of it"
        else:
            needs = f"needs {error.name}: python -m pip install 'identity_edu[grade]'"
        typer.echo(f"grading {needs}", err=True)
        raise typer.Exit(1) from error
    try:
        with _stopped_by_terminate():
            yield
    except (GradingError, IsolationError, RunError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        typer.echo(
            "Stopped; what was graded is kept. The same command goes on.", err=True
        )
        raise typer.Exit(130) from error


@contextlib.contextmanager
def _stopped_by_terminate():
    """Let SIGTERM end the command as Ctrl-C does."""

    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(graded, folder):
    """Say what a person has to look at."""
    for note in graded.notes:
        typer.echo(note, err=True)
    for result in graded.failed:
        typer.echo(f"{result.student} is not graded: {result.reason}", err=True)
    if graded.outdated:
        typer.echo(
            f"{len(graded.outdated)} results were made with other tests: see "
            f"identity-edu regrade {graded.assignment}{f' {folder}' if folder else ''}",
            err=True,
        )
    if graded.failed:
        typer.echo("The same command tries those again.", err=True)
    if not graded.records:
        typer.echo(f"nothing was handed in for {graded.assignment}", err=True)
    sys.stdout.flush()


def short(path: Path, root: Path) -> Path:
    """Shorten the path of a file of the course.

    Parameters
    ----------
    path, root : Path

    Returns
    -------
    Path
    """
    return path.relative_to(root) if path.is_relative_to(root) else path
