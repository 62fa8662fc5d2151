"""Checks accept what is right, name what is wrong, and never tell the answer."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity_edu import checks


def message_of(actual, expected, **options):
    """Return what a student reads about a rejected answer."""
    with pytest.raises(AssertionError) as caught:
        checks.assert_matches(actual, expected, "the result", **options)
    return str(caught.value)


def accepts(actual, expected, **options):
    checks.assert_matches(actual, expected, "the result", **options)
    return True


# Diagnoses


def test_a_named_mistake_is_named_before_any_general_one(rng):
    expected = rng.standard_normal((3, 3))
    mistakes = [(2 * expected, "a factor 2"), (expected.T, "X is the other way round")]
    said = message_of(expected.T, expected, mistakes=mistakes)
    assert said == "the result: X is the other way round"


def test_a_named_mistake_may_have_another_shape_than_the_answer(rng):
    expected = rng.standard_normal(4)
    mistakes = [(expected.sum(), "you summed")]
    assert message_of(expected.sum(), expected, mistakes=mistakes).endswith(
        "you summed"
    )
    assert accepts(expected, expected, mistakes=mistakes)


def test_a_mistake_that_is_harmless_on_this_input_rejects_nothing(rng):
    expected = rng.standard_normal((4, 4))
    symmetric = expected + expected.T
    mistakes = [(symmetric.T, "transposed"), (np.full((4, 4), np.inf), "overflow")]
    assert accepts(symmetric, symmetric, mistakes=mistakes)


def test_a_mistake_that_is_not_finite_explains_no_finite_answer(rng):
    expected = rng.standard_normal(3)
    mistakes = [(np.full(3, np.inf), "overflow"), (np.full(3, np.nan), "0 / 0")]
    assert "wrong sign" in message_of(-expected, expected, mistakes=mistakes)


GENERAL = {
    "shape": (lambda E: E[:2], r"must have shape \(3, 4, 4\); yours has \(2, 4, 4\)"),
    "nan": (lambda E: E * np.nan, r"NaN or infinite, the first at \[0, 0, 0\]"),
    "infinite": (lambda E: E * np.inf, r"NaN or infinite"),
    "none": (lambda E: None, r"None: does the function end with a `return`"),
    "text": (lambda E: "3", r"must be a number .* of type str"),
    "list of text": (lambda E: ["1", "2"], r"must be a number .* of type list"),
    "dict": (lambda E: {"a": 1.0}, r"must be a number .* of type dict"),
    "function": (lambda E: len, r"must be a number"),
    "ragged list": (lambda E: [[1.0], [1.0, 2.0]], r"must be a number"),
    "complex": (lambda E: E + 1j, r"must be a number .* array of complex128"),
    "transposed": (lambda E: E.swapaxes(1, 2), r"each block is transposed"),
    "reversed": (lambda E: E[::-1], r"in reverse order"),
    "factor": (lambda E: 0.5 * E, r"right direction, wrong factor: yours is 0.5 times"),
    "sign": (lambda E: -E, r"right size, wrong sign"),
    "digits": (lambda E: E * (1 + 3e-7), r"loses digits"),
    "zero": (
        lambda E: np.zeros_like(E),
        r"entry \[\d, \d, \d\] is 0, which is off by 100.0%",
    ),
}


@pytest.mark.parametrize("mistake", GENERAL)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e200])
def test_a_general_mistake_is_diagnosed_at_any_scale(rng, mistake, scale):
    spoil, says = GENERAL[mistake]
    expected = scale * rng.standard_normal((3, 4, 4))
    assert re.search(says, message_of(spoil(expected), expected))


def test_a_transposed_matrix_is_not_called_a_block(rng):
    expected = rng.standard_normal((3, 3))
    assert message_of(expected.T, expected) == "the result: it is transposed."


def test_otherwise_the_worst_entry_is_shown_with_the_students_value(rng):
    expected = rng.uniform(1.0, 2.0, (2, 3))
    expected[0, 0], answer = 2.0, expected.copy()
    answer[0, 0] = 2.0
    answer[1, 2] += 0.5
    said = message_of(answer, expected)
    assert f"entry [1, 2] is {answer[1, 2]:.6g}" in said
    assert "off by 25.0% of the largest entry" in said


def test_the_first_bad_entry_is_found_among_good_ones():
    answer = np.zeros((2, 3))
    answer[1, 1] = np.nan
    assert "the first at [1, 1]" in message_of(answer, np.ones((2, 3)))


@pytest.mark.parametrize("answer", [[[3.0]], [3.0], np.full((1, 1), 3.0)])
def test_a_matrix_is_no_number(answer):
    assert "must have shape () (a single number)" in message_of(answer, 3.0)


def test_a_number_is_no_matrix():
    assert "must have shape (1, 1); yours has ()" in message_of(3.0, [[3.0]])


# What is right is accepted, what is wrong is not

RIGHT = {
    "integer": (3, 3.0),
    "number for an integer": (3.0, 3),
    "0-d array": (np.array(3.0), 3.0),
    "numpy scalar": (np.float32(0.5), 0.5),
    "bool": (True, True),
    "list": ([[1, 2], [3, 4]], np.array([[1.0, 2.0], [3.0, 4.0]])),
    "list of 0-d arrays": ([np.array(1.0), np.float64(2.0)], [1.0, 2.0]),
    "big integers": ([10**30, 1], [1e30, 1.0]),
    "zeros": (np.zeros((2, 2)), np.zeros((2, 2))),
    "negative zero": (-np.zeros(3), np.zeros(3)),
    "zero up to rounding": (1e-17, 0.0),
    "rounding for zero": (0.0, 1e-17),
    "rounding": (0.1 + 0.2, 0.3),
    "nothing": (np.zeros((0, 3)), np.zeros((0, 3))),
    "huge": (1e300 * np.ones(2), 1e300 * np.ones(2)),
}

WRONG = {
    "one for zero": (1.0, 0.0),
    "one entry for zeros": (np.eye(3), np.zeros((3, 3))),
    "zero for one": (0.0, 1.0),
    "false": (False, True),
    "an integer next to it": (4, 3),
    "huge and opposite": (np.full(2, 1.7e308), np.full(2, -1.7e308)),
    "huge for tiny": (np.full(2, 1e308), np.array([1e-8, 1e-9])),
    "tiny": (2e-9, 1e-9),
    "truncated": (np.floor([1.5, 2.5]), np.array([1.5, 2.5])),
    "last digits": (1.0 + 1e-8, 1.0),
    "empty": ([], [1.0]),
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_right_answer_is_accepted(case):
    assert accepts(*RIGHT[case])


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_answer_is_rejected_in_words(case):
    said = message_of(*WRONG[case])
    assert said.startswith("the result")
    assert "nan" not in said


def test_values_below_the_rounding_of_one_need_a_lower_atol():
    assert accepts(0.0, 1e-14)
    assert "which is not right" in message_of(0.0, 1e-14, atol=0.0)
    assert "wrong sign" in message_of([-1e-14, 2e-14], [1e-14, -2e-14], atol=0.0)


@pytest.mark.parametrize("expected", [np.inf, np.nan, [1.0, np.nan]])
def test_an_expected_value_that_is_not_finite_is_the_authors_error(expected):
    with pytest.raises(
        ValueError, match="the result: the expected value must be finite"
    ):
        checks.assert_matches(expected, expected, "the result")


# No message tells the answer

SPOILED = {
    "noise": lambda E, noise: E + noise,
    "other": lambda E, noise: noise,
    "zero": lambda E, noise: np.zeros_like(E),
    "sum": lambda E, noise: noise.sum(),
    "first": lambda E, noise: noise[:1],
    "nan": lambda E, noise: noise * np.nan,
    "none": lambda E, noise: None,
    "text": lambda E, noise: "a guess",
}
SHAPES = [(), (1,), (1, 1), (5,), (3, 3), (2, 3, 3)]


def spellings(value):
    """Return the ways to write a number, to four digits or more."""
    formats = (".4g", "#.4g", ".5g", ".6g", ".4f", ".6f", ".4e", "")
    return {text for f in formats if len(text := f"{value:{f}}") >= 5}


@pytest.mark.parametrize("mistake", SPOILED)
@given(seed=st.integers(0, 10**6), shape=st.sampled_from(SHAPES))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_message_contains_an_expected_entry(mistake, seed, shape):
    rng = np.random.default_rng(seed)
    expected = rng.uniform(1.0, 10.0, shape) * rng.choice([-1.0, 1.0], shape)
    noise = np.asarray(rng.uniform(20.0, 30.0, shape))
    said = message_of(
        SPOILED[mistake](expected, noise.reshape(shape or (1,))), expected
    )
    told = [v for v in expected.flat for text in spellings(abs(v)) if text in said]
    assert not told, said


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_the_size_of_the_error_of_a_single_number_is_not_told(shape):
    said = message_of(np.full(shape, 3.0), np.full(shape, 2.0))
    assert said.endswith("is 3, which is not right.")


# Limits and choices


def test_a_number_at_its_limit_is_accepted_whatever_its_sign():
    for limit in (-1e6, -1.0, 0.0, 1.0, 1e6):
        checks.assert_at_most(limit, limit, "the norm exceeds its bound")
        checks.assert_at_most(limit - 1.0, limit, "the norm exceeds its bound")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (1.1, r"the norm exceeds its bound \(yours: 1.1\)"),
        (np.nan, r"yours: nan"),
        (-np.inf, r"yours: -inf"),
        (None, r"None: does the function"),
        ("small", r"must be a number"),
        (np.zeros(3), r"array of shape \(3,\), not a single number"),
    ],
)
def test_a_number_above_its_limit_or_none_at_all_is_rejected(answer, says):
    with pytest.raises(AssertionError, match=says):
        checks.assert_at_most(answer, 1.0, "the norm exceeds its bound")


def choose(answer):
    checks.assert_choice(answer, "b", options="abc", hint="put V = 0")


@pytest.mark.parametrize("answer", ["b", "B", " b "])
def test_the_right_letter_is_accepted_in_either_case(answer):
    choose(answer)


@pytest.mark.parametrize("answer", ["a", "C", " c"])
def test_a_wrong_letter_earns_the_hint_and_not_the_answer(answer):
    with pytest.raises(AssertionError) as caught:
        choose(answer)
    assert str(caught.value) == f"not ({answer.strip().lower()}): put V = 0"


@pytest.mark.parametrize("answer", ["d", "ab", "abc", "", None, 2, ["b"]])
def test_what_is_no_letter_is_asked_for_one(answer):
    with pytest.raises(AssertionError, match="one of the letters a, b, c"):
        choose(answer)


# Calls


def add_in_place(x):
    x += 1.0
    return x


def change_inside(values):
    values[0] = values[0] * 0 + 7.0
    return values


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (add_in_place, np.zeros(3)),
        (change_inside, [1.0, 2.0]),
        (change_inside, [np.ones(2), np.ones(2)]),
        (change_inside, {0: np.ones(2), 1: 3}),
        (lambda x: x[0].append(3), ([1.0], 2.0)),
        (lambda x: x.pop(), [1, 2]),
    ],
)
def test_a_change_in_place_is_reported_and_the_original_kept(function, argument):
    before = repr(argument)
    with pytest.raises(AssertionError, match="changes its argument number 2 in place"):
        checks.call(lambda first, second: function(second), "first", argument)
    assert repr(argument) == before


def test_a_call_returns_the_result_and_names_the_function():
    assert checks.call(np.add, 1, 2) == 3
    with pytest.raises(AssertionError, match="`add_in_place` changes"):
        checks.call(add_in_place, np.zeros(1))


def test_an_input_with_nan_counts_as_unchanged():
    x = np.array([np.nan, 1.0])
    assert checks.call(len, x) == 2
    assert checks.call(len, [x, float("nan"), "text"]) == 3


# Hidden problems


def draws(problem):
    return checks.exam_rng(problem).integers(0, 2**63, 4).tolist()


@pytest.fixture
def secret(monkeypatch):
    """Take away any course secret of the machine, and set it anew."""
    monkeypatch.delenv(checks.SECRET_VARIABLE, raising=False)
    monkeypatch.delenv(checks.SECRET_FILE_VARIABLE, raising=False)
    return monkeypatch


def test_hidden_problems_repeat_and_differ_by_name(secret):
    assert draws("03/sweep") == draws("03/sweep")
    assert draws("03/sweep") != draws("03/tied")


def test_hidden_problems_depend_on_the_secret(secret):
    public = draws("03/sweep")
    secret.setenv(checks.SECRET_VARIABLE, "spring")
    spring = draws("03/sweep")
    secret.setenv(checks.SECRET_VARIABLE, "autumn")
    assert len({tuple(d) for d in (public, spring, draws("03/sweep"))}) == 3


def test_a_secret_in_a_file_counts_like_one_in_the_environment(secret, tmp_path):
    secret.setenv(checks.SECRET_VARIABLE, "spring")
    spring = draws("03/sweep")
    secret.delenv(checks.SECRET_VARIABLE)
    (tmp_path / "secret").write_text("spring\n")
    secret.setenv(checks.SECRET_FILE_VARIABLE, str(tmp_path / "secret"))
    assert draws("03/sweep") == spring


def test_a_secret_file_that_is_absent_is_an_error(secret, tmp_path):
    secret.setenv(checks.SECRET_FILE_VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError):
        draws("03/sweep")
