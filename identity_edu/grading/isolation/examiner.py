"""The examiner: runs the given, check and hidden cells, and gives points.

It reads one task, lays the submission over the released notebook, lets a student
process run the student's cells, and runs the tests here, where the student's code is
not. The student's functions are proxies: arguments and results cross as plain data.
"""

import json
import os
import resource
import signal
import tempfile
import time
import traceback

from identity_edu import checks
from identity_edu.grading.isolation import cell, confine, merge, proxies, wire
from identity_edu.grading.isolation.notebook import (
    Room,
    cell_dict,
    notebook_dict,
    outputs_of,
)
from identity_edu.grading.isolation.reading import UnreadableError
from identity_edu.grading.isolation.session import (
    Session,
    Step,
    StudentEndedError,
)
from identity_edu.grading.isolation.student import settle
from identity_edu.grading.isolation.task import (
    IsolationError,
    Result,
    Task,
    TestResult,
)
from identity_edu.grading.isolation.verdict import HIDDEN, judge, tidy

SECONDS_FOR_A_TEST = 120.0  # for our own code; calls have limits of their own
MEMORY = 4 << 30
MAX_WRITTEN = 100_000  # characters of a student's texts that are shown
MAX_FRAME = (1 << 32) - 1


def main(connection, control):
    """Read a task, grade it, send the result, and be gone.

    Parameters
    ----------
    connection : socket.socket
        Where the task comes from.
    control : socket.socket
        Where to ask the launcher for student processes.
    """
    channel = wire.Channel(connection, MAX_FRAME, MAX_FRAME)
    channel.send(["examiner", os.getpid()])
    most = confine.mapped_bytes() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    task = Task.from_plain(channel.receive())
    try:
        reply = ["graded", json.dumps(examine(task, control).to_plain())]
    except BaseException as error:
        kind = "isolation" if isinstance(error, IsolationError) else "failed"
        reply = [kind, f"{type(error).__name__}: {error}", traceback.format_exc()]
    channel.send(reply)


def examine(task, control):
    """Grade one submission.

    Parameters
    ----------
    task : Task
    control : socket.socket
        Of the launcher.

    Returns
    -------
    Result
    """
    started = time.monotonic()
    try:
        found = _examined(task, merge.merge(task), control)
    except UnreadableError as error:
        found = _unreadable(task, tidy(str(error), 300))
    verdict, reason, repairs, results, notebook, level = found
    return Result(
        assignment=task.assignment,
        student=task.student,
        verdict=verdict,
        reason=tidy(reason, 600),
        repairs=repairs,
        tests=tuple(results),
        notebook=notebook,
        isolation=level,
        seconds=time.monotonic() - started,
        submission_sha256=task.submission_sha256,
        tests_sha256=task.tests_sha256,
    )


def _examined(task, merged, control):
    steps = [
        Step(c.key, c.source, bool(c.reference))
        for c in merged.cells
        if c.kind == "code"
    ]
    os.environ.pop(checks.SECRET_FILE_VARIABLE, None)
    os.environ[checks.SECRET_VARIABLE] = task.secret
    cell.warn_as_jupyter()
    with (
        tempfile.TemporaryDirectory(prefix="examiner-") as folder,
        Session(steps, task, control) as session,
    ):
        settle(folder, task.files)
        ran = _run_ours(session, merged, task.limits)
    results = list(_results(merged, ran))
    outputs = _outputs(session, merged, ran, task.limits)
    limited = _limited(session, results)
    verdict = "limited" if limited else "repaired" if merged.repairs else "graded"
    reason = "; ".join([*limited[:1], *merged.repairs])
    notebook, level = _notebook(task, merged, outputs), task.isolation
    if session.filter_problem:
        level += f" ({session.filter_problem})"
    return verdict, reason, merged.repairs, results, notebook, level


