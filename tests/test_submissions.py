"""What students hand in is found whatever its layout, and followed nowhere."""

import hashlib
import os
from datetime import datetime

import pytest

from identity_edu.grading import submissions
from identity_edu.grading.course import GradingError
from identity_edu.grading.submissions import find_submissions, only

NAME, OTHER = "05_factors", "06_descent"


def put(folder, path, text="{}"):
    path = folder / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def found(folder):
    result = find_submissions(folder, NAME, {NAME, OTHER})
    return {s.student: s for s in result.submissions}


@pytest.mark.parametrize("layout", ["ada/{0}/{0}.ipynb", "ada/{0}.ipynb", "ada.ipynb"])
def test_three_layouts_are_understood(tmp_path, layout):
    put(tmp_path, layout.format(NAME), "hello")
    (one,) = found(tmp_path).values()
    assert (one.student, one.problem, one.note) == ("ada", "", "")
    assert one.read() == b"hello"
    assert one.sha256() == hashlib.sha256(b"hello").hexdigest()


def test_who_handed_in_another_assignment_has_nothing_for_this_one(tmp_path):
    put(tmp_path, f"ada/{OTHER}/{OTHER}.ipynb")
    put(tmp_path, f"ben/{OTHER}.ipynb")
    (tmp_path / "cleo").mkdir()
    put(tmp_path, "readme.txt")
    put(tmp_path, ".hidden/x.ipynb")
    put(tmp_path, "dora/.DS_Store")
    put(tmp_path, f"__MACOSX/dora/._{NAME}.ipynb")
    assert found(tmp_path) == {}


def test_a_folder_counts_more_than_a_file_beside_it(tmp_path):
    put(tmp_path, f"ada/{NAME}.ipynb", "folder")
    put(tmp_path, "ada.ipynb", "file")
    put(tmp_path, f"ben/{OTHER}.ipynb", "other")
    put(tmp_path, "ben.ipynb", "file")
    assert {s.student: s.read() for s in found(tmp_path).values()} == {
        "ada": b"folder",
        "ben": b"file",
    }


@pytest.mark.parametrize("folder", [f"ada/{NAME}", "ada"])
def test_the_only_notebook_is_taken_whatever_its_name(tmp_path, folder):
    put(tmp_path, f"{folder}/My answers (2).ipynb", "mine")
    one = found(tmp_path)["ada"]
    assert one.read() == b"mine"
    assert one.note == f"My answers (2).ipynb was taken for {NAME}.ipynb"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.ipynb", "b.ipynb"], "is missing; found a.ipynb, b.ipynb"),
        (["work.zip"], "is missing; found work.zip"),
        (["timestamp.txt"], "is missing; found nothing"),
    ],
)
def test_what_cannot_be_chosen_from_is_a_submission_with_a_reason(
    tmp_path, names, told
):
    for name in names:
        put(tmp_path, f"ada/{NAME}/{name}", "2026-01-02 10:00:00 UTC")
    one = found(tmp_path)["ada"]
    assert one.problem.endswith(told)
    assert one.read() == b""
    assert one.sha256() == hashlib.sha256(one.problem.encode()).hexdigest()


def make_link(path, target):
    path.symlink_to(target)


def make_pipe(path, target):
    os.mkfifo(path)


def make_folder(path, target):
    path.mkdir()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
@pytest.mark.parametrize(
    "place", [f"ada/{NAME}/{NAME}.ipynb", f"ada/{NAME}.ipynb", "ada.ipynb"]
)
@pytest.mark.parametrize(
    ("make", "kind"),
    [(make_link, "a link"), (make_pipe, "a pipe"), (make_folder, "a folder")],
)
def test_links_pipes_and_folders_are_never_followed(tmp_path, place, make, kind):
    secret = put(tmp_path, "secret.txt", "the solutions")
    path = tmp_path / "handed_in" / place
    path.parent.mkdir(parents=True)
    make(path, secret)
    one = found(tmp_path / "handed_in")["ada"]
    assert f"is {kind}" in one.problem
    assert one.read() == b""


@pytest.mark.parametrize("place", ["ada", f"ada/{NAME}"])
def test_a_link_in_the_place_of_a_folder_is_not_followed(tmp_path, place):
    put(tmp_path, f"solutions/{NAME}.ipynb", "the solutions")
    path = tmp_path / "handed_in" / place
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "solutions")
    one = found(tmp_path / "handed_in")["ada"]
    assert "is a link" in one.problem
    assert one.read() == b""


