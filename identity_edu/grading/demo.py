"""Grade made-up students from end to end: ``python -m identity_edu.grading.demo``.

One assignment is released, handed in by students whose marks are known beforehand,
graded and returned, in a temporary course folder. It fails when a mark is not what it
must be, so it is a rehearsal of the course as well as a show.
"""

import copy
import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from nbgrader.converters import GenerateAssignment

from identity_edu.grading.batch import SUBMITTED, grade_assignment
from identity_edu.grading.course import (
    CONFIG,
    GradingError,
    assignment_names,
    convert,
    load_config,
)
from identity_edu.grading.handback import hand_back
from identity_edu.grading.isolation.sandbox import isolation_problem
from identity_edu.grading.isolation.task import Result
from identity_edu.grading.marking import Options
from identity_edu.grading.records import Record, remark
from identity_edu.grading.wrong_answers import load_wrong_answers

REFERENCE, UNTOUCHED, BROKEN = "reference", "untouched", "not-a-notebook"
TEST_DELETED = "test-cell-deleted"


@dataclass(frozen=True)
class Demo:
    """What the demonstration left behind."""

    course: Path
    assignment: str
    records: list[Record]
    results: dict[str, Result]


def submissions(root: Path, assignment: str, n_wrong: int | None) -> dict[str, str]:
    """Make up the notebook that each student hands in.

    Parameters
    ----------
    root : Path
        Course folder with solutions/, exercises/ and tests/wrong_answers/.
    assignment : str
        ``NN_slug``.
    n_wrong : int or None
        How many wrong answers to take, spread over the blanks; None for all.

    Returns
    -------
    dict
        Text of the notebook by student.
    """
    name = f"{assignment}.ipynb"
    reference = (root / "solutions" / assignment / name).read_text("utf-8")
    untouched = (root / "exercises" / assignment / name).read_text("utf-8")
    solved, made = json.loads(reference), {REFERENCE: reference, UNTOUCHED: untouched}
    made[BROKEN] = reference[: len(reference) // 2]  # a download that broke off
    made[TEST_DELETED] = json.dumps(_without_first_test(solved))
    wrong = load_wrong_answers(root, assignment)
    by_rank = [
        (cell_id, answers[rank])
        for rank in range(max(map(len, wrong.values())))
        for cell_id, answers in wrong.items()
        if rank < len(answers)
    ]
    for cell_id, answer in by_rank[:n_wrong]:
        student = f"{cell_id.removesuffix('-answer')}-{answer.name}"
        made[student] = json.dumps(_with_answer(solved, cell_id, answer.source))
    return made


def run_demo(
    root: Path,
    assignment: str,
    course: Path,
    *,
    n_wrong: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Demo:
    """Release, collect, grade, return and export one assignment.

    The submissions are our own: where bubblewrap is not to be had, limits will do.

    Parameters
    ----------
    root : Path
        The repository.
    assignment : str
        ``NN_slug``.
    course : Path
        Folder to make the course in: empty or absent.
    n_wrong : int, optional
        How many wrong answers to hand in; all by default.
    say : callable
        Called with each line of progress.

    Returns
    -------
    Demo
        Scores and results; the pages and the table are in the folder.

    Raises
    ------
    GradingError
        If the assignment is unknown or `course` is not empty.
    """
    _prepare(root, assignment, course)
    convert(GenerateAssignment, course, assignment)
    say(f"released {assignment} to exercises/")
    made = submissions(course, assignment, n_wrong)
    for student, text in made.items():
        folder = course / SUBMITTED / student / assignment
        folder.mkdir(parents=True)
        (folder / f"{assignment}.ipynb").write_text(text, encoding="utf-8")
    say(f"collected {len(made)} submissions")
    problem = isolation_problem("bubblewrap")
    level = "rlimits" if problem else "bubblewrap"
    why = f", which walls nothing off: {problem}" if problem else ""
    say(f"isolation: {level}{why}")
    graded = grade_assignment(course, assignment, options=Options(isolation=level))
    for student, result in graded.results.items():
        say(f"{student}: {result.verdict}")
    pages = hand_back(course, graded, course / ".grading" / f"{assignment}.csv")
    say(f"wrote .grading/{assignment}.csv, and {len(pages)} pages to return/")
    return Demo(course, assignment, graded.records, graded.results)


def surprises(demo: Demo) -> list[str]:
    """List the marks that are not what they must be.

    Parameters
    ----------
    demo : Demo
        A finished demonstration.

    Returns
    -------
    list of str
        One line each; empty when grading works.
    """
    exact = {REFERENCE: 1.0, TEST_DELETED: 1.0, UNTOUCHED: 0.0, BROKEN: 0.0}
    found = []
    by_hand = max(
        (r.awaiting for r in demo.records if r.student == REFERENCE), default=0
    )
    for record in demo.records:
        share, wanted = record.fraction, exact.get(record.student)
        if wanted is not None and share != wanted:
            found.append(f"{record.student} must get {wanted:.0%}, got {share:.1%}")
        if wanted is None and not 0.0 < share < 1.0:
            found.append(f"{record.student} must lose some points, got {share:.1%}")
        if record.awaiting > by_hand:
            found.append(f"{record.student}: a test left its points undecided")
    verdicts = {student: result.verdict for student, result in demo.results.items()}
    wanted = {BROKEN: "unreadable", TEST_DELETED: "repaired"}
    for student in [record.student for record in demo.records]:
        verdict = wanted.get(student, "graded")
        if verdicts.get(student) != verdict:
            found.append(f"{student} must be {verdict}, is {verdicts.get(student)}")
    return found


def table(demo: Demo) -> str:
    """Lay out the scores for a terminal.

    Parameters
    ----------
    demo : Demo
        A finished demonstration.

    Returns
    -------
    str
        A row a student, best first, and what went wrong.
    """
    exercises = list(demo.records[0].scores)
    rows = [["student", *exercises, "total", "autograded", "what went wrong"]]
    for r in sorted(demo.records, key=lambda r: (-r.total, r.student)):
        points = [f"{r.scores[name]:g}/{r.max_scores[name]:g}" for name in exercises]
        total = f"{r.total:g}/{r.max_total:g}"
        told = remark(demo.results[r.student])
        told = told if len(told) <= 72 else told[:69] + "..."
        rows.append([r.student, *points, total, f"{r.fraction:.0%}", told])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def main(
    assignment: Annotated[str | None, typer.Argument(help="NN_slug")] = None,
    keep: Annotated[Path | None, typer.Option(help="make the course here")] = None,
    wrong: Annotated[int, typer.Option(help="how many wrong answers at most")] = 6,
    root: Annotated[Path, typer.Option(help="the repository")] = Path(),
) -> None:
    """Release, solve, autograde and return one assignment, and show the scores."""
    root = root.resolve()
    with ExitStack() as stack:
        temporary = keep or stack.enter_context(tempfile.TemporaryDirectory())
        try:
            load_config(root)
            name = assignment or next(iter(assignment_names(root)), "")
            course = Path(temporary).resolve()
            demo = run_demo(root, name, course, n_wrong=wrong, say=typer.echo)
        except (GradingError, FileNotFoundError) as error:
            typer.echo(f"demo: {error}", err=True)
            raise typer.Exit(1) from error
        typer.echo(f"\n{table(demo)}\n")
        if keep:
            typer.echo(f"kept in {keep}: return/ and .grading/")
    problems = surprises(demo)
    for problem in problems:
        typer.echo(f"demo: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


def _prepare(root, assignment, course):
    if assignment not in assignment_names(root):
        known = ", ".join(assignment_names(root)) or "none"
        raise GradingError(f"no assignment {assignment!r} in solutions/; has: {known}.")
    if course.exists() and any(course.iterdir()):
        raise GradingError(f"the course needs an empty folder; {course} is not.")
    course.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / CONFIG, course)
    source = Path("solutions", assignment)
    shutil.copytree(root / source, course / source)
    wrong = Path("tests", "wrong_answers", f"{assignment}.py")
    if (root / wrong).is_file():
        (course / wrong).parent.mkdir(parents=True)
        shutil.copy(root / wrong, course / wrong)


def _without_first_test(document):
    document = copy.deepcopy(document)
    first = next(c for c in document["cells"] if _mark(c).get("grade"))
    document["cells"].remove(first)
    return document


def _with_answer(document, cell_id, source):
    document = copy.deepcopy(document)
    for cell in document["cells"]:
        if cell["id"] == cell_id:
            cell["source"] = source.strip("\n").splitlines(keepends=True)
    return document


def _mark(cell):
    return cell["metadata"].get("nbgrader", {})


if __name__ == "__main__":
    typer.run(main)
