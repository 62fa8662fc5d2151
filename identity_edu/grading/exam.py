"""What the submissions of one assignment are graded by, read once for all of them."""

from dataclasses import dataclass, field
from pathlib import Path

from identity_edu.grading.course import GradingError, assignment_names, released_files
from identity_edu.grading.isolation.task import Task
from identity_edu.grading.secret import course_secret, student_secret


@dataclass(frozen=True)
class Exam:
    """Notebooks, files and secret of an assignment.

    Parameters
    ----------
    assignment : str
        ``NN_slug``.
    reference, released : str
        Text of the notebook in solutions/ and of the one in exercises/.
    files : dict
        Other released files by name.
    secret : str
        Of the course.
    is_per_student : bool
        Whether each student's problems follow from a secret of their own.
    isolation : str
        ``"bubblewrap"`` or ``"rlimits"``.
    """

    assignment: str
    reference: str
    released: str
    files: dict[str, bytes] = field(default_factory=dict)
    secret: str = ""
    is_per_student: bool = False
    isolation: str = "bubblewrap"

    def task(self, student: str, content: bytes = b"", **said: str) -> Task:
        """Make the task of grading one submission.

        Parameters
        ----------
        student : str
        content : bytes
            What was handed in.
        **said : str
            `problem` and `note` of the `Task`.

        Returns
        -------
        Task
        """
        own = student_secret(self.secret, student) if self.is_per_student else None
        return Task(
            self.assignment,
            student,
            content,
            self.reference,
            self.released,
            secret=self.secret if own is None else own,
            files=self.files,
            isolation=self.isolation,
            **said,
        )


def read_exam(
    root: Path,
    assignment: str,
    *,
    isolation: str = "bubblewrap",
    is_per_student: bool = False,
) -> Exam:
    """Read what an assignment is graded by.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.
    isolation : str
        ``"bubblewrap"`` or ``"rlimits"``.
    is_per_student : bool
        Whether each student's problems follow from a secret of their own.

    Returns
    -------
    Exam

    Raises
    ------
    GradingError
        If the assignment has no solution or was not released, or the secret cannot
        be had.
    """
    name = f"{assignment}.ipynb"
    secret = course_secret()
    if is_per_student:
        student_secret(secret, "anyone")  # refuses here, not once for each student
    released = root / "exercises" / assignment
    files = released_files(released)
    files.pop(name, None)
    return Exam(
        assignment,
        _text(root / "solutions" / assignment / name, _known(root)),
        _text(released / name, f"identity-edu release {assignment} makes it"),
        files,
        secret,
        is_per_student,
        isolation,
    )


def _known(root):
    return f"solutions/ has {', '.join(assignment_names(root)) or 'nothing'}"


def _text(path, advice):
    try:
        return path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise GradingError(f"{path} is required, and missing: {advice}.") from None