def test_a_file_that_turns_into_a_link_is_not_followed(tmp_path):
    path = put(tmp_path, "handed_in/ada.ipynb", "mine")
    one = found(tmp_path / "handed_in")["ada"]
    path.unlink()
    path.symlink_to(put(tmp_path, "secret.txt", "the solutions"))
    with pytest.raises(OSError, match="symbolic links"):
        one.read()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
@pytest.mark.parametrize("make", [make_pipe, make_folder])
def test_a_file_that_turns_into_another_kind_stops_nobody_else(tmp_path, make):
    path = put(tmp_path, "ada.ipynb", "mine")
    one = found(tmp_path)["ada"]
    path.unlink()
    make(path, None)
    with pytest.raises(OSError, match=r"no longer a file|Is a directory"):
        one.sha256()


def test_the_folder_of_an_assignment_is_no_student(tmp_path):
    put(tmp_path, f"{NAME}/ada.ipynb")
    result = find_submissions(tmp_path, NAME, {NAME, OTHER})
    assert result.submissions == []
    assert result.refused[0].startswith(f"{NAME} is an assignment, no student")
    assert list(found(tmp_path / NAME)) == ["ada"]


def test_a_giant_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_BYTES", 1 << 20)
    path = put(tmp_path, "ada.ipynb")
    os.truncate(path, 3 << 20)
    one = found(tmp_path)["ada"]
    assert one.problem == "ada.ipynb has 3 MB; at most 1 are read: clear its outputs"
    assert one.path is None


@pytest.mark.parametrize(
    "name", ["-rf", "a\nb", "a;b", "$(x)", "<b>", " ada", "ada ", "x" * 130, "..ada"]
)
def test_a_name_that_could_harm_is_refused_and_named(tmp_path, name):
    (tmp_path / name).mkdir()
    put(tmp_path, "ben.ipynb")
    result = find_submissions(tmp_path, NAME)
    if name.startswith("."):
        assert result.refused == []  # hidden, as .ipynb_checkpoints
    else:
        (line,) = result.refused
        assert "cannot be a student's name" in line
        assert line.isprintable()
    assert [s.student for s in result.submissions] == ["ben"]


@pytest.mark.parametrize("name", ["ada", "Zoë Müller", "s1234567", "a.b@c-d+e_f"])
def test_ordinary_names_are_taken(tmp_path, name):
    put(tmp_path, f"{name}.ipynb")
    assert list(found(tmp_path)) == [name]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-02-03 10:20:30 UTC", datetime(2026, 2, 3, 10, 20, 30)),
        ("2026-02-03T10:20:30+02:00", datetime(2026, 2, 3, 8, 20, 30)),
        ("soon", None),
        ("", None),
    ],
)
def test_the_time_is_read_as_nbgrader_reads_it(tmp_path, text, time):
    put(tmp_path, f"ada/{NAME}/{NAME}.ipynb")
    put(tmp_path, f"ada/{NAME}/timestamp.txt", text)
    assert found(tmp_path)["ada"].timestamp == time


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(GradingError, match="a folder of submissions is required"):
        find_submissions(tmp_path / "nowhere", NAME)


def test_a_student_who_handed_in_nothing_is_named(tmp_path):
    put(tmp_path, "ada.ipynb")
    every = find_submissions(tmp_path, NAME).submissions
    assert only(every, None) == only(every, ["ada"]) == every
    with pytest.raises(GradingError, match=r"nothing was handed in by ben, cleo\."):
        only(every, ["ada", "cleo", "ben"])


def test_what_is_passed_over_is_said(tmp_path):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "05_x.ipynb").write_bytes(b"new")
    for name in ("ada.ipynb", "finn.zip", "toni.ipynb.txt", ".hidden", "zoe.ipynb"):
        (tmp_path / name).write_bytes(b"old")
    found = find_submissions(tmp_path, "05_x")
    assert [s.student for s in found.submissions] == ["ada", "zoe"]
    assert found.submissions[0].read() == b"new"
    assert not found.refused
    assert [line.split(" is passed over: ")[0] for line in found.passed_over] == [
        "ada.ipynb",
        "finn.zip",
        "toni.ipynb.txt",
    ]
