"""The stand-in for CuPy refuses what CuPy refuses, and has no name that CuPy lacks."""

import copy
import inspect
import re

import numpy as np
import pytest
from cupy_names import (
    CONSTANTS,
    CREATORS,
    FUNCTIONS,
    IN_HOST_MEMORY,
    METHODS,
    TO_HOST,
    UFUNCS,
    VIEWS,
    signature,
)

from identity_edu import backend

HOST = np.arange(6.0).reshape(2, 3)


@pytest.fixture
def x(stand_in):
    return stand_in.asarray(HOST)


@pytest.mark.parametrize(
    "use",
    [
        np.asarray,
        np.array,
        np.float64,
        lambda x: np.array([x, x]),
        lambda x: np.testing.assert_allclose(x, HOST),
        lambda x: x + HOST,
        lambda x: HOST @ x.T,
        lambda x: np.add(HOST, x),
        lambda x: x * np.array(2.0),
        lambda x: HOST[x > 2],
        lambda x: range(x[0, 1]),
        lambda x: [5, 6][x[0, 1]],
        lambda x: x * [1.0, 2.0, 3.0],
        lambda x: np.maximum(x, 0, where=x > 1),
        lambda x: np.add.reduce(x),
    ],
)
def test_nothing_converts_or_mixes_unasked(x, use):
    with pytest.raises(TypeError):
        use(x)


@pytest.mark.parametrize(
    "use",
    [
        lambda xp, x: xp.maximum(x, HOST),
        lambda xp, x: xp.concatenate([x, HOST]),
        lambda xp, x: xp.sum(HOST),
        lambda xp, x: xp.where(True, x, x),
        lambda xp, x: xp.linalg.svd(HOST),
        lambda xp, x: xp.linalg.matrix_power(x[:, :2], np.int64(2)),
        lambda xp, x: xp.sum(x, where=x > 1),
        lambda xp, x: xp.clip(x, min=0.0),
        lambda xp, x: xp.eye(3, device="gpu"),
        lambda xp, x: x.max(initial=0.0),
        lambda xp, x: x.item(0),
        lambda xp, x: xp.asarray([x[0, 0], 1.0]),
        lambda xp, x: xp.einsum("ij,ij", x, HOST),
        lambda xp, x: x[0].__setitem__(0, [1.0]),
    ],
)
def test_functions_take_device_arrays_and_cupys_keywords_alone(stand_in, x, use):
    with pytest.raises(TypeError):
        use(stand_in, x)


def test_names_that_cupy_lacks_are_absent(stand_in, x):
    for name in ("errstate", "block", "linalg.schur", "linalg.svdvals"):
        where, _, last = name.rpartition(".")
        assert not hasattr(getattr(stand_in, where) if where else stand_in, last)
    for name in ("__index__", "__contains__", "__array_interface__", "to_device"):
        assert not hasattr(x, name)


def test_an_array_on_the_host_goes_in_by_an_index_array_alone(x):
    with pytest.raises(ValueError, match="non-scalar"):
        x[0] = HOST[0]
    with pytest.raises(ValueError, match="non-scalar"):
        x[...] = HOST
    x[[0, 1]] = HOST + 1  # CuPy uploads it
    x[x > 5] = 0
    np.testing.assert_array_equal(x[np.array([0, 1])].get(), [[1, 2, 3], [4, 5, 0]])


def test_results_stay_on_the_device(stand_in, x):
    kept = [x.sum(), x[0, 0], x.T, x > 1, abs(x), np.exp(x), np.linalg.norm(x), 2 * x]
    kept += [np.float64(2) * x, *x, *stand_in.linalg.svd(x), stand_in.allclose(x, HOST)]
    kept += [stand_in.sqrt(2.0), np.stack([x, x]), stand_in.asarray([x[0], x[1]])]
    assert {type(array) for array in kept} == {stand_in.ndarray}
    assert x.sum().shape == ()
    assert (float(x.sum()), int(x.max()), bool(x.any()), x[1, 2].item()) == (
        15,
        5,
        1,
        5,
    )
    assert f"{x[0, 1]:.2f}" == "1.00"


def test_an_entry_is_a_view_and_a_copy_is_none(stand_in, x):
    first, other = x[0, 0], copy.deepcopy(x)
    first += 7.0
    assert (float(x[0, 0]), float(other[0, 0])) == (7.0, 0.0)
    assert stand_in.asarray(x) is x
    assert x.astype(float, copy=False) is x
    assert np.add(x, 1, out=x) is x
    there = stand_in.asarray(HOST)
    there += 1
    assert HOST[0, 0] == 0.0


def test_a_device_warns_of_nothing(stand_in, x):
    assert bool(stand_in.isinf(1 / x)[0, 0])
    assert bool(stand_in.isnan(stand_in.log(-1 - x)).all())


def test_a_comparison_takes_a_host_number(x):
    assert int((x > np.array(2.0)).sum()) == int((np.array(2.0) < x).sum()) == 3


def test_the_backend_takes_it_for_a_device(stand_in, x):
    assert backend.array_namespace(x) is stand_in
    assert type(backend.to_device(HOST, "cupy")) is stand_in.ndarray
    np.testing.assert_array_equal(backend.to_numpy(x), HOST)
    with pytest.raises(TypeError, match="must be on one device"):
        backend.as_floating(x, HOST)


def test_a_line_of_a_table_is_a_signature():
    assert str(signature("a b * c")) == "(a, b, *, c)"
    assert str(signature("*shape order")) == "(*shape, order)"
    assert str(signature("a **kwargs")) == "(a, **kwargs)"


def installed(name):
    """Return what CuPy has by a name; it imports without a driver."""
    found = pytest.importorskip("cupy", reason="CuPy is not installed")
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("table", [CREATORS, FUNCTIONS], ids=["creators", "functions"])
def test_functions_have_the_parameters_of_the_installed_cupys(table):
    installed("ndarray")
    for name, text in table.items():
        theirs = inspect.signature(installed(name)).parameters.values()
        bare = [inspect.Parameter(p.name, p.kind) for p in theirs]
        assert bare == list(signature(text).parameters.values()), name


def test_methods_have_the_parameters_of_the_installed_cupys():
    for name, text in (METHODS | TO_HOST).items():
        method = installed(f"ndarray.{name}")
        described = re.match(r"[\w.]*\((.*?)\)", method.__doc__).group(1)
        theirs = [re.sub(r"=.*|^.* (?=\w)", "", p) for p in described.split(", ")[1:]]
        assert [p for p in theirs if p] == text.split(), name


def test_other_names_are_in_the_installed_cupy():
    for name in UFUNCS:
        assert "ufunc" in type(installed(name)).__name__.lower(), name
    for name in (*CONSTANTS, "allclose", "asarray", "cuda.is_available"):
        installed(name)
    for name in (*IN_HOST_MEMORY, *VIEWS, "get", "fill", "device"):
        installed(f"ndarray.{name}")
    assert not hasattr(installed("ndarray"), "__index__")
