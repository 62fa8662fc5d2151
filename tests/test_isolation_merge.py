"""A submission laid over the released notebook: every cell where it belongs."""

import copy
import json

import pytest
import small
from hypothesis import given, settings
from hypothesis import strategies as st

from identity_edu.grading.isolation import merge, reading
from identity_edu.grading.isolation.reading import UnreadableError

RIGHT = "def f():\n    return 1"
MINE = "def f():\n    return 2"
PAIRS = [
    small.text("title"),
    small.given("setup", "import numpy as np"),
    small.answer("f-answer", RIGHT),
    small.visible("f-check", "assert f() == 1"),
    small.hidden("f-hidden", "assert f() == 1"),
    small.given("f-see", "print(f())"),
    small.free("guess"),
    small.answer("g-answer", "g, h = 1, 2", "g = ..."),
    small.visible("g-check", "assert g == 1"),
    small.words("why"),
]
NAMES = [reference["id"] for reference, _ in PAIRS]


def handed_in(**changes):
    """Return the cells of an untouched submission, some with another source."""
    cells = [copy.deepcopy(released) for _, released in PAIRS]
    for cell in cells:
        cell["source"] = changes.get(cell["id"].replace("-", "_"), cell["source"])
    return cells


def merged(cells, **changes):
    return merge.merge(small.task(PAIRS, submission=cells, **changes))


def found(cells, name):
    return next(c for c in merged(cells).cells if c.key == name)


def place(cells, name):
    return next(k for k, cell in enumerate(cells) if cell["id"] == name)


def added(source, name="mine", kind="code"):
    return {"cell_type": kind, "id": name, "metadata": {}, "source": source}


def without_ids(cell):
    return cell | {"metadata": {}, "id": "other-" + cell["id"]}


def keys(result):
    return [cell.key for cell in result.cells]


def test_what_was_handed_in_whole_needs_no_repair():
    result = merged(handed_in(f_answer=MINE))
    assert keys(result) == NAMES
    assert result.repairs == ()
    assert found(handed_in(f_answer=MINE), "f-answer").source == MINE


def test_each_cell_has_its_role_and_what_the_examiner_runs():
    cells = {c.key: c for c in merged(handed_in()).cells}
    assert {key: cell.role for key, cell in cells.items()} == {
        "title": "locked",
        "setup": "locked",
        "f-answer": "answer",
        "f-check": "test",
        "f-hidden": "test",
        "f-see": "locked",
        "guess": "free",
        "g-answer": "answer",
        "g-check": "test",
        "why": "text answer",
    }
    ours = {key for key, cell in cells.items() if cell.reference}
    assert ours == {"setup", "f-check", "f-hidden", "g-check"}
    assert "HIDDEN" in cells["f-hidden"].reference
    assert "HIDDEN" not in cells["f-hidden"].source


def test_names_are_those_that_the_reference_answers_define():
    assert merged(handed_in()).names == {
        "f": "f-answer",
        "g": "g-answer",
        "h": "g-answer",
    }


def test_a_split_answer_runs_in_both_parts():
    cells = handed_in(f_answer="a = 1")
    k = place(cells, "f-answer")
    cells.insert(k + 1, cells[k] | {"source": "b = 2", "id": "split"})
    result = merged(cells)
    assert keys(result)[k : k + 3] == ["f-answer", "f-answer-part-2", "f-check"]
    assert [c.source for c in result.cells[k : k + 2]] == ["a = 1", "b = 2"]
    assert result.repairs == ("`f-answer` was there 2 times",)


def test_what_stands_between_the_parts_of_an_answer_stays_there():
    cells = handed_in(f_answer="a = 1")
    k = place(cells, "f-answer")
    cells[k + 1 : k + 1] = [added("a += 1"), cells[k] | {"source": "b = a"}]
    sources = [c.source for c in merged(cells).cells]
    assert sources[k : k + 3] == ["a = 1", "a += 1", "b = a"]


def test_a_doubled_locked_cell_runs_once():
    cells = handed_in()
    cells += [cells[place(cells, "f-check")] | {"source": "pass"}]
    result = merged(cells)
    assert keys(result) == NAMES
    assert "`f-check` was there 2 times" in result.repairs
    assert "`f-check` was changed: the original was run" in result.repairs


@pytest.mark.parametrize("name", [n for n in NAMES if n != "guess"])
def test_a_missing_cell_is_put_back(name):
    cells = [cell for cell in handed_in() if cell["id"] != name]
    result = merged(cells)
    assert keys(result) == NAMES
    assert result.repairs == (f"`{name}` was missing: put back",)
    if found(handed_in(), name).role not in ("answer", "text answer"):
        assert found(cells, name) == found(handed_in(), name)
    else:
        assert found(cells, name).source == ""


def test_a_free_cell_may_go():
    result = merged([cell for cell in handed_in() if cell["id"] != "guess"])
    assert "guess" not in keys(result)
    assert result.repairs == ()


