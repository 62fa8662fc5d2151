"""What every assignment promises, held over all folders of solutions/."""

import ast
import importlib
import inspect
import itertools
import json
import pkgutil
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import identity_edu
from identity_edu.grading.cells import (
    MARKERS,
    blanks,
    defined_names,
    exercise_and_role,
    read_cells,
    replace_answers,
    split_at_markers,
)
from identity_edu.grading.course import assignment_names
from identity_edu.grading.release import drift, orphans
from identity_edu.grading.runner import at_each_blank, fork, run_cell, run_cells
from identity_edu.grading.wrong_answers import load_wrong_answers

ROOT = Path(__file__).resolve().parents[1]
EXPECTED = {
    "02_backprop_by_hand",
    "03_risk_and_gradient",
    "04_no_bad_valleys",
    "05_near_identity_factors",
    "06_does_descent_find_it",
    "07_relu_residual_nets",
    "08_memorising_any_sample",
    "09_convolution",
    "10_fewer_multiplications",
    "11_training_allconv",
    "12_on_a_gpu",
    "13_norm_preservation",
    "14_procrustes_transitions",
    "15_never_worse_than_linear",
    "16_skip_to_the_output",
}
NAMES = assignment_names(ROOT)
# Commands and pictures, not functions of arrays that return arrays.
NOT_ANSWERS = ("grading", "cli", "experiments", "plots", "__main__")

each_assignment = pytest.mark.parametrize("name", NAMES)


def path_of(folder, name):
    return ROOT / folder / name / f"{name}.ipynb"


def solution(name):
    return read_cells(path_of("solutions", name))


def stubs(name):
    """Return what students find in each answer cell."""
    exercise = read_cells(path_of("exercises", name))
    return {cell.id: cell.source for cell in exercise if cell.is_answer}


def rejection(blank, namespace, seconds=20.0):
    """Return the first graded cell of a blank that fails, and how; or two Nones."""
    for test in blank.tests:
        outcome = run_cell(test, namespace, seconds)
        if not outcome.passed:
            return test.id, outcome
    return None, None


def test_every_chapter_with_an_assignment_has_one():
    missing = EXPECTED - set(NAMES)
    assert not missing, f"solutions/ lacks {sorted(missing)}"
    assert not orphans(ROOT), f"exercises/ without a solution: {orphans(ROOT)}"


@each_assignment
def test_exercises_are_what_the_solutions_generate(name):
    assert not drift(ROOT, name), "run `make exercises`"


@each_assignment
def test_the_solution_runs_without_a_word_on_stderr(name):
    outcomes = run_cells(solution(name))
    failed = {cell_id: o for cell_id, o in outcomes.items() if not o.passed}
    assert not failed


def run_in_kernel(name):
    notebook = nbformat.read(path_of("solutions", name), as_version=4)
    arguments = ["--IPKernelApp.log_level=40"]
    client = NotebookClient(notebook, timeout=60, extra_arguments=arguments)
    client.execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert not [o for o in outputs if o.get("name") == "stderr"]
    graded = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]
    values = [o for c in graded for o in c.get("outputs", []) if "data" in o]
    assert not values, "nbgrader reads the value of a graded cell as partial credit"


@pytest.mark.parametrize("name", NAMES[:1])
def test_the_first_solution_runs_in_a_kernel(name):
    run_in_kernel(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES[1:])
def test_the_other_solutions_run_in_a_kernel(name):
    run_in_kernel(name)


@each_assignment
def test_the_exercise_stops_first_at_the_first_check(name):
    cells = read_cells(path_of("exercises", name))
    outcomes = run_cells(cells)
    first = next(cell_id for cell_id, o in outcomes.items() if not o.passed)
    assert first == next(cell.id for cell in cells if cell.is_test)
    assert isinstance(outcomes[first].error, NotImplementedError)


@each_assignment
def test_the_untouched_exercise_earns_nothing(name):
    cells = replace_answers(solution(name), stubs(name))
    outcomes = run_cells(cells)
    earned = [cell.id for cell in cells if cell.is_test and outcomes[cell.id].passed]
    assert not earned


@each_assignment
def test_each_blank_stands_alone(name):
    """One mistake costs once: a blank passes when all the others are untouched."""
    cells, untouched = solution(name), stubs(name)
    wrong = []
    for blank in blanks(cells):
        others = {key: s for key, s in untouched.items() if key != blank.answer.id}
        outcomes = run_cells(replace_answers(cells, others))
        own = {test.id for test in blank.tests}
        passed = {c.id for c in cells if c.is_test and outcomes[c.id].passed}
        if passed != own:
            wrong.append(f"{blank.answer.id} alone: passed {passed}, not {own}")
    assert not wrong


@each_assignment
def test_every_wrong_answer_is_rejected_with_its_diagnosis(name):
    wrong_answers, problems = load_wrong_answers(ROOT, name), []
    for blank, namespace in at_each_blank(solution(name)):
        for wrong in wrong_answers[blank.answer.id]:
            trial = fork(namespace)
            run_cell(blank.answer_with(wrong.source), trial)
            test_id, outcome = rejection(blank, trial)
            error = outcome.error if outcome else None
            is_assertion = isinstance(error, AssertionError)
            if not (is_assertion and re.search(wrong.says, str(error))):
                found = repr(outcome) if outcome else "passed"
                problems.append(f"{wrong.name} in {test_id}: {found}")
    assert not problems, "\n".join(problems)


