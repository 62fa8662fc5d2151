"""Tricks in the folder of submissions: links, pipes, archives, names that are paths."""

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from attacks.target import ASSIGNMENT

FILE = f"{ASSIGNMENT}.ipynb"


@dataclass(frozen=True)
class Trick:
    """What lies in a folder of submissions, and what must be said of it.

    Parameters
    ----------
    name, tries : str
    make : callable
        Takes the folder and one with private files, and makes the trick.
    problems : dict
        Regular expression for the problem of each student; empty for none.
    n_refused : int
        How many names cannot be a student's.
    """

    name: str
    tries: str
    make: Callable[[Path, Path], None]
    problems: dict[str, str] = field(default_factory=dict)
    n_refused: int = 0


def _links(folder, private):
    (folder / "ada.ipynb").symlink_to(private / "x.ipynb")
    (folder / "ben").symlink_to(private)
    (folder / "cleo" / ASSIGNMENT).mkdir(parents=True)
    (folder / "cleo" / ASSIGNMENT / FILE).symlink_to(private / "x.ipynb")
    (folder / "dan").mkdir()
    (folder / "dan" / ASSIGNMENT).symlink_to(private)
    (folder / "eve").mkdir()
    (folder / "eve" / FILE).symlink_to("../../private/x.ipynb")
    (folder / "finn").mkdir()
    (folder / "finn" / "other.ipynb").symlink_to(private / "x.ipynb")


def _endless_links(folder, private):
    (folder / "ada.ipynb").symlink_to("ada.ipynb")
    (folder / "ben").mkdir()
    (folder / "ben" / ASSIGNMENT).symlink_to("..")
    (folder / "cleo.ipynb").symlink_to("/dev/zero")
    (folder / "dan.ipynb").symlink_to("/proc/self/environ")


def _pipes(folder, private):
    os.mkfifo(folder / "ada.ipynb")
    (folder / "ben").mkdir()
    os.mkfifo(folder / "ben" / FILE)
    (folder / "cleo" / ASSIGNMENT).mkdir(parents=True)
    (folder / "cleo" / ASSIGNMENT / FILE).write_text("{}")
    os.mkfifo(folder / "cleo" / ASSIGNMENT / "timestamp.txt")


def _archives(folder, private):
    for student in ("ada", "ben"):
        (folder / student).mkdir()
    with zipfile.ZipFile(folder / "ada" / "all.zip", "w") as archive:
        archive.writestr("../../../private/x.ipynb", "overwritten")
        archive.writestr("/private/x.ipynb", "overwritten")
    (folder / "ben" / FILE).mkdir()
    (folder / "ben" / FILE / "x.ipynb").write_text("{}")


def _giants(folder, private):
    with open(folder / "ada.ipynb", "wb") as file:
        file.truncate(1 << 40)  # a terabyte of holes


def _names(folder, private):
    for name in (
        "..x",
        "-rf",
        "a\nb",
        "\x1b[31mred",
        "<script>",
        "a'; drop table grade;--",
        "x\u202egnp",
        "=cmd",
        "$(id)",
        "a\\..\\b",
        " ",
        "n" * 200,
    ):
        (folder / f"{name}.ipynb").write_text("{}")
    (folder / "zoë.ipynb").write_text("{}")


def _names_inside(folder, private):
    inner = folder / "ada" / ASSIGNMENT
    inner.mkdir(parents=True)
    (inner / "\x1b[2J\n..\\<b>.ipynb").write_text("{}")
    (inner / "second.ipynb").write_text("{}")
    (inner / "timestamp.txt").write_text("9" * 10_000)


FOLDERS = (
    Trick(
        "links-to-private-files",
        "hand in links to the solutions, as file and as folder",
        _links,
        dict.fromkeys(("ada", "ben", "cleo", "dan", "eve", "finn"), "link"),
    ),
    Trick(
        "links-without-end",
        "links to themselves, to endless devices, and to the environment",
        _endless_links,
        dict.fromkeys(("ada", "ben", "cleo", "dan"), "link"),
    ),
    Trick(
        "pipes",
        "named pipes, at which a reader waits for ever",
        _pipes,
        {"ada": "pipe", "ben": "pipe", "cleo": ""},
    ),
    Trick(
        "archives-and-folders",
        "a zip whose names climb out, and a folder named like a notebook",
        _archives,
        {"ada": "missing.*all.zip", "ben": "folder"},
    ),
    Trick("giant-file", "a file of a terabyte", _giants, {"ada": "MB"}),
    Trick(
        "names-that-are-more-than-names",
        "names of students that are paths, options, markup, escapes and formulas",
        _names,
        {"zoë": ""},
        n_refused=11,
    ),
    Trick(
        "names-of-files-inside",
        "file names with escapes and markup, and a time of 10,000 digits",
        _names_inside,
        {"ada": "missing"},
    ),
)
