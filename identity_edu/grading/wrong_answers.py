"""The wrong answers that graders must reject: tests/wrong_answers/NN_slug.py.

Such a file defines ``WRONG_ANSWERS``, a dict from the id of an answer cell to a list
of `WrongAnswer`. The README beside the files has an example.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WrongAnswer:
    """A mistake worth diagnosing.

    Parameters
    ----------
    name : str
        The mistake in lower case and hyphens, ``forgotten-transpose``.
    source : str
        What the student wrote in place of the answer cell.
    says : str
        Regular expression that the message of the rejecting test must match.
    """

    name: str
    source: str
    says: str


def load_wrong_answers(root: Path, assignment: str) -> dict[str, list[WrongAnswer]]:
    """Load the wrong answers of an assignment.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    dict
        Lists of wrong answers by the id of the answer cell.

    Raises
    ------
    FileNotFoundError
        If ``tests/wrong_answers/NN_slug.py`` is missing.
    """
    path = root / "tests" / "wrong_answers" / f"{assignment}.py"
    if not path.is_file():  # a name that starts with a digit cannot be imported
        raise FileNotFoundError(f"wrong answers belong in {path}, which is missing.")
    spec = importlib.util.spec_from_file_location(f"wrong_{assignment}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WRONG_ANSWERS