def test_the_order_is_that_of_the_course():
    cells = handed_in(f_answer=MINE)
    assert keys(merged(cells[::-1])) == NAMES
    assert found(cells[::-1], "f-answer").source == MINE


@pytest.mark.parametrize("name", ["title", "setup", "f-check", "f-hidden", "f-see"])
def test_a_locked_cell_is_always_the_original(name):
    cells = handed_in(**{name.replace("-", "_"): "print('mine')"})
    result = merged(cells)
    assert found(cells, name) == found(handed_in(), name)
    assert result.repairs == (f"`{name}` was changed: the original was run",)


def test_marks_are_those_of_the_course():
    cells = handed_in()
    for cell in cells:
        marks = cell["metadata"].get("nbgrader", {})
        marks |= {"points": 1000, "grade": True, "solution": True, "locked": False}
    assert [c.marks for c in merged(cells).cells] == [
        c.marks for c in merged(handed_in()).cells
    ]


def test_the_hidden_test_itself_may_be_handed_in():
    cells = handed_in()
    reference = dict(zip(NAMES, (r for r, _ in PAIRS), strict=True))
    cells[place(cells, "f-hidden")] = reference["f-hidden"]
    assert merged(cells).repairs == ()


def test_added_cells_stay_behind_the_cell_that_they_followed():
    cells = handed_in()
    for name in ("why", "f-answer", "f-check", "setup"):
        cells.insert(
            place(cells, name) + 1, added(f"# mine behind {name}", f"x-{name}")
        )
    cells.insert(0, added("# mine first", "x-0"))
    sources = [c.source for c in merged(cells).cells]
    assert [k for k, s in enumerate(sources) if s.startswith("# mine")] == [
        0,
        3,
        5,
        7,
        14,
    ]
    assert sources[0] == "# mine first"
    assert sources[5] == "# mine behind f-answer"
    assert sources[14] == "# mine behind why"


def test_the_keys_of_added_cells_are_unique_and_of_no_released_cell():
    cells = [added("1", f"f-answer-part-{k}") for k in range(3)] + handed_in()
    result = keys(merged(cells))
    assert len(set(result)) == len(result)


@pytest.mark.parametrize("kept", ["id", "grade_id"])
def test_one_of_the_two_ids_is_enough(kept):
    cells = handed_in(f_answer=MINE)
    for cell in cells:
        if kept == "id":
            cell["metadata"] = {}
        else:
            cell["id"] = "lost-" + cell["id"]
    cells = [c for c in cells if not c["id"].endswith("guess")]
    result = merged(cells)
    assert result.repairs == ()
    assert found(cells, "f-answer").source == MINE


def test_an_answer_that_lost_its_ids_is_known_by_what_it_defines():
    cells = handed_in(f_answer=MINE)
    k = place(cells, "f-answer")
    cells[k] = without_ids(cells[k])
    result = merged(cells)
    assert keys(result) == NAMES
    assert found(cells, "f-answer").source == MINE
    assert result.repairs == (
        "`f-answer` was missing: a cell without its id was taken for it",
    )


def test_a_notebook_without_any_id_still_has_its_answers():
    cells = [without_ids(c) for c in handed_in(f_answer=MINE, g_answer="g = 5")]
    result = merged(cells)
    assert found(cells, "f-answer").source == MINE
    assert found(cells, "g-answer").source == "g = 5"
    assert found(cells, "f-check").source == "assert f() == 1"
    assert len(result.repairs) == len(NAMES) - 1


def test_an_added_cell_is_no_answer_where_the_answer_is_there():
    cells = [*handed_in(f_answer=MINE), added(RIGHT)]
    assert found(cells, "f-answer").source == MINE
    assert merged(cells).cells[-1].source == RIGHT


@pytest.mark.parametrize("source", ["def f(:", "%%time\nf = 1", "\x00", "(" * 500])
def test_an_added_cell_that_is_no_python_is_added(source):
    cells = [c for c in handed_in() if c["id"] != "f-answer"] + [added(source)]
    result = merged(cells)
    assert result.cells[-1].role == "added"
    assert found(cells, "f-answer").source == ""


@pytest.mark.parametrize(
    ("source", "is_unchanged"), [("Write here.\n", True), ("  ", True), ("So.", False)]
)
def test_a_text_is_unchanged_or_empty_or_for_a_person(source, is_unchanged):
    assert found(handed_in(why=source), "why").is_unchanged is is_unchanged


def test_a_text_that_lost_its_ids_is_for_a_person():
    cells = [c for c in handed_in() if c["id"] != "why"]
    assert found(cells, "why").is_unchanged
    assert found([*cells, added("# scratch")], "why").is_unchanged
    assert not found([*cells, added("So.", kind="markdown")], "why").is_unchanged


def test_a_source_of_lines_is_one_text():
    cells = handed_in()
    cells[place(cells, "f-answer")]["source"] = ["def f():\n", "    return 2"]
    assert found(cells, "f-answer").source == MINE


