"""No mutated notebook crashes the grader, and none scores above the honest one."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from attacks import target
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutants import ABSENT, BASE_TEXTS, BASES, damaged, mutants, texts_of

from identity_edu.grading.isolation.grade_one import grade_submission
from identity_edu.grading.isolation.merge import merge
from identity_edu.grading.isolation.reading import UnreadableError
from identity_edu.grading.isolation.sandbox import isolation_problem
from identity_edu.grading.isolation.task import Limits, Task

needs_bubblewrap = pytest.mark.skipif(
    bool(isolation_problem("bubblewrap")), reason="bubblewrap is not installed"
)
REFERENCE, RELEASED = (
    json.dumps(notebook()) for notebook in (target.reference, target.released)
)
LIMITS = Limits(
    cell_seconds=1, call_seconds=1, total_seconds=15, memory_mb=256, figure_kb=64
)
MARKS = {c["id"]: c["metadata"]["nbgrader"] for c in target.released()["cells"]}
OURS = {
    cell["id"]: cell["source"]
    for cell in target.released()["cells"]
    if not cell["metadata"]["nbgrader"]["solution"]
}
ANSWERS = {
    cell["id"]: cell["source"]
    for cell in BASES["solved"]["cells"]
    if cell["id"].endswith("-answer")
}
AT_ONCE = 8  # mutants of one example, graded in threads
SETTINGS = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


def task(content):
    return Task(
        target.ASSIGNMENT,
        "ada",
        content,
        REFERENCE,
        RELEASED,
        secret=target.SECRET,
        limits=LIMITS,
    )


def points_of(result):
    """Points by graded cell; what awaits a person has none yet."""
    return {test.grade_id: test.points or 0.0 for test in result.tests}


@pytest.fixture(scope="module")
def honest():
    """Grade the bases."""
    graded = {
        name: grade_submission(task(json.dumps(b).encode()))
        for name, b in BASES.items()
    }
    assert {r.verdict for r in graded.values()} == {"graded"}
    return {name: points_of(result) for name, result in graded.items()}


# Laid over the released notebook: thousands, as nothing is run


@settings(max_examples=400, **SETTINGS)
@given(mutants())
def test_a_mutant_is_refused_in_a_line_or_has_every_cell_of_ours_as_it_was(mutant):
    try:
        merged = merge(task(mutant.content))
    except UnreadableError:
        return
    cells = {cell.key: cell for cell in merged.cells}
    assert len(cells) == len(merged.cells)
    ours = [cell.key for cell in merged.cells if cell.key in OURS]
    assert ours == list(OURS)
    for key, source in OURS.items():
        assert cells[key].source == source
        assert cells[key].marks == MARKS[key]
    graded = [c.marks["grade_id"] for c in merged.cells if c.marks.get("grade")]
    assert graded == list(target.POINTS)


@settings(max_examples=400, **SETTINGS)
@given(damaged())
def test_damage_around_the_answers_costs_no_answer(mutant):
    merged = merge(task(mutant.content))
    found = {c.key: c.source for c in merged.cells if c.role == "answer"}
    assert found == ANSWERS


# What must hold of every mutant that is graded


def require_sound(result):
    assert result.verdict in ("graded", "repaired", "limited", "unreadable"), (
        result.reason,
        result.notebook,
    )
    assert [test.grade_id for test in result.tests] == list(target.POINTS)
    for test in result.tests:
        assert test.max_points == target.MAX_POINTS[test.grade_id]
        assert 0.0 <= (test.points or 0.0) <= test.max_points
    said = [result.reason, *result.repairs, *(test.reason for test in result.tests)]
    assert all(line.isprintable() and len(line) <= 1000 for line in said)
    assert not [line for line in said for word in target.CANARIES if word in line]
    plain = json.loads(json.dumps(result.to_plain(), allow_nan=False))
    nbformat.validate(plain["notebook"])


def require_no_gain(mutant, result, honest):
    points = points_of(result)
    assert not {n: points[n] for n in ABSENT[mutant.base] if points[n]}
    texts = texts_of(mutant.content)
    if texts is None or texts <= BASE_TEXTS[mutant.base]:  # no answer was rewritten
        before = honest[mutant.base]
        assert not {n: p for n, p in points.items() if p > before[n]}


def fuzz(n_examples, honest):
    """Grade ``AT_ONCE * n_examples`` mutants; how many different ones there were."""
    graded = set()

    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:

        @settings(max_examples=n_examples, **SETTINGS)
        @given(st.lists(mutants(), min_size=AT_ONCE, max_size=AT_ONCE, unique=True))
        def check(batch):
            results = pool.map(grade_submission, [task(m.content) for m in batch])
            for mutant, result in zip(batch, results, strict=True):
                graded.add(mutant.content)
                require_sound(result)
                require_no_gain(mutant, result, honest)

        check()
    return len(graded)


@needs_bubblewrap
def test_few_mutants_neither_crash_the_grader_nor_gain(honest):
    assert fuzz(6, honest) >= 40


@needs_bubblewrap
@pytest.mark.slow
def test_two_thousand_mutants_neither_crash_the_grader_nor_gain(honest):
    assert fuzz(290, honest) >= 2000
