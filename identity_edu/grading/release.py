"""Regenerate exercises/ from solutions/: ``python -m identity_edu.grading.release``.

The bytes depend on the solution notebook and nbgrader_config.py alone, so that a test
can hold that exercises/ was never edited by hand.
"""

import filecmp
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from nbgrader.converters import GenerateAssignment

from identity_edu.grading.course import (
    CONFIG,
    GradingError,
    assignment_names,
    convert,
    load_config,
)
from identity_edu.grading.gradebook import one_writer

WITHOUT_GRADEBOOK = {
    "SaveCells": {"enabled": False},
    "GenerateAssignment": {"no_database": True},
}


@contextmanager
def generated(
    root: Path, assignment: str, *, gradebook: bool = False
) -> Iterator[Path]:
    """Generate the student version of an assignment in a temporary folder.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.
    gradebook : bool
        Whether to enter the assignment into the course's gradebook as well.

    Yields
    ------
    Path
        Folder with exactly the files that students get; removed afterwards.

    Raises
    ------
    GradingError
        If there is no such assignment, or nbgrader refuses its notebook.
    """
    if assignment not in assignment_names(root):
        known = ", ".join(assignment_names(root)) or "none"
        raise GradingError(f"no assignment {assignment!r} in solutions/; has: {known}.")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve()
        shutil.copy(root / CONFIG, copy)
        shutil.copytree(
            root / "solutions" / assignment, copy / "solutions" / assignment
        )
        overrides = _gradebook_of(root) if gradebook else WITHOUT_GRADEBOOK
        convert(GenerateAssignment, copy, assignment, overrides=overrides)
        yield copy / "exercises" / assignment


def drift(root: Path, assignment: str) -> list[str]:
    """List the files of an exercise that differ from a fresh generation.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    list of str
        Paths under exercises/, sorted: changed, missing, or there in excess.
    """
    kept = root / "exercises" / assignment
    with generated(root, assignment) as fresh:
        names = {
            path.relative_to(folder).as_posix()
            for folder in (fresh, kept)
            for path in folder.rglob("*")
            if path.is_file()
        }
        return sorted(
            f"exercises/{assignment}/{name}"
            for name in names
            if not _same(fresh / name, kept / name)
        )


def release(root: Path, assignment: str, *, gradebook: bool = False) -> None:
    """Write ``exercises/NN_slug/`` anew from ``solutions/NN_slug/``.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.
    gradebook : bool
        Whether to enter the assignment into the gradebook, where it may be already:
        points that it holds stay.

    Raises
    ------
    GradingError
        As `generated`; also if the gradebook holds submissions to an assignment with
        other cells, or somebody is grading into it. Exercise and gradebook are then
        as they were.
    """
    target = root / "exercises" / assignment
    alone = one_writer(root) if gradebook else nullcontext()
    with alone, generated(root, assignment, gradebook=gradebook) as fresh:
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(fresh, target)


def orphans(root: Path) -> list[str]:
    """Name the exercise folders that no solution stands behind.

    Parameters
    ----------
    root : Path
        Course folder.

    Returns
    -------
    list of str
        Sorted names of folders under exercises/.
    """
    folders = {path.name for path in root.glob("exercises/*") if path.is_dir()}
    return sorted(folders - set(assignment_names(root)))


def check_drift(
    root: Path, assignments: Sequence[str], stale: Sequence[str] = ()
) -> None:
    """Print what drifts in exercises/, or that nothing does.

    Parameters
    ----------
    root : Path
        Course folder.
    assignments : sequence of str
        Each ``NN_slug``.
    stale : sequence of str
        Folders under exercises/ that should not be there.

    Raises
    ------
    GradingError
        If anything drifts.
    """
    drifting = [path for name in assignments for path in drift(root, name)]
    drifting += [f"exercises/{name}/" for name in stale]
    for path in drifting:
        typer.echo(f"{path} is not what solutions/ generates")
    if drifting:
        raise GradingError("run `make exercises`, and edit solutions/ only.")
    n_all = len(assignments)
    typer.echo(f"{n_all} assignments: exercises/ is what solutions/ generates")


def main(
    assignments: Annotated[list[str] | None, typer.Argument()] = None,
    check: Annotated[
        bool, typer.Option(help="change nothing; say what drifts")
    ] = False,
    root: Annotated[Path, typer.Option(help="the course folder")] = Path(),
) -> None:
    """Regenerate the exercises of the named assignments, or of all."""
    root = root.resolve()
    try:
        load_config(root)
        names = assignments or assignment_names(root)
        stale = [] if assignments else orphans(root)
        check_drift(root, names, stale) if check else _write(root, names, stale)
    except GradingError as error:
        typer.echo(f"release: {error}", err=True)
        raise typer.Exit(1) from error


def _write(root, names, stale):
    for name in names:
        release(root, name)
        typer.echo(f"wrote exercises/{name}/")
    for name in stale:
        shutil.rmtree(root / "exercises" / name)
        typer.echo(f"removed exercises/{name}/, which has no solution")
    if not names:
        raise GradingError("solutions/ holds no assignment.")


def _gradebook_of(root):
    """Let a copy of the course write into the gradebook of the original."""
    return {"CourseDirectory": {"db_url": load_config(root).CourseDirectory.db_url}}


def _same(a, b):
    return a.is_file() and b.is_file() and filecmp.cmp(a, b, shallow=False)


if __name__ == "__main__":
    typer.run(main)
