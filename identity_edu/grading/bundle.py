"""The zip archive that a student opens: exercise, package, and how to begin.

It holds what exercises/ holds and the student's part of the package, nothing from
solutions/ or tests/; the same course gives the same bytes.
"""

from pathlib import Path

from identity_edu.grading.cells import first_heading, read_cells
from identity_edu.grading.course import GradingError, released_files
from identity_edu.grading.wheel import student_wheel, zip_bytes
from identity_edu.train.files import write_atomically

LOCK = "requirements.txt"
MARKERS = ("BEGIN SOLUTION", "BEGIN HIDDEN TESTS")

README = """\
{title}
{rule}

You need Python 3.11, 3.12 or 3.13 (python.org has it). Unpack this archive, open a
terminal in its folder, {name}, and type one line:

    python -m pip install -r requirements.txt

That fetches Jupyter and NumPy, once, and takes a few minutes. Then

    python ready.py

says whether all is there, and

    python -m jupyter lab {name}.ipynb

opens the exercises. Hand in that one file, {name}.ipynb, under its name.

If `python` is not found or too old, type `python3` or `py` instead.

If pip answers "externally-managed-environment", make an environment of your own in
this folder, and use its Python in the lines above:

    python3 -m venv .venv
    .venv/bin/python -m pip install -r requirements.txt

(Windows: `py -m venv .venv`, then `.venv\\Scripts\\python`.)
"""

REQUIREMENTS = """\
# python -m pip install -r requirements.txt, typed in the folder of this file
--constraint versions.txt
./{wheel}
jupyterlab
"""

VERSIONS = """\
# Versions that are known to work together; pip takes those that you need.
"""

READY = """\
# Says whether this computer is ready for the exercises: python ready.py
import os
import sys

problems = []
if sys.version_info < (3, 11):
    problems.append("Python 3.11 or later is needed; this is " + sys.version.split()[0])
for name in ("numpy", "matplotlib", "jupyterlab", "ipykernel", "identity_edu"):
    try:
        __import__(name)
    except Exception as error:
        problems.append("%s does not load: %s" % (name, error))
if not os.path.exists("{name}.ipynb"):
    problems.append("type it in the folder that holds {name}.ipynb")
for problem in problems:
    print("Not ready: " + problem)
if problems:
    sys.exit("Have you typed: python -m pip install -r requirements.txt")
print("You are ready: python -m jupyter lab {name}.ipynb")
"""


def write_bundle(root: Path, assignment: str, folder: Path) -> Path:
    """Write ``NN_slug.zip``, all that a student needs for one assignment.

    Parameters
    ----------
    root : Path
        Course folder, with the assignment released to exercises/.
    assignment : str
        ``NN_slug``.
    folder : Path
        Where the archive goes; made if it is not there.

    Returns
    -------
    Path
        The archive.

    Raises
    ------
    GradingError
        As `bundle_files`.
    """
    packed = zip_bytes(bundle_files(root, assignment))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{assignment}.zip"
    write_atomically(target, lambda file: file.write(packed))
    return target


def bundle_files(root: Path, assignment: str) -> dict[str, bytes]:
    """Collect the files of a bundle.

    Parameters
    ----------
    root : Path
        Course folder, with the assignment released to exercises/.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    dict
        Content by path in the archive; all lie in a folder of the assignment's name.

    Raises
    ------
    GradingError
        If the assignment was not released, a file in exercises/ has a name of ours
        or holds a solution, or the course has no ``requirements.txt``.
    """
    released = root / "exercises" / assignment
    notebook = released / f"{assignment}.ipynb"
    if not notebook.is_file():
        raise GradingError(f"{assignment} must be released first; exercises/ lacks it.")
    wheel, content = student_wheel()
    first = next(iter(read_cells(notebook)), None)
    title = (first and first_heading(first.source)) or assignment
    texts = {
        "README.txt": README.format(
            title=title, rule="=" * len(title), name=assignment
        ),
        "requirements.txt": REQUIREMENTS.format(wheel=wheel),
        "versions.txt": VERSIONS + _versions(root),
        "ready.py": READY.replace("{name}", assignment),
    }
    ours = {name: text.encode() for name, text in texts.items()} | {wheel: content}
    theirs = released_files(released)
    for name in theirs:
        _check(name, theirs[name], ours)
    return {f"{assignment}/{name}": data for name, data in (ours | theirs).items()}


def _check(name, data, ours):
    if name in ours:
        raise GradingError(f"{name} is a name that the bundle needs: rename yours.")
    for marker in MARKERS:
        if marker.encode() in data:
            raise GradingError(f"exercises/ holds {marker!r} in {name}: release again.")


def _versions(root):
    """Read the course's lock without its comments, which speak to its authors."""
    path = root / LOCK
    if not path.is_file():
        raise GradingError(f"versions known to work are in {LOCK}; {root} has none.")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith("#"))
