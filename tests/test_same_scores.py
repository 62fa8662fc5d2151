"""Honest submissions score what stock nbgrader gives them, cell by cell."""

import copy
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import stock

from identity_edu.grading.course import assignment_names
from identity_edu.grading.isolation.grade_one import grade_submission
from identity_edu.grading.isolation.sandbox import isolation_problem
from identity_edu.grading.isolation.task import Task
from identity_edu.grading.wrong_answers import load_wrong_answers

ROOT = Path(__file__).resolve().parents[1]
NAMES = assignment_names(ROOT)
WORKERS = os.cpu_count() or 1

pytestmark = pytest.mark.skipif(
    bool(isolation_problem("bubblewrap")), reason="bubblewrap is not installed"
)


def path_of(folder, name):
    return ROOT / folder / name / f"{name}.ipynb"


def combined(name, k):
    """Fill every blank with its k-th wrong answer, or rightly where there is none."""
    document = copy.deepcopy(json.loads(path_of("solutions", name).read_text("utf-8")))
    wrong = load_wrong_answers(ROOT, name)
    for cell in document["cells"]:
        if k < len(wrong.get(cell["id"], [])):
            cell["source"] = wrong[cell["id"]][k].source.strip("\n")
    return json.dumps(document)


def honest(name):
    """Name the submissions; every wrong answer is in one of the combined ones."""
    most = max(len(wrong) for wrong in load_wrong_answers(ROOT, name).values())
    texts = {f"wrong-{k}": combined(name, k) for k in range(most)}
    texts["reference"] = path_of("solutions", name).read_text("utf-8")
    texts["untouched"] = path_of("exercises", name).read_text("utf-8")
    return texts


def our_scores(name, submissions):
    """Grade isolated; points by student and cell."""
    texts = [path_of(f, name).read_text("utf-8") for f in ("solutions", "exercises")]

    def grade(student):
        data = submissions[student].encode()
        return grade_submission(Task(name, student, data, *texts))

    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(grade, submissions))
    assert {(r.verdict, r.reason) for r in results} == {("graded", "")}
    return {
        r.student: {test.grade_id: test.points for test in r.tests} for r in results
    }


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    """Have stock nbgrader grade all assignments, as many at once as there are cores."""
    with ThreadPoolExecutor(WORKERS) as pool:
        started = {}
        for name in NAMES:
            course = tmp_path_factory.mktemp("stock")
            arguments = (course, path_of("solutions", name), honest(name))
            started[name] = pool.submit(stock.grade, *arguments)
        yield started
        pool.shutdown(cancel_futures=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_honest_submission_scores_as_with_stock_nbgrader(name, oracle):
    assert our_scores(name, honest(name)) == stock.points(oracle[name].result())


@pytest.mark.slow
def test_a_submission_with_mistakes_scores_as_with_stock_nbgrader(tmp_path):
    submissions = {"ann": combined(NAMES[0], 10)}  # of some blanks the last mistake
    rows = stock.grade(tmp_path, path_of("solutions", NAMES[0]), submissions)
    expected = stock.points(rows)
    assert {0.0, 1.0, 2.0} <= set(expected["ann"].values())
    assert our_scores(NAMES[0], submissions) == expected