def _run_ours(session, merged, limits):
    """Run the student's notebook, then our cells.

    The hidden ones run last, each with the names as they were at its place, and those
    of the hidden ones before: what the student's code saw in them can then not be shown
    by any other cell.
    """
    namespace, later, ran = {"__name__": "__main__"}, [], {}
    session.run()
    for part in merged.cells:
        if HIDDEN in part.reference:
            later.append((part, dict(namespace)))
        elif part.reference:
            ran[part.key] = _run(session, part, namespace, merged, limits)
    namespace = {}
    for part, names in later:
        namespace |= names
        ran[part.key] = _run(session, part, namespace, merged, limits)
    return ran


def _outputs(session, merged, ran, limits):
    """Return the outputs of every code cell, by key."""
    shown = dict(session.outputs)
    for part in merged.cells:
        if part.role == "test":
            room = Room(limits.output_kb << 10, limits.figure_kb << 10)
            shown[part.key] = outputs_of(ran[part.key][0], room)
    return shown


def _results(merged, ran):
    """Return the points of every graded cell, in order."""
    for part in merged.cells:
        if part.role == "test":
            yield judge(part.marks, part.reference, ran[part.key])
        elif part.role == "text answer" and part.marks.get("grade"):
            yield _awaiting(part)


def _run(session, part, namespace, merged, limits):
    """Run one of our cells with the student's names in place of the reference's."""
    shown = cell.Shown(limits.output_kb << 10, limits.figure_kb << 10)
    try:
        unfit = proxies.bind(session, part.key, namespace, merged.names)
    except StudentEndedError as ended:
        if part.role == "test":
            return _stopped(ended)
        unfit = {}  # a given cell: the tests need what it defines
    seconds, name = SECONDS_FOR_A_TEST, f"<{part.key}>"
    value, error = cell.run(part.reference, namespace, shown, seconds, name)
    if isinstance(error, IsolationError):  # no fault of the student's
        raise error
    if isinstance(error, StudentEndedError):
        return _stopped(error)
    if isinstance(error, NameError) and error.name in merged.names:
        why = unfit.get(error.name) or _why_undefined(session, merged, error.name)
        return _stopped(proxies.marked(NameError(why), "grader"))
    return shown.outputs, value, error


def _stopped(error):
    is_ended = isinstance(error, StudentEndedError)
    name = "Stopped" if is_ended else type(error).__name__
    return [["error", name, str(error)]], None, error


def _why_undefined(session, merged, name):
    """Say which of the student's cells should have defined a name, and did not."""
    key = merged.names[name]
    shown = session.outputs.get(key, [])
    errors = [output for output in shown if output["output_type"] == "error"]
    if not errors:
        return f"`{name}` is not defined."
    told = errors[-1]["evalue" if errors[-1]["ename"] == "Stopped" else "traceback"]
    why = told if type(told) is str else told[0]
    return f"`{name}` is not defined: `{key}` stopped. {why}"


def _awaiting(part):
    """Leave a text to a person; where nothing was written, give 0."""
    name, most = part.marks["grade_id"], float(part.marks["points"])
    if part.is_unchanged:
        return TestResult(name, 0.0, most, "nothing was written here.")
    return TestResult(name, None, most)


def _limited(session, results):
    """Say which limits were hit, the first one first."""
    found = [f"`{key}`: {why.reason}" for key, why in session.skipped.items()]
    found += [f"`{key}`: {cell.HITS[limit]}" for key, limit in session.hit.items()]
    found += [f"`{r.grade_id}`: {r.reason}" for r in results if r.limit]
    found += session.between
    return found


def _notebook(task, merged, outputs):
    room = Room(text=MAX_WRITTEN, figures=0)
    cells = [cell_dict(c, outputs.get(c.key, []), room) for c in merged.cells]
    return notebook_dict(cells, json.loads(task.released)["metadata"])


def _unreadable(task, reason):
    merged = merge.blank(task)
    results = [
        TestResult(c.marks["grade_id"], 0.0, float(c.marks["points"]), reason)
        for c in merged.cells
        if c.marks.get("grade")
    ]
    notebook = _notebook(task, merged, {})
    text = f"**This file could not be graded:** {reason}."
    told = {"cell_type": "markdown", "id": "not-graded", "metadata": {}}
    notebook["cells"].insert(0, told | {"source": text})
    return "unreadable", reason, (), results, notebook, task.isolation
