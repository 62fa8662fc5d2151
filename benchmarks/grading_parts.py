"""Where the time of grading one submission goes: a helper of ``grading.py``.

The examiner's own function runs in this process, one submission after the other, with
clocks around its parts; once more without figures, to see what drawing them costs.
"""

import time
from collections import Counter
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import replace
from unittest import mock

from identity_edu.grading.exam import read_exam
from identity_edu.grading.feedback import write_feedback
from identity_edu.grading.gradebook import open_gradebook
from identity_edu.grading.isolation import cell, examiner, grade_one, sandbox, session
from identity_edu.grading.isolation.task import Limits
from identity_edu.grading.register import Register
from identity_edu.grading.store import write_result
from identity_edu.grading.submissions import find_submissions

NO_FIGURES = Limits(figure_kb=0)
CLOCKS = (
    ("sandbox", sandbox.Sandbox, "__init__"),
    ("sandbox", sandbox.Sandbox, "__exit__"),
    ("notebook", session.Session, "run"),  # starts the sandbox
    ("calls", session.Session, "call"),
    ("names", session.Session, "names"),
    ("tests", cell, "run"),  # makes the calls
)


def parts(course, assignment):
    """Grade and record all submissions of a course, part by part.

    Parameters
    ----------
    course : Path
        With submissions, and nothing graded.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    dict
        Milliseconds for each submission by part.
    """
    exam = read_exam(course, assignment)
    found = find_submissions(course / ".grading" / "submitted", assignment).submissions
    tasks = [exam.task(one.student, one.read()) for one in found]
    grade_one.grade_submission(tasks[0])  # starts the launcher
    control = grade_one._current.get().control
    seconds, without = Counter(), Counter()
    with chdir(course):  # an examiner moves
        examiner.examine(tasks[0], control)  # warms this process up
        results = [_examined(seconds, task, control) for task in tasks]
        for task in tasks:
            _examined(without, replace(task, limits=NO_FIGURES), control)
    for task in tasks:
        graded = _timed(seconds, "processes", grade_one.grade_submission, task)
        seconds["processes"] -= graded.seconds  # what its examiner counted
    for result in results:
        _timed(seconds, "result file", write_result, course / "results", result)
    with open_gradebook(course) as gradebook:
        register = Register(gradebook, course, assignment)
        for result in results:
            _timed(seconds, "gradebook", register.record, result)
            _timed(seconds, "gradebook", register.commit)
    _timed(seconds, "feedback", write_feedback, course, results)
    return _milliseconds(seconds, without, len(tasks))


def _milliseconds(seconds, without, n):
    """Take off each part what others took inside it."""
    own = Counter(seconds)
    own["rest of the examiner"] = own.pop("examiner") - sum(
        seconds[part] for part in ("notebook", "names", "tests")
    )
    own["figures"] = seconds["notebook"] - without["notebook"]
    own["student's cells"] = own.pop("notebook") - seconds["sandbox"] - own["figures"]
    own["tests"] -= seconds["calls"]
    return {name: 1000 * value / n for name, value in own.items()}


def _examined(seconds, task, control):
    with ExitStack() as clocks:
        for name, owner, attribute in CLOCKS:
            clocks.enter_context(_clock(seconds, name, owner, attribute))
        return _timed(seconds, "examiner", examiner.examine, task, control)


@contextmanager
def _clock(seconds, name, owner, attribute):
    function = getattr(owner, attribute)

    def timed(*args, **kwargs):
        return _timed(seconds, name, function, *args, **kwargs)

    with mock.patch.object(owner, attribute, timed):
        yield


def _timed(seconds, name, function, *args, **kwargs):
    start = time.perf_counter()
    try:
        return function(*args, **kwargs)
    finally:
        seconds[name] += time.perf_counter() - start
