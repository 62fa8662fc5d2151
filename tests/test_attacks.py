"""Every attack gets what it must, and leaves the host as it was.

The attacks of a run are graded together, by several threads and among honest
submissions; what a machine must still look like afterwards is compared once.
"""

import ctypes
import hashlib
import json
import os
import platform
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from attacks import ATTACKS, FAMILIES, kernel, target
from attacks.folders import FOLDERS

from identity_edu.grading.isolation.grade_one import close, grade_submission
from identity_edu.grading.isolation.sandbox import isolation_problem
from identity_edu.grading.isolation.task import Limits, Result, Task
from identity_edu.grading.page import Mark, page
from identity_edu.grading.submissions import find_submissions

isolated = pytest.mark.skipif(
    bool(isolation_problem("bubblewrap")), reason="bubblewrap is not installed"
)
IS_X86 = platform.machine() == "x86_64"
on_x86 = pytest.mark.skipif(
    not IS_X86, reason="the numbers of system calls are x86_64's"
)
TRACE = "attacker-was-here"
SET_SUBREAPER = 36
THREADS = 3
HONEST_EVERY = 10  # so many attacks between two honest submissions
DEVICES = ("null", "zero", "full", "random", "urandom")
LIMITS = {
    "cell_seconds": 5.0,
    "call_seconds": 4.0,
    "total_seconds": 60.0,
    "memory_mb": 1024,
    "scratch_mb": 16,
    "file_mb": 4,
    "reply_mb": 16,
}


@dataclass(frozen=True)
class Run:
    """What grading all attacks of a test run came to."""

    results: dict[str, Result]
    honest: list[Result]
    changes: list[str]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Make a course folder with everything that an attacker would like to have."""
    root = tmp_path_factory.mktemp("course")
    name = f"{target.ASSIGNMENT}/{target.ASSIGNMENT}.ipynb"
    reference = json.dumps(target.reference())
    for place, text in {
        f"solutions/{name}": reference,
        f"exercises/{name}": json.dumps(target.released()),
        f".grading/submitted/other/{name}": f'"{target.OTHER}"',
        f".grading/autograded/other/{name}": reference,
        ".grading/results/00_target/other/0.json": '{"points": 1}',
        "secret": target.SECRET,
    }.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text, encoding="utf-8")
    with sqlite3.connect(root / ".grading" / "gradebook.db") as gradebook:
        gradebook.execute("create table grade (student text, score real)")
        gradebook.execute("insert into grade values ('other', 1.0)")
    gradebook.close()
    return root


@pytest.fixture(scope="module")
def _secretive(course):
    """Adopt whatever attacks leave running, and start with a secret in the air."""
    variables = {
        "IDENTITY_EDU_SECRET": target.SECRET,
        "IDENTITY_EDU_SECRET_FILE": str(course / "secret"),
    }
    before = {name: os.environ.get(name) for name in variables}
    libc = ctypes.CDLL(None)
    libc.prctl(SET_SUBREAPER, 1, 0, 0, 0)
    os.environ.update(variables)
    close()  # the launcher of other tests did not see the variables
    yield
    close()
    libc.prctl(SET_SUBREAPER, 0, 0, 0, 0)
    for name, value in before.items():
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value


@pytest.fixture(scope="module")
def run(request, course, _secretive):
    """Grade all attacks that this run of the tests asks for."""
    here = [i for i in request.session.items if i.module is request.module]
    specs = [i.callspec for i in here if hasattr(i, "callspec")]
    found = [spec.params["attack"] for spec in specs if "attack" in spec.params]
    found = [a for a in found if IS_X86 or a not in kernel.ATTACKS]
    grade_submission(task_for(honest()))  # the launcher is there before
    n_before = descendants()
    before = {what: look() for what, look in looks(course).items()}
    with ThreadPoolExecutor(THREADS) as pool:
        graded, fair = {}, []
        for number, attack in enumerate(found):
            graded[attack.name] = pool.submit(graded_attack, attack, course)
            if number % HONEST_EVERY == 0:
                fair.append(pool.submit(grade_submission, task_for(honest())))
    changes = [what for what, look in looks(course).items() if look() != before[what]]
    if not settles_at(descendants, n_before):
        changes.append("something is still running")
    results = {name: one.result() for name, one in graded.items()}
    return Run(results, [one.result() for one in fair], changes)


def honest():
    """Return another student's submission, with words that nobody else may see."""
    answer = "choice = 'b'  # " + target.OTHER
    notebook = target.submitted({"choice-answer": answer}, f"kept = {target.OTHER!r}")
    return json.dumps(notebook).encode()


def task_for(submission, **limits):
    return Task(
        assignment=target.ASSIGNMENT,
        student="attacker",
        submission=submission,
        reference=json.dumps(target.reference()),
        released=json.dumps(target.released()),
        secret=target.SECRET,
        limits=Limits(**{**LIMITS, **limits}),
    )


