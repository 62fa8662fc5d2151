"""Whatever runs on NumPy arrays runs on CuPy's, stays there, and gives the same."""

import importlib
import inspect
from dataclasses import is_dataclass

import device_cases
import device_cases_baseline
import device_cases_below
import numpy as np
import pytest

from identity_edu import backend, factorization, memorization

TABLES = [device_cases, device_cases_below, device_cases_baseline]
CASES = {name: call for table in TABLES for name, call in table.CASES.items()}


def leaves(found):
    """Flatten results into arrays, numbers and words."""
    if is_dataclass(found):
        found = vars(found)
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, (list, tuple)):
        return [leaf for part in found for leaf in leaves(part)]
    return [found]


def public(module):
    """Return the names that a module offers: its list, or what it defines."""
    defined = [
        name
        for name, value in vars(module).items()
        if (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
    return getattr(module, "__all__", defined)


@pytest.mark.parametrize("name", CASES)
def test_a_call_on_the_device_stays_there_and_agrees_with_numpy(xp, name):
    here, there = leaves(CASES[name](np.asarray)), leaves(CASES[name](xp.asarray))
    # The minima of `linear_baseline` are where an iteration stops.
    rtol = 1e-8 if name.startswith("linear_baseline.") else 1e-10
    for expected, found in zip(here, there, strict=True):
        if isinstance(expected, np.ndarray):
            assert type(found) is xp.ndarray
        if isinstance(expected, (str, type(None))):
            assert found == expected
            continue
        host, expected = backend.to_numpy(found), np.asarray(expected)
        assert (host.dtype.kind, host.shape) == (expected.dtype.kind, expected.shape)
        np.testing.assert_allclose(host, expected, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_no_public_function_is_forgotten(table):
    names = {
        f"{key}.{n}" for key, module in table.MODULES.items() for n in public(module)
    }
    assert names == table.CASES.keys() | table.EXEMPT.keys()
    assert not table.CASES.keys() & table.EXEMPT.keys()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("linear.risk", "linear.excess_risk_gradient"),
        ("linalg", "linalg.rotation_root_minus_identity"),
        ("memorization.block", "memorization.memorizing_block"),
        ("memorization.construction", "memorization.memorize"),
        ("conv.direct", "conv.direct.conv2d"),
        ("procrustes.iterations", "procrustes.newton_schulz"),
    ],
)
def test_a_module_that_makes_its_arrays_on_the_host_is_found_out(
    stand_in, monkeypatch, module, name
):
    module = importlib.import_module(f"identity_edu.{module}")
    reader = "as_floating" if hasattr(module, "as_floating") else "checked_matrices"
    right = getattr(module, reader)
    monkeypatch.setattr(module, reader, lambda *a, **k: (np, right(*a, **k)[1]))
    with pytest.raises(TypeError, match=r"Unsupported|needs device|on one device"):
        CASES[name](stand_in.asarray)


def test_inputs_on_the_device_are_left_as_they_are(xp):
    moved = []

    def mover(array):
        moved.append((xp.asarray(array), array.copy()))
        return moved[-1][0]

    for call in device_cases.CASES.values():
        call(mover)
    for there, before in moved:
        np.testing.assert_array_equal(backend.to_numpy(there), before)


def test_a_refusal_on_the_device_names_what_it_names_on_the_host(xp):
    X = xp.asarray(np.array([[3.0, 4.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="row 1 must not be zero"):
        memorization.unit_rows(X)
    with pytest.raises(ValueError, match=r"det R < 0\. flip_determinant"):
        factorization.near_identity_factorization(xp.asarray(np.diag([1.0, -1.0])), 4)
    with pytest.raises(ValueError, match="smallest singular value 0, zero to working"):
        factorization.log_condition(xp.asarray(np.diag([1.0, 0.0])))
    points = xp.asarray(np.array([[1.0, 0.0], [2.0, 0.0]]))
    with pytest.raises(memorization.MarginError, match=r"point 0 .* from point 1"):
        memorization.memorizing_block(points, [0], xp.asarray(np.eye(2)[:1]))
    with pytest.raises(ValueError, match=r"example 0 must .* example 1 by a margin"):
        memorization.memorize(
            points, np.array([0, 1]), n_classes=2, width=2, rng=np.random.default_rng(0)
        )
