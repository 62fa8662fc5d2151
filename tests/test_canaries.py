"""What is planted in hidden tests and answers reaches no student, whatever they do.

A unique word goes into every hidden test and every answer of a copy of solutions/:
as a comment, as a variable, printed, and in errors. Then all that a student ever
receives is searched for it.
"""

import hashlib
import io
import json
import shutil
import zipfile

import pytest
from book_pages import ROOT
from nbgrader.converters import GenerateFeedback

from identity_edu.grading.batch import grade_assignment, results_of
from identity_edu.grading.bundle import write_bundle
from identity_edu.grading.course import CONFIG, assignment_names, convert
from identity_edu.grading.exam import read_exam
from identity_edu.grading.feedback import write_feedback
from identity_edu.grading.isolation.sandbox import isolation_problem
from identity_edu.grading.release import release
from identity_edu.grading.wrong_answers import load_wrong_answers

NAMES = assignment_names(ROOT)
FIRST = "05_near_identity_factors"
WORD = "CANARY"

pytestmark = pytest.mark.skipif(not NAMES, reason="solutions/ holds no assignment")
isolated = pytest.mark.skipif(
    bool(isolation_problem("bubblewrap")), reason="bubblewrap is not installed"
)

# What a curious student adds: look for the word wherever Python can look.
SEARCH = """
import gc, os, sys
word, found = "CAN" + "ARY", set()
def look(text):
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if isinstance(text, str) and word + "-" in text:
        at = text.index(word + "-")
        found.add(text[at : at + 40])
for thing in gc.get_objects():
    if isinstance(thing, dict):
        for value in list(thing.values()):
            look(value)
    elif isinstance(thing, (list, tuple, set)):
        for value in list(thing):
            look(value)
frame = sys._getframe()
while frame:
    for value in [*frame.f_locals.values(), *frame.f_code.co_consts]:
        look(value)
    frame = frame.f_back
for value in os.environ.values():
    look(value)
for place in (".", "/scratch", "/proc/self/environ", "/proc/self/maps", "{root}"):
    for folder, _, names in os.walk(place):
        for name in names:
            try:
                look(open(os.path.join(folder, name), "rb").read(10**6))
            except OSError:
                pass
print("searched", len(found), *found)
"""


def canary(cell_id):
    return f"{WORD}-{hashlib.sha256(cell_id.encode()).hexdigest()[:16]}"


def plant(document):
    """Put a word of its own into every hidden test and every answer."""
    planted, n_hidden = set(), 0
    for cell in document["cells"]:
        source, word = "".join(cell["source"]), canary(cell["id"])
        if "### BEGIN HIDDEN TESTS\n" in source:
            n_hidden += 1
            lines = f"# {word}\nlook_at_me = {word!r}\nprint(look_at_me)\n"
            if n_hidden % 3 == 0:  # an error of the test's own, words and all
                lines += "raise KeyError(look_at_me)\n"
            begin = "### BEGIN HIDDEN TESTS\n"
            cell["source"] = source.replace(begin, begin + lines)
            planted.add(word)
        elif "### BEGIN SOLUTION\n" in source:
            indent = source.split("### BEGIN SOLUTION")[0].rpartition("\n")[2]
            begin = "### BEGIN SOLUTION\n"
            cell["source"] = source.replace(begin, f"{begin}{indent}# {word}\n")
            planted.add(word)
    return planted


def make_course(folder, names):
    """Make a course with canaries; return what was planted."""
    for name in (CONFIG, "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    planted = set()
    for name in names:
        path = folder / "solutions" / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        source = ROOT / "solutions" / name / path.name
        document = json.loads(source.read_text("utf-8"))
        planted |= plant(document)
        path.write_text(json.dumps(document), "utf-8")
    return planted


def hand_in(course, name):
    """Hand in the released notebook, wrong answers, and one that searches."""
    text = (course / "exercises" / name / f"{name}.ipynb").read_text("utf-8")
    wrong = load_wrong_answers(ROOT, name)
    made = {"untouched": text}
    document = json.loads(text)
    for cell in document["cells"]:
        if cell["id"] in wrong:
            cell["source"] = wrong[cell["id"]][0].source
    made["wrong"] = json.dumps(document)
    search = {"cell_type": "code", "id": "search", "metadata": {}, "outputs": []}
    search |= {"source": SEARCH.replace("{root}", str(course)), "execution_count": None}
    document["cells"].insert(3, search)
    document["cells"].append({**search, "id": "search-again"})
    made["searching"] = json.dumps(document)
    made["broken"] = text[:-100]
    for student, content in made.items():
        folder = course / ".grading" / "submitted" / student
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.ipynb").write_text(content, "utf-8")
    return list(made)


def singing(files):
    """Name the files with a canary in them, those in archives too."""
    found = []
    for name, data in files.items():
        if name.endswith((".zip", ".whl")):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                inner = {f"{name}/{n}": archive.read(n) for n in archive.namelist()}
            found += singing(inner)
        elif WORD.encode() in data:
            found.append(name)
    return found


def files_in(folder):
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_search_sees_a_canary_in_an_archive_in_an_archive(tmp_path):
    (tmp_path / "a.txt").write_text(canary("x"))
    for inner, outer in (("a.txt", "a.whl"), ("a.whl", "a.zip")):
        with zipfile.ZipFile(tmp_path / outer, "w") as archive:
            archive.write(tmp_path / inner, inner)
        (tmp_path / inner).unlink()
    assert singing(files_in(tmp_path)) == [f"{tmp_path}/a.zip/a.whl/a.txt"]


def test_no_canary_reaches_an_exercise_a_bundle_or_what_a_student_process_is_sent(
    tmp_path,
):
    planted = make_course(tmp_path, NAMES)
    assert len(planted) >= 8 * len(NAMES)
    for name in NAMES:
        release(tmp_path, name)
        write_bundle(tmp_path, name, tmp_path / "dist")
        task = read_exam(tmp_path, name).task("ada")
        assert WORD in task.reference
        assert WORD not in task.released
        assert not singing(task.files)
    assert len(files_in(tmp_path / "exercises")) >= len(NAMES)
    assert len(files_in(tmp_path / "dist")) == len(NAMES)
    assert not singing(files_in(tmp_path / "exercises"))
    assert not singing(files_in(tmp_path / "dist"))


@isolated
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == FIRST else pytest.mark.slow)
        for name in NAMES
    ],
)
def test_no_canary_comes_back_to_a_student_who_was_graded(tmp_path, name):
    planted = make_course(tmp_path, [name])
    release(tmp_path, name, gradebook=True)
    students = hand_in(tmp_path, name)
    graded = grade_assignment(tmp_path, name)
    assert sorted(graded.results) == sorted(students)
    results = list(results_of(tmp_path, graded, students))
    notebooks = [json.dumps(result.notebook) for result in results]
    assert any(word in text for word in planted for text in notebooks)  # to be hidden
    write_feedback(tmp_path, results)
    pages = files_in(tmp_path / "return")
    assert len(pages) == 2 * len(students)
    assert not singing(pages)
    searched = (tmp_path / "return" / "searching" / f"{name}.html").read_text("utf-8")
    assert searched.count("searched 0") == 2
    convert(GenerateFeedback, tmp_path, name, "searching")
    stock = files_in(tmp_path / ".grading" / "feedback")
    assert any(path.endswith(f"{name}.html") for path in stock)
    assert not singing(stock)