def graded_attack(attack, course):
    places = {
        "course": str(course),
        "home": str(Path.home()),
        "temporary": tempfile.gettempdir(),
    }
    return grade_submission(task_for(attack.submission(**places), **attack.limits))


# What the host looks like


def contents(folder):
    """Hash every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes() if path.is_file() else b""
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
    }


def traces():
    """Find files that an attack has left where anyone may write."""
    places = ["/", "/dev", "/dev/shm", "/tmp", "/var/tmp", os.getcwd()]
    places += [Path.home(), tempfile.gettempdir(), sys.prefix]
    return [
        Path(place, name)
        for place in places
        if os.path.isdir(place)
        for name in os.listdir(place)
        if TRACE in name
    ]


def devices():
    """Read whose the devices are, and who may use them."""
    found = [Path("/dev", name).stat() for name in DEVICES]
    return [(one.st_mode, one.st_uid, one.st_gid) for one in found]


def looks(course):
    """Return what must look the same before and after, by a word for it."""
    return {
        "the course folder": lambda: contents(course),
        "files outside": traces,
        "devices": devices,
    }


def parents():
    """Return the parent of every process that is more than a zombie."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:  # it ended meanwhile
            continue
        if state != "Z":
            found[int(folder.name)] = int(parent)
    return found


def descendants():
    """Count the living processes that descend from this one."""
    above, family = parents(), {os.getpid()}
    while grown := {p for p, up in above.items() if up in family} - family:
        family |= grown
    return len(family) - 1


def settles_at(count, wanted, seconds=10.0):
    """Wait until a count has come down to what it should be."""
    end = time.monotonic() + seconds
    while (found := count()) > wanted and time.monotonic() < end:
        time.sleep(0.02)
    return found <= wanted


# What a student sees


def texts_of(output):
    """Return the texts of one output of a notebook."""
    data = output.get("data", {}).get("text/plain", "")
    error = [output.get("evalue", ""), *output.get("traceback", [])]
    return [output.get("text", ""), data, *error]


def seen_by_the_student(result):
    """Return all text of a result but hidden tests, and what these cells show."""
    said = [result.reason, *result.repairs, *(t.reason for t in result.tests)]
    for cell in result.notebook["cells"]:
        if "BEGIN HIDDEN" in cell["source"]:
            continue
        outputs = cell.get("outputs", [])
        said += [text for output in outputs for text in texts_of(output)]
    return "\n".join(said)