@each_assignment
def test_every_blank_has_three_wrong_answers(name):
    wrong_answers = load_wrong_answers(ROOT, name)
    counts = {key: len(wrongs) for key, wrongs in wrong_answers.items()}
    assert set(counts) == {cell.id for cell in solution(name) if cell.is_answer}
    assert min(counts.values()) >= 3, counts
    for wrongs in wrong_answers.values():
        names = [wrong.name for wrong in wrongs]
        assert len(set(names)) == len(names), names
        assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names), names
        assert all(wrong.says for wrong in wrongs), names


def public_functions():
    """Collect the functions that the package offers, by qualified name."""
    found = {}
    for module in pkgutil.walk_packages(identity_edu.__path__, "identity_edu."):
        if module.name.split(".")[1] in NOT_ANSWERS:
            continue
        for key, value in vars(importlib.import_module(module.name)).items():
            is_public = inspect.isfunction(value) and not key.startswith("_")
            if is_public and value.__module__.startswith("identity_edu"):
                found[f"{value.__module__}.{value.__name__}"] = value
    return found


def fits(function, n_arguments):
    try:
        inspect.signature(function).bind(*[None] * n_arguments)
    except TypeError:
        return False
    return True


@each_assignment
def test_no_public_function_of_the_package_is_an_answer(name):
    offered, answers = public_functions(), []
    assert offered
    for blank, namespace in at_each_blank(solution(name)):
        given = fork(namespace)  # one for all of them, since copies are slow to make
        for key, statement in defined_names(blank.answer.source).items():
            if not isinstance(statement, ast.FunctionDef):
                continue
            for function_name, function in offered.items():
                if fits(function, len(statement.args.args)):
                    trial = given | {key: function}
                    if rejection(blank, trial, seconds=3.0)[0] is None:
                        answers.append(f"{function_name} answers {blank.answer.id}")
        # The right answer still passes: none of them has changed what is given.
        run_cell(blank.answer, given)
        assert rejection(blank, given) == (None, None)
    assert not answers


@pytest.mark.skipif(not NAMES, reason="solutions/ holds no assignment")
def test_nothing_between_markers_reaches_students():
    hidden, public = set(), []
    for name in NAMES:
        for cell in solution(name):
            inside, outside = split_at_markers(cell.source)
            hidden |= {line for line in inside if len(line) >= 12}
            public += outside
    shown = "\n".join(public)
    secret = {line for line in hidden if line not in shown}
    assert secret
    for path in (ROOT / "exercises").rglob("*"):
        text = path.read_text("utf-8") if path.is_file() else ""
        if path.suffix == ".ipynb":
            text = "\n".join("".join(c["source"]) for c in json.loads(text)["cells"])
        assert not MARKERS.search(text), path
        assert not [line for line in secret if line in text], path


@each_assignment
def test_the_folder_holds_a_notebook_without_outputs_and_nothing_else(name):
    path = path_of("solutions", name)
    assert list(path.parent.iterdir()) == [path]
    notebook = json.loads(path.read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not [cell["id"] for cell in code if cell["outputs"]]
    assert not [cell["id"] for cell in code if cell["execution_count"] is not None]


@each_assignment
def test_cell_ids_are_unique_and_name_exercise_and_role(name):
    cells = solution(name)
    ids = [cell.id for cell in cells]
    assert len(set(ids)) == len(ids)
    assert all(cell.nbgrader.get("grade_id", cell.id) == cell.id for cell in cells)
    known = {"title", "setup", "end"}
    assert not [i for i in ids if not exercise_and_role(i)[0] and i not in known]


@each_assignment
def test_three_to_five_exercises_of_five_points_mostly_autograded(name):
    cells = solution(name)
    points, roles = {}, {}
    for cell in cells:
        exercise, role = exercise_and_role(cell.id)
        if exercise:
            points[exercise] = points.get(exercise, 0) + cell.points
            roles.setdefault(exercise, set()).add(role)
    assert 3 <= len(points) <= 5
    assert set(points.values()) == {5}, points
    needed = {"goal", "context", "answer", "check", "hidden"}
    assert all(needed <= found for found in roles.values()), roles
    autograded = sum(cell.points for cell in cells if cell.is_test)
    assert autograded >= 0.8 * sum(points.values())


@each_assignment
def test_graded_cells_follow_their_answer_and_hidden_ones_say_so(name):
    cells = solution(name)
    for before, cell in itertools.pairwise(cells):
        if cell.is_test:  # nbgrader puts a deleted test back only in this order
            assert before.is_test or before.is_answer, cell.id
            pair = [exercise_and_role(x.id)[0] for x in (before, cell)]
            assert pair[0] == pair[1], cell.id
        if "BEGIN HIDDEN TESTS" in cell.source:
            assert re.match(r"# \w", cell.source), f"{cell.id} would look empty"
    assert all(blank.tests for blank in blanks(cells))


@each_assignment
def test_a_function_blank_has_a_docstring_and_three_to_eight_lines(name):
    for blank in blanks(solution(name)):
        if blank.answer.id.endswith("-why-answer"):
            continue
        source = blank.answer.source
        (function,) = ast.parse(source).body
        docstring = ast.get_docstring(function)
        assert docstring, blank.answer.id
        inside, outside = split_at_markers(source)
        assert docstring.splitlines()[0] in "\n".join(outside), blank.answer.id
        lines = [line for line in inside if line and not line.startswith("#")]
        assert 3 <= len(lines) <= 8, f"{blank.answer.id}: {len(lines)} lines"
