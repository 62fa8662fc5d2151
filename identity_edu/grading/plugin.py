"""Have nbgrader's own commands and pages grade isolated, too.

``nbgrader autograde`` and the formgrader's button both call `Autograde.start`. What
nbgrader's settings can exchange comes too late in it: a folder without a notebook has
been passed over by then, and the files that a student handed in, links followed, have
been copied. So nbgrader_config.py exchanges the method itself, by `plug_in`.
"""

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from traitlets import Bool, Enum, Integer, Unicode
from traitlets.config import LoggingConfigurable

from identity_edu.grading.batch import Graded, grade_assignment, known_assignments
from identity_edu.grading.course import GradingError, load_config
from identity_edu.grading.gradebook import open_gradebook
from identity_edu.grading.isolation.sandbox import LEVELS
from identity_edu.grading.isolation.task import IsolationError
from identity_edu.grading.marking import Options
from identity_edu.grading.submissions import find_submissions
from identity_edu.train.files import RunError

SAME = ("course_id", "db_url")  # what the rest of grading reads in the course's file


class Grader(LoggingConfigurable):
    """Settings, ``c.Grader.workers = 4``; as options, ``--Grader.workers=4``."""

    isolation = Enum(LEVELS, "bubblewrap", help="Of students' code.").tag(config=True)
    is_per_student = Bool(
        False, help="Whether hidden problems follow from a secret of each student's."
    ).tag(config=True)
    workers = Integer(
        None, min=1, allow_none=True, help="Submissions at a time; None: one a core."
    ).tag(config=True)
    scheduler = Unicode(
        None, allow_none=True, help="Of Dask, tcp://...; None: this machine."
    ).tag(config=True)

    def options(self, is_forced: bool = False) -> Options:
        """Return these settings as `grade_assignment` wants them.

        Parameters
        ----------
        is_forced : bool
            Whether to grade again what was graded.

        Returns
        -------
        Options
        """
        chosen = {name: getattr(self, name) for name in self.class_own_traits()}
        return Options(**chosen, is_forced=is_forced)


def options_of(root: Path, **chosen: object) -> Options:
    """Return how a course grades: what was chosen, or else what its settings say.

    Parameters
    ----------
    root : Path
        Course folder.
    **chosen : object
        Fields of `Options`; None takes the setting.

    Returns
    -------
    Options

    Raises
    ------
    GradingError
        If the isolation level is none.
    """
    settings = Grader(config=load_config(root)).options()
    known = {name: value for name, value in chosen.items() if value is not None}
    options = replace(settings, **known)
    if options.isolation not in LEVELS:
        levels = " and ".join(LEVELS)
        raise GradingError(f"the levels are {levels}; got {options.isolation!r}.")
    return options


def plug_in() -> None:
    """Let every `Autograde` of this process grade isolated."""
    Autograde.start = autograde


def autograde(converter: Autograde) -> None:
    """Grade what nbgrader was asked to, in place of `Autograde.start`.

    Parameters
    ----------
    converter : Autograde
        With its course folder, assignment and students.

    Raises
    ------
    NbGraderException
        If a submission was not graded; the log says which and why.
    """
    log = converter.log
    converter.run_pre_convert_hook()
    try:
        graded = _grade(converter)
    except IsolationError as error:
        log.error("%s", error)
        log.error("With nbgrader that option is --Grader.isolation=rlimits")
        raise NbGraderException(str(error)) from None
    except (GradingError, RunError) as error:
        log.error("%s", error)
        raise NbGraderException(str(error)) from None
    _tell(log, graded)
    converter.run_post_convert_hook()
    if not graded.is_complete:
        raise NbGraderException("Not all that was handed in was graded; see the log.")


def _grade(converter) -> Graded:
    course, log = converter.coursedir, converter.log
    _require_same(course)
    if not converter.config.Execute.get("enabled", True):
        raise GradingError("outputs that students saved are no answers: --no-execute.")
    options = Grader(parent=converter).options(converter.force)
    log.info("Isolation: %s", options.isolation)
    return grade_assignment(
        Path(course.root),
        course.assignment_id,
        Path(course.root, course.submitted_directory),
        students=_students(converter),
        options=options,
        report=lambda t: log.info("Graded %d of %d", t.n_done, t.n_to_grade),
    )


def _require_same(course):
    """Refuse options that only part of grading would follow."""
    settings = load_config(Path(course.root)).CourseDirectory
    for name in SAME:
        if getattr(course, name) != settings[name]:
            raise GradingError(f"CourseDirectory.{name} belongs in nbgrader_config.py.")


def _students(converter):
    """Name the students that nbgrader's own options select."""
    course = converter.coursedir
    root, wanted = Path(course.root), course.student_id
    excluded = course.student_id_exclude.split(",")
    folder = root / course.submitted_directory
    found = find_submissions(folder, course.assignment_id, known_assignments(root))
    names = [s.student for s in found.submissions if fnmatchcase(s.student, wanted)]
    names = [name for name in names if name not in excluded]
    if not names:
        raise GradingError(f"nothing was handed in by a student called {wanted}.")
    if not converter.create_student:
        with open_gradebook(root) as gradebook:
            unknown = sorted(set(names) - {s.id for s in gradebook.students})
        if unknown:
            raise GradingError(f"not in the gradebook: {', '.join(unknown)}.")
    return names


def _tell(log, graded):
    for student in graded.changed:
        result = graded.results[student]
        line = ": ".join(filter(None, [student, result.verdict, result.reason]))
        (log.info if result.verdict == "graded" else log.warning)("%s", line)
    for note in graded.notes:
        log.warning("%s", note)
    if graded.outdated:
        names = ", ".join(graded.outdated)
        log.warning("Graded by other tests, and left so without --force: %s", names)
    for result in graded.failed:
        log.error("%s was not graded: %s", result.student, result.reason)
