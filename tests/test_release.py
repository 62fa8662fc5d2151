"""An assignment is handed out as a folder and as one archive, without its answers."""

import base64
import csv
import hashlib
import io
import json
import os
import shutil
import site
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from identity_edu.cli import app
from identity_edu.grading.bundle import bundle_files, write_bundle
from identity_edu.grading.cells import read_cells, split_at_markers
from identity_edu.grading.course import CONFIG, GradingError, assignment_names
from identity_edu.grading.gradebook import one_writer, open_gradebook
from identity_edu.grading.release import drift, release
from identity_edu.grading.wheel import student_wheel, zip_bytes

ROOT = Path(__file__).resolve().parents[1]
NAMES = assignment_names(ROOT)
NAME = NAMES[0] if NAMES else ""

pytestmark = pytest.mark.skipif(not NAMES, reason="solutions/ holds no assignment")


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """Release the first assignment once, for tests that only read it."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "solutions" / NAME, folder / "solutions" / NAME)
    for name in (CONFIG, "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    release(folder, NAME, gradebook=True)
    return folder


@pytest.fixture
def course(released, tmp_path):
    """Copy that course, to be changed."""
    return shutil.copytree(released, tmp_path / "course")


def notebook_of(course, folder="exercises"):
    return course / folder / NAME / f"{NAME}.ipynb"


# The exercise


def test_nothing_is_released_while_somebody_grades(course):
    before = notebook_of(course).stat()
    with one_writer(course), pytest.raises(GradingError, match="is grading here"):
        release(course, NAME, gradebook=True)
    assert notebook_of(course).stat() == before


def test_drift_names_the_files_that_were_edited_by_hand(course):
    release(course, NAME)
    assert drift(course, NAME) == []
    with notebook_of(course).open("a") as file:
        file.write("\n")
    (course / "exercises" / NAME / "extra.txt").write_text("left over")
    folder = f"exercises/{NAME}"
    assert drift(course, NAME) == [f"{folder}/{NAME}.ipynb", f"{folder}/extra.txt"]


def test_what_is_entered_into_the_gradebook_has_the_bytes_of_what_is_not(released):
    kept = ROOT / "exercises" / NAME / f"{NAME}.ipynb"
    assert notebook_of(released).read_bytes() == kept.read_bytes()
    assert drift(released, NAME) == []


# The gradebook


def hand_in(course, points):
    """Let a person give points to ada."""
    with open_gradebook(course) as gradebook:
        gradebook.update_or_create_student("ada")
        submission = gradebook.update_or_create_submission(NAME, "ada")
        grade = submission.notebooks[0].grades[0]
        grade.auto_score, grade.manual_score = 0.0, points
        gradebook.db.commit()


def points_of_ada(course):
    with open_gradebook(course) as gradebook:
        return gradebook.find_submission(NAME, "ada").score


def drop_last_test(course):
    path = notebook_of(course, "solutions")
    document = json.loads(path.read_text("utf-8"))
    tests = [c for c in document["cells"] if c["id"].endswith("-check")]
    document["cells"].remove(tests[-1])
    path.write_text(json.dumps(document), "utf-8")


def test_releasing_again_loses_no_points_and_never_changes_graded_cells(course):
    drop_last_test(course)
    release(course, NAME, gradebook=True)  # nothing was handed in: it may change
    hand_in(course, 0.75)
    release(course, NAME, gradebook=True)
    assert points_of_ada(course) == 0.75
    before = notebook_of(course).read_bytes()
    drop_last_test(course)
    with pytest.raises(GradingError, match="Cannot add or remove cells"):
        release(course, NAME, gradebook=True)
    assert points_of_ada(course) == 0.75
    assert notebook_of(course).read_bytes() == before


# The archive


def everything_in(files):
    """Return content by path of a bundle, and of the wheel in it."""
    found = dict(files)
    for name, data in files.items():
        if name.endswith(".whl"):
            with zipfile.ZipFile(io.BytesIO(data)) as wheel:
                found |= {
                    f"{name}/{inner}": wheel.read(inner) for inner in wheel.namelist()
                }
    return found


def test_a_bundle_has_what_a_student_needs_in_one_folder(released):
    files = bundle_files(released, NAME)
    assert {Path(name).parts[0] for name in files} == {NAME}
    assert files[f"{NAME}/{NAME}.ipynb"] == notebook_of(released).read_bytes()
    readme = files[f"{NAME}/README.txt"].decode()
    assert "\n    python -m pip install -r requirements.txt\n" in readme
    assert f"jupyter lab {NAME}.ipynb" in readme
    assert readme.isascii()
    wanted = files[f"{NAME}/requirements.txt"].decode().splitlines()[1:]
    constraint, wheel, jupyter = wanted
    assert jupyter == "jupyterlab"
    assert f"{NAME}/{wheel.removeprefix('./')}" in files
    versions = files[f"{NAME}/{constraint.split()[1]}"].decode().splitlines()
    assert any(line.startswith("jupyterlab==") for line in versions)
    assert all("==" in line for line in versions[1:])


def test_the_same_course_gives_the_same_bytes(released, tmp_path, monkeypatch):
    first = write_bundle(released, NAME, tmp_path / "a").read_bytes()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    os.utime(notebook_of(released), (10**9, 10**9))
    assert write_bundle(released, NAME, tmp_path / "b").read_bytes() == first
    assert [p.name for p in (tmp_path / "b").iterdir()] == [f"{NAME}.zip"]
    assert zip_bytes({"b": b"1", "a": b"2"}) == zip_bytes({"a": b"2", "b": b"1"})


def test_a_bundle_holds_no_answer_no_grading_and_no_place_on_this_machine(released):
    files = everything_in(bundle_files(released, NAME))
    cells = read_cells(ROOT / "solutions" / NAME / f"{NAME}.ipynb")
    inside = {line for c in cells for line in split_at_markers(c.source)[0]}
    shown = "\n".join(line for c in cells for line in split_at_markers(c.source)[1])
    inside = {s.encode() for s in inside if len(s) >= 20 and s not in shown}
    assert inside
    machine = [str(released), str(ROOT), sys.prefix, tempfile.gettempdir() + "/"]
    for name, data in files.items():
        if name.endswith(".whl"):
            continue
        assert not [s for s in inside if s in data and NAME in name.split("/")[1]], name
        assert not [path for path in machine if path.encode() in data], name
    parts = {part for name in files for part in name.split("/")}
    assert not parts & {"grading", "solutions", "tests", "wrong_answers", "attacks"}
    assert {"checks.py", "digits.npz", "digits.md", "LICENSE"} <= parts


def test_pip_can_check_every_file_of_the_wheel():
    name, content = student_wheel()
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        names = wheel.namelist()
        about = name.split("-py3")[0] + ".dist-info"
        rows = list(csv.reader(wheel.read(f"{about}/RECORD").decode().splitlines()))
        assert [row[0] for row in rows if row[1]] == sorted(set(names) - {rows[-1][0]})
        for path, digest, size in rows[:-1]:
            data = wheel.read(path)
            found = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
            assert digest == f"sha256={found.decode().rstrip('=')}"
            assert int(size) == len(data)
        metadata = wheel.read(f"{about}/METADATA").decode()
    assert (
        name
        == f"identity_edu-{metadata.split('Version: ')[2].split()[0]}-py3-none-any.whl"
    )


def test_a_bundle_that_cannot_be_right_is_refused_in_one_line(released, tmp_path):
    with pytest.raises(GradingError, match="99_unknown must be released first"):
        bundle_files(released, "99_unknown")
    shutil.copytree(released / "exercises", tmp_path / "exercises")
    with pytest.raises(GradingError, match=r"versions .* are in requirements\.txt"):
        bundle_files(tmp_path, NAME)
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    extra = tmp_path / "exercises" / NAME / "README.txt"
    extra.write_text("mine")
    with pytest.raises(GradingError, match=r"README\.txt is a name"):
        bundle_files(tmp_path, NAME)
    extra.rename(extra.with_name("data.py")).write_text("### BEGIN SOLUTION\n")
    with pytest.raises(GradingError, match=r"'BEGIN SOLUTION' in data\.py"):
        bundle_files(tmp_path, NAME)


def test_other_released_files_come_along_without_left_overs(released, tmp_path):
    shutil.copytree(released / "exercises", tmp_path / "exercises")
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    data = tmp_path / "exercises" / NAME / "data" / "points.csv"
    data.parent.mkdir()
    data.write_bytes(b"1,2\n")
    left_over = data.parent / ".ipynb_checkpoints" / "points.csv"
    left_over.parent.mkdir()
    left_over.write_bytes(b"old")
    files = bundle_files(tmp_path, NAME)
    assert files[f"{NAME}/data/points.csv"] == b"1,2\n"
    assert b"old" not in files.values()


# The command


def test_the_command_releases_and_packs(course):
    shutil.rmtree(course / "exercises")
    done = CliRunner().invoke(app, ["release", NAME, "--course", str(course)])
    assert done.exit_code == 0, done.output
    assert (course / "dist" / f"{NAME}.zip").is_file()
    assert drift(course, NAME) == []
    with open_gradebook(course) as gradebook:
        assert gradebook.find_assignment(NAME).max_score > 0


def test_the_command_checks_without_writing(released, tmp_path):
    where = ["--course", str(released), "--out", str(tmp_path)]
    done = CliRunner().invoke(app, ["release", NAME, "--check", *where])
    assert done.exit_code == 0, done.output
    assert not list(tmp_path.iterdir())
    wrong = CliRunner().invoke(app, ["release", "99_unknown", *where])
    assert wrong.exit_code == 1
    assert "no assignment '99_unknown' in solutions/" in wrong.output


# On a student's machine

GIVEN = """
import json, sys
import matplotlib
matplotlib.use("Agg")
import identity_edu
assert identity_edu.__file__.startswith(sys.prefix), identity_edu.__file__
names = {}
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["id"] == "setup" or cell["id"].endswith("-given"):
        exec("".join(cell["source"]), names)
print(len(names))
"""


def unpacked(name, folder):
    """Open a bundle as a student does; return the folder with the notebook."""
    with zipfile.ZipFile(write_bundle(ROOT, name, folder)) as archive:
        archive.extractall(folder)
    return folder / name


@pytest.mark.slow
def test_a_student_installs_a_bundle_and_runs_what_is_given(tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    folder = unpacked(NAME, tmp_path)

    def run(*arguments, check=True):
        command = [python, *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    wheel = next(folder.glob("*.whl")).name
    assert "identity_edu does not load" in run("ready.py", check=False).stdout
    run("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", f"./{wheel}")
    packages = run("-c", "import site; print(site.getsitepackages()[0])").stdout
    # What pip would fetch is here already: a student's network is not tested.
    borrowed = Path(packages.strip(), "borrowed.pth")
    borrowed.write_text("\n".join(site.getsitepackages()) + "\n")
    assert "You are ready" in run("ready.py").stdout
    for name in NAMES:
        folder = unpacked(name, tmp_path)
        assert int(run("-c", GIVEN, f"{name}.ipynb").stdout.split()[-1]) > 5
    refused = run("-m", "identity_edu", "grade", NAME, check=False)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