def all_outputs(result):
    """Return what all cells show, hidden tests included."""
    cells = result.notebook["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join(text for output in outputs for text in texts_of(output))


def faults_of_a_notebook(notebook):
    """List what a browser might run, and what a terminal might obey."""
    found = []
    for cell in notebook["cells"]:
        found += ["an attachment"] if cell.get("attachments") else []
        for output in cell.get("outputs", []):
            found += set(output.get("data", {})) - {"text/plain", "image/png"}
            for text in texts_of(output):
                odd = [c for c in text if not c.isprintable() and c not in "\n\t"]
                found += [repr(c) for c in odd if c != "\ufffd"]
    return found


class Tags(HTMLParser):
    """Collects what a page would run or fetch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        bad = ("script", "iframe", "object", "embed", "form", "base", "link")
        self.found += [tag] if tag in bad else []
        for name, value in attributes:
            is_call = name in ("src", "href", "action", "data", "srcset")
            safe = ("#", "data:image/png;base64,", "https:" if tag == "a" else "#")
            is_safe = (value or "").startswith(safe)
            is_reload = (name, value) == ("http-equiv", "refresh")
            if name.startswith("on") or is_reload or (is_call and not is_safe):
                self.found.append(f"{tag} {name}={value}")


def page_of(result):
    """Return the page that the student gets."""
    marks = [
        Mark(t.grade_id, t.points, t.max_points, t.reason, t.limit)
        for t in result.tests
    ]
    return page(result, target.released(), marks)


def faults_of_a_page(text):
    """List what must not be on a student's page."""
    tags = Tags()
    tags.feed(text)
    found = tags.found + [
        f"page shows {canary}" for canary in target.CANARIES if canary in text
    ]
    return found + re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def problems(attack, result):
    """Say in which ways a result is not what it must be."""
    found, points = [], {t.grade_id: t.points for t in result.tests}
    wanted = attack.points()
    if not attack.exact:
        wanted = {k: v and min(v, points.get(k, -1.0)) for k, v in wanted.items()}
    if points != wanted:
        found.append(f"points {points} instead of {attack.points()}")
    if result.verdict != attack.verdict:
        found.append(f"verdict {result.verdict!r}, not {attack.verdict!r}")
    hits = {t.grade_id: t.limit for t in result.tests}
    wrong = {k: hits.get(k) for k, v in attack.hits.items() if hits.get(k) != v}
    found += [f"limits {wrong} instead of {attack.hits}"] if wrong else []
    seen, shown = seen_by_the_student(result), all_outputs(result)
    found += [f"shows {canary}" for canary in target.CANARIES if canary in seen]
    found += re.findall(r"HOLE.*", shown) + re.findall(r"(?:HOLE|LEAK).*", seen)
    if not re.search(attack.shows, seen + shown, re.S):
        found.append(f"{attack.shows!r} does not show: it may not have run")
    reasons = [result.reason, *(t.reason for t in result.tests)]
    found += [f"not one line: {r!r}" for r in reasons if not r.isprintable()]
    if attack.verdict != "graded" and not result.reason:
        found.append("no reason")
    lost = [t for t in result.tests if t.points == 0.0 and t.grade_id != "words"]
    found += [f"{t.grade_id}: no reason" for t in lost if not t.reason]
    found += faults_of_a_notebook(result.notebook)
    return found + faults_of_a_page(page_of(result))


# The tests


def cases(is_slow):
    slow = [pytest.mark.slow] if is_slow else []
    return [
        pytest.param(
            attack,
            id=attack.name,
            marks=[*slow, on_x86] if attack in kernel.ATTACKS else slow,
        )
        for attack in ATTACKS
        if attack.slow == is_slow
    ]


@isolated
@pytest.mark.parametrize("attack", [*cases(False), *cases(True)])
def test_an_attack_gains_nothing_and_learns_nothing(attack, run):
    result = run.results[attack.name]
    assert not problems(attack, result), result.reason
    assert json.dumps(result.to_plain(), allow_nan=False)


@isolated
def test_all_attacks_together_leave_the_host_as_it_was(run):
    assert not run.changes


@isolated
def test_honest_submissions_among_the_attacks_get_all_their_points(run):
    for result in run.honest:
        assert {t.grade_id: t.points for t in result.tests} == target.POINTS
        assert (result.verdict, result.reason) == ("graded", "")


@isolated
@pytest.mark.usefixtures("_secretive")
def test_an_untouched_submission_gets_nothing():
    result = grade_submission(task_for(json.dumps(target.released()).encode()))
    assert {t.points for t in result.tests} == {0.0}
    assert "NotImplementedError" in result.tests[0].reason


# Runs cells in one process, as stock nbgrader does, and prints which tests passed.
UNGUARDED = """
import json, os, sys
for name, cells in json.load(sys.stdin).items():
    if os.fork() == 0:
        names = {"__name__": "__main__"}
        for key, source in cells:
            try:
                exec(source.replace("%matplotlib inline", ""), names)
                os.write(1, f"{name} {key}\\n".encode())
            except BaseException:
                pass
        os._exit(0)
    os.wait()
"""


def test_attacks_on_the_judgement_succeed_where_nothing_guards_it():
    gains = {
        "patched-numpy-testing": "gram-check",
        "patched-checks": "gram-hidden",
        "patched-builtins": "mean-hidden",
        "agreeable-object": "mean-hidden",
        "agreeable-float": "mean-check",
        "masked-array": "gram-check",
        "object-array": "gram-check",
        "lying-text": "choice-check",
    }
    notebooks = {}
    for attack in (a for a in ATTACKS if a.name in gains):
        notebook, tests = json.loads(attack.submission()), target.reference()
        solved = {
            c["id"]: c["source"] for c in tests["cells"] if c["id"][-6:] != "answer"
        }
        notebooks[attack.name] = [
            (c["id"], solved.get(c["id"], c["source"]))
            for c in notebook["cells"]
            if c["cell_type"] == "code"
        ]
    line = [sys.executable, "-c", UNGUARDED]
    ran = subprocess.run(
        line, input=json.dumps(notebooks), capture_output=True, text=True, check=True
    )
    passed = set(ran.stdout.splitlines())
    assert passed >= {f"{name} {test}" for name, test in gains.items()}


@pytest.mark.parametrize("trick", FOLDERS, ids=lambda trick: trick.name)
def test_a_trick_in_the_folder_of_submissions_reads_nothing_else(trick, tmp_path):
    private = tmp_path / "private"
    private.mkdir()
    (private / "x.ipynb").write_text(target.SECRET, encoding="utf-8")
    folder = tmp_path / "submitted"
    folder.mkdir()
    trick.make(folder, private)
    before = contents(private)
    found = find_submissions(folder, target.ASSIGNMENT, {target.ASSIGNMENT})
    told = {s.student: s.problem for s in found.submissions}
    assert set(told) == set(trick.problems)
    for student, pattern in trick.problems.items():
        assert bool(told[student]) == bool(pattern)
        assert re.search(pattern, told[student])
    content = [s.read() for s in found.submissions]
    assert not any(target.SECRET.encode() in one for one in content)
    assert len(found.refused) == trick.n_refused
    said = [*found.refused, *told.values(), *(s.note for s in found.submissions)]
    assert all(line.isprintable() for line in said)
    assert contents(private) == before


def test_the_corpus_is_as_large_as_it_says():
    names = [attack.name for attack in ATTACKS] + [trick.name for trick in FOLDERS]
    assert len(names) == len(set(names)) >= 150
    assert all(family.ATTACKS for family in FAMILIES)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    assert all(attack.tries and "\n" not in attack.tries for attack in ATTACKS)
