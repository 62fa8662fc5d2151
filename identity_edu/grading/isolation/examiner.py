"""The examiner: runs the given, check and hidden cells, and gives points.

It reads one task, lays the submission over the released notebook, lets a student
process run the student's cells, and runs the tests here, where the student's code is
not. The student's functions are proxies: arguments and results cross as plain data.
"""

import json
import os
import resource
import signal
import time
import traceback

from identity_edu import checks
from identity_edu.grading.isolation import cell, confine, merge, proxies, wire
from identity_edu.grading.isolation.notebook import (
    cell_dict,
    notebook_dict,
    outputs_of,
)
from identity_edu.grading.isolation.reading import UnreadableError
from identity_edu.grading.isolation.session import (
    HITS,
    Session,
    Step,
    StudentEndedError,
)
from identity_edu.grading.isolation.task import (
    IsolationError,
    Result,
    Task,
    TestResult,
)
from identity_edu.grading.isolation.verdict import HIDDEN, judge, tidy

SECONDS_FOR_A_TEST = 120.0  # for our own code; calls have limits of their own
MEMORY = 4 << 30
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
        reply = ["graded", examine(task, control).to_plain()]
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
        Step(c.key, c.source, merged.names if c.role == "test" else ())
        for c in merged.cells
        if c.kind == "code"
    ]
    os.environ.pop(checks.SECRET_FILE_VARIABLE, None)
    os.environ[checks.SECRET_VARIABLE] = task.secret
    cell.warn_as_jupyter()
    with Session(steps, task, control) as session:
        done = _run_tests(session, merged, task.limits)
    results = list(_results(merged, done))
    outputs = _outputs(session, done, task.limits)
    limited = _limited(session, results)
    verdict = "limited" if limited else "repaired" if merged.repairs else "graded"
    reason = "; ".join([*limited[:1], *merged.repairs])
    notebook, level = _notebook(task, merged, outputs), task.isolation
    if session.filter_problem:
        level += f" ({session.filter_problem})"
    return verdict, reason, merged.repairs, results, notebook, level


def _run_tests(session, merged, limits):
    """Run the student's notebook, then our cells.

    The hidden ones run last, each with the names as they were at its place: what the
    student's code saw in them can then not be shown by any other cell.
    """
    namespace, later, done = {"__name__": "__main__"}, [], {}
    session.run()
    for part in merged.cells:
        if part.role == "test" and HIDDEN in part.reference:
            later.append((part, dict(namespace)))
        elif part.role == "test":
            done[part.key] = _test(session, part, namespace, merged, limits)
        elif part.reference:
            _run(part.reference, namespace, limits, part.key)
    for part, names in later:
        done[part.key] = _test(session, part, names, merged, limits)
    return done


def _outputs(session, done, limits):
    """Return the outputs of every code cell, by key."""
    most = limits.output_kb << 10, limits.figure_kb << 10
    shown = session.outputs | {key: ran for key, (_, ran) in done.items()}
    return {key: outputs_of(ran, *most) for key, ran in shown.items()}


def _results(merged, done):
    """Return the points of every graded cell, in order."""
    for part in merged.cells:
        if part.key in done:
            yield done[part.key][0]
        elif part.role == "text answer" and part.marks.get("grade"):
            yield _awaiting(part)


def _test(session, part, namespace, merged, limits):
    """Run one graded cell with the student's names in place of the reference's."""
    try:
        unfit = proxies.bind(session, part.key, namespace, merged.names)
        used = [why for name, why in unfit.items() if name in part.reference]
        if used:
            error = proxies.marked(TypeError(used[0]), "grader")
            ran = [["error", "TypeError", used[0]]], None, error
        else:
            ran = _run(part.reference, namespace, limits, part.key)
        if isinstance(ran[2], StudentEndedError):
            raise ran[2]
    except StudentEndedError as ended:
        ran = [["error", "Stopped", ended.reason]], None, ended
    error = ran[2]
    if isinstance(error, NameError) and error.name in merged.names:
        why = _why_undefined(session, merged, error.name)
        error = proxies.marked(NameError(why), "grader")
        ran = [["error", "NameError", why]], None, error
    return judge(part.marks, part.reference, ran), ran[0]


def _why_undefined(session, merged, name):
    """Say which of the student's cells should have defined a name, and did not."""
    key = merged.names[name]
    shown = outputs_of(session.outputs.get(key), 1000, 0)
    errors = [output for output in shown if output["output_type"] == "error"]
    if not errors:
        return f"`{name}` is not defined."
    return f"`{name}` is not defined: `{key}` stopped. {errors[-1]['traceback'][0]}"


def _run(source, namespace, limits, key):
    shown = cell.Shown(limits.output_kb << 10, limits.figure_kb << 10)
    value, error = cell.run(source, namespace, shown, SECONDS_FOR_A_TEST, f"<{key}>")
    return shown.outputs, value, error


def _awaiting(part):
    points = 0.0 if part.is_unchanged or not part.source.strip() else None
    return TestResult(part.marks["grade_id"], points, float(part.marks["points"]))


def _limited(session, results):
    """Say which limits were hit, the first one first."""
    found = [f"`{key}`: {why.reason}" for key, why in session.skipped.items()]
    found += [f"`{key}`: {HITS[limit]}" for key, limit in session.hit.items()]
    found += [f"`{r.grade_id}`: {r.reason}" for r in results if r.limit]
    return found


def _notebook(task, merged, outputs):
    cells = [cell_dict(c, outputs.get(c.key, [])) for c in merged.cells]
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
