"""Grade what students handed in: ``python -m identity_edu.grading.grade NN_slug``.

Run it in the course's folder. It autogrades every submission, writes the pages that
go back to students, and the table of points; it may be run again at any time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from identity_edu.grading.course import GradingError
from identity_edu.grading.executor import Verdict, autograde_assignment, submitters
from identity_edu.grading.feedback import write_feedback
from identity_edu.grading.records import (
    Record,
    first_message,
    read_records,
    write_csv,
)


@dataclass(frozen=True)
class Graded:
    """What grading one assignment left behind; `table` is the CSV file."""

    records: list[Record]
    verdicts: list[Verdict]
    remarks: dict[str, str]
    table: Path


def grade(
    course: Path, assignment: str, say: Callable[[str], None] = lambda line: None
) -> Graded:
    """Autograde, write feedback, and export the points of one assignment.

    Parameters
    ----------
    course : Path
        Course folder, the assignment released with its gradebook, submissions in
        ``.grading/submitted/<student>/<assignment>/<assignment>.ipynb``.
    assignment : str
        ``NN_slug``.
    say : callable, optional
        Called with each line of progress.

    Returns
    -------
    Graded
        Pages are in ``return/``, the table in ``.grading/<assignment>.csv``.

    Raises
    ------
    GradingError
        If the assignment is not in the gradebook: it was never released there.
    """
    n_all, verdicts = len(submitters(course, assignment)), []

    def report(verdict):
        verdicts.append(verdict)
        state = "graded" if verdict.is_graded else "not graded"
        say(f"[{len(verdicts)}/{n_all}] {verdict.student}: {state}")

    autograde_assignment(course, assignment, report)
    write_feedback(course, assignment, verdicts)
    say("wrote feedback to return/")
    remarks = {v.student: _remark(course, v) for v in verdicts}
    records = read_records(course, assignment)
    table = course / ".grading" / f"{assignment}.csv"
    write_csv(table, records, remarks)
    say(f"wrote {table.relative_to(course)}")
    return Graded(records, verdicts, remarks, table)


def main(assignment: Annotated[str, typer.Argument(help="NN_slug")]) -> None:
    """Grade every submission of one assignment in this course folder."""
    try:
        graded = grade(Path.cwd(), assignment, typer.echo)
    except GradingError as error:
        typer.echo(f"grade: {error}", err=True)
        raise typer.Exit(1) from error
    if not graded.verdicts:
        typer.echo(f"grade: no submissions in .grading/submitted/*/{assignment}/")


def _remark(course, verdict):
    """Say what went wrong: the executor's reason, then the first failed test."""
    failed = ""
    if verdict.is_graded:
        failed = first_message(course, verdict.assignment, verdict.student)
    return "; ".join(text for text in (verdict.reason, failed) if text)


if __name__ == "__main__":
    typer.run(main)