def test_what_was_found_when_it_was_collected_is_said():
    note = "the file had another name"
    assert merged(handed_in(), note=note).repairs == (note,)
    with pytest.raises(UnreadableError, match="a link to elsewhere"):
        merged(handed_in(), problem="a link to elsewhere")


def test_a_blank_notebook_is_the_released_one():
    result = merge.blank(small.task(PAIRS, submission=b""))
    assert keys(result) == NAMES
    assert [c.source for c in result.cells] == [r["source"] for _, r in PAIRS]
    assert not any(c.reference for c in result.cells)


def read(content, notebook_mb=1):
    return reading.read_submission(content, notebook_mb)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"PK\x03\x04rest", "zip"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[" * 200_000, "not valid JSON"),
        (b"null", "no version"),
        (b"[]", "no version"),
        (b'"text"', "no version"),
        (b"{}", "no version"),
        (b'{"nbformat": 3, "worksheets": []}', "version 3"),
        (b'{"nbformat": "4"}', "version '4'"),
        (b'{"nbformat": 4}', "list of cells"),
        (b'{"nbformat": 4, "cells": {}}', "list of cells"),
        (b'{"nbformat": 4, "cells": [' + b"{}," * 2000 + b"{}]}", "2001 cells"),
        (b'"' + b"x" * (2 << 20) + b'"', "at most 1 are read"),
    ],
)
def test_what_is_no_notebook_is_refused_with_a_reason(content, said):
    with pytest.raises(UnreadableError, match=said) as error:
        read(content)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_a_cell_of_a_million_characters_is_refused():
    cells = [added("x" * (reading.MAX_SOURCE + 1))]
    with pytest.raises(UnreadableError, match="a cell of more than"):
        read(json.dumps(small.notebook(cells)).encode(), 10)


def test_a_byte_order_mark_is_no_harm():
    content = b"\xef\xbb\xbf" + json.dumps(small.notebook(handed_in())).encode()
    assert len(read(content)) == len(NAMES)


@pytest.mark.parametrize(
    "cell",
    [
        None,
        3,
        [],
        {},
        {"cell_type": "code"},
        {"cell_type": "code", "source": None},
        {"cell_type": "code", "source": [1]},
        {"cell_type": "heading", "source": "x"},
        {"cell_type": ["code"], "source": "x"},
        {"cell_type": {}, "source": "x"},
    ],
)
def test_what_is_no_cell_is_passed_over(cell):
    assert read(json.dumps(small.notebook([cell, added("1")])).encode()) == [added("1")]


def test_text_that_cannot_be_written_is_replaced():
    cell = added("a\ud800b\x00c")
    assert reading.source_of(cell) == "a?b\ufffdc"


oddities = st.recursive(
    st.sampled_from(
        [None, True, 0, -1, 1.5, "", "f-answer", "code", "\ud800", "def f()"]
    ),
    lambda inside: st.one_of(
        st.lists(inside, max_size=3),
        st.dictionaries(
            st.sampled_from(["nbgrader", "grade_id", "id", "source", "points", "x"]),
            inside,
            max_size=3,
        ),
    ),
    max_leaves=5,
)


def check_oddity(cells, k, path, oddity):
    """Put something odd in the place of a field of a cell, and merge."""
    target = cells[k % len(cells)]
    for name in path[:-1]:
        target = target.setdefault(name, {})
        if not isinstance(target, dict):
            return
    target[path[-1]] = oddity
    try:
        result = merged(cells)
    except UnreadableError:
        return
    locked = [c for c in result.cells if c.role in ("locked", "test")]
    assert locked == [
        c for c in merged(handed_in()).cells if c.role in ("locked", "test")
    ]
    assert len(set(keys(result))) == len(result.cells)


PATHS = st.sampled_from(
    [
        ["source"],
        ["cell_type"],
        ["id"],
        ["metadata"],
        ["outputs"],
        ["metadata", "nbgrader"],
        ["metadata", "nbgrader", "grade_id"],
        ["metadata", "nbgrader", "points"],
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9), PATHS, oddities)
def test_an_odd_field_is_repaired_or_refused(k, path, oddity):
    check_oddity(handed_in(), k, path, oddity)


@settings(max_examples=60, deadline=None)
@given(oddities, oddities)
def test_an_odd_document_is_repaired_or_refused(cells, metadata):
    document = {"nbformat": 4, "cells": cells, "metadata": metadata}
    try:
        result = merged(document)
    except UnreadableError:
        return
    assert [k for k in keys(result) if k in NAMES] == [n for n in NAMES if n != "guess"]


def test_the_notebook_of_another_exercise_is_said_to_be_one():
    other = [small.text("title", "t"), small.answer("g", "def other():\n    pass")[0]]
    with pytest.raises(UnreadableError, match="notebook of another exercise"):
        merged(other)
