"""Each floor of the package stands on the lower ones, and imports are light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import identity_edu

PACKAGE = Path(identity_edu.__file__).parent
THEMES = [
    "linear",
    "factors",
    "factorization",
    "relu",
    "memorization",
    "allconv",
    "norm_preservation",
    "procrustes",
    "linear_baseline",
    "misprints",
]
THEME_FLOOR = 3
FLOORS = {
    "__init__": -1,
    "backend": 0,
    "bf16": 0.5,
    "launch": 0.25,
    "device": 0.5,
    "lanczos": 0.5,
    "linalg": 1,
    "ops": 1,
    "conv": 1,
    "optim": 1,
    "numerics": 1,
    "data": 1,
    "nets": 2,
    "runner": 2.5,
    **dict.fromkeys(THEMES, THEME_FLOOR),
    "train": 4,
    "checks": 4,
    "plots": 4,
    "experiments": 5,
    "grading": 5,
    "cli": 6,
    "__main__": 7,
}
MAY_KNOW_CUPY = {"backend", "device"}
GPU_LIBRARIES = {"cupy", "cupyx", "cupy_backends"}
MACHINE_LIBRARIES = GPU_LIBRARIES | {"threadpoolctl"}  # what only the backend asks
IMAGE_LIBRARY = {"images.py": {"PIL"}}  # JPEG is a format, and no mathematics
UNITS = sorted({p.relative_to(PACKAGE).parts[0] for p in PACKAGE.rglob("*.py")})


def unit_of(module):
    """Return the module or folder of the package that a dotted name lies in."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported_names(source):
    """Return every module that a source may import, in full.

    ``from a import b`` counts as ``a.b``: whether b is a module or a name in it, the
    library and the unit are right.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            names |= {f"{start}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and called(node) in (
            "import_module",
            "__import__",
        ):
            names |= {a.value for a in node.args[:1] if isinstance(a, ast.Constant)}
    return names


def looked_up_names(source):
    """Return what a source takes out of ``sys.modules``, without importing it."""
    nodes = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Subscript)]
    return {
        node.slice.value
        for node in nodes
        if getattr(node.value, "attr", "") == "modules"
        and isinstance(node.slice, ast.Constant)
    }


def called(node):
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def own_units(source):
    """Return the units of this package that a source imports."""
    names = [n for n in imported_names(source) if n.split(".")[0] == "identity_edu"]
    units = {unit_of(name) for name in names}
    return {u if u in FLOORS or u in UNIT_NAMES else "__init__" for u in units}


def libraries(source):
    return {name.split(".")[0] for name in imported_names(source)}


UNIT_NAMES = {name.removesuffix(".py") for name in UNITS}


def sources(unit):
    """Return path and text of every module in a unit."""
    folder = PACKAGE / unit
    paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [f"{unit}.py"]
    return {PACKAGE / p: (PACKAGE / p).read_text("utf-8") for p in paths}


def may_import(upper, lower):
    """Tell whether one unit may import another: a lower floor, or an earlier theme."""
    if upper == lower:
        return True
    if upper in THEMES and lower in THEMES:
        return THEMES.index(lower) < THEMES.index(upper)
    return FLOORS[lower] < FLOORS[upper]


each_unit = pytest.mark.parametrize("unit", sorted(UNIT_NAMES))


def test_every_module_has_a_floor():
    unknown = UNIT_NAMES - set(FLOORS)
    assert not unknown, f"give {sorted(unknown)} a floor in tests/test_floors.py"


@each_unit
def test_a_module_imports_from_lower_floors_and_earlier_themes(unit):
    for path, text in sources(unit).items():
        wrong = [name for name in own_units(text) if not may_import(unit, name)]
        assert not wrong, f"{path.name} must not import {wrong}"


@each_unit
def test_imports_inside_the_package_are_absolute(unit):
    for path, text in sources(unit).items():
        relative = [name for name in imported_names(text) if name.startswith(".")]
        assert not relative, f"{path.name} imports {relative}"


@each_unit
def test_only_the_backend_and_the_device_know_cupy(unit):
    for path, text in sources(unit).items():
        found = (libraries(text) | looked_up_names(text)) & GPU_LIBRARIES
        assert not found or unit in MAY_KNOW_CUPY, f"{path.name} reaches {found}"


@each_unit
def test_only_the_plots_import_matplotlib(unit):
    for path, text in sources(unit).items():
        assert "matplotlib" not in libraries(text) or unit == "plots", path.name


@each_unit
@pytest.mark.parametrize("peer", ["scipy", "torch", "sklearn"])
def test_no_module_imports_a_peer(unit, peer):
    for path, text in sources(unit).items():
        assert peer not in libraries(text), path.name


@each_unit
def test_only_grading_imports_the_notebook_machinery(unit):
    machinery = {"nbgrader", "nbformat", "nbclient", "nbconvert", "IPython"}
    for path, text in sources(unit).items():
        assert not libraries(text) & machinery or unit == "grading", path.name


def test_mathematics_needs_numpy_and_the_standard_library_alone():
    allowed = {*sys.stdlib_module_names, "numpy", "identity_edu"}
    for unit in UNIT_NAMES:
        if FLOORS.get(unit, 0) <= THEME_FLOOR or unit == "checks":
            for path, text in sources(unit).items():
                found = libraries(text) - allowed
                found -= MACHINE_LIBRARIES if unit in MAY_KNOW_CUPY else set()
                found -= (
                    IMAGE_LIBRARY.get(path.name, set()) if unit == "data" else set()
                )
                assert not found, f"{path.name} imports {found}"


# The tests above can fail

FORMS = {
    "import cupy": "cupy",
    "import cupy.cuda as c": "cupy.cuda",
    "from cupy import ndarray": "cupy.ndarray",
    "def f():\n    import cupy": "cupy",
    "from identity_edu import linear": "identity_edu.linear",
    "from identity_edu.plots.style import COLOURS": "identity_edu.plots.style.COLOURS",
    "from . import linear": "..linear",
    "from .linear import f": ".linear.f",
    "import importlib\nimportlib.import_module('cupy')": "cupy",
    "__import__('cupy')": "cupy",
}


@pytest.mark.parametrize("source", FORMS)
def test_every_form_of_import_is_seen(source):
    assert FORMS[source] in imported_names(source)


def test_a_look_into_the_loaded_modules_is_seen():
    assert looked_up_names("import sys\nsys.modules['cupy'].asarray(1)") == {"cupy"}


@pytest.mark.parametrize(
    ("upper", "lower", "is_allowed"),
    [
        ("linear", "linalg", True),
        ("linalg", "linear", False),
        ("linalg", "data", False),
        ("factorization", "linear", True),
        ("linear", "factorization", False),
        ("plots", "linear", True),
        ("plots", "checks", False),
        ("checks", "experiments", False),
        ("data", "data", True),
        ("backend", "__init__", True),
        ("__init__", "backend", False),
    ],
)
def test_the_staircase_goes_one_way(upper, lower, is_allowed):
    assert may_import(upper, lower) is is_allowed


def test_a_name_of_the_package_is_told_from_a_module():
    assert own_units("from identity_edu import __version__, data") == {
        "__init__",
        "data",
    }
    assert own_units("import identity_edu.linear as net") == {"linear"}


# What an import loads


def loaded_by(statement):
    """Return the top-level modules that a statement loads in a fresh interpreter."""
    code = (
        "import sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "print(*{n.split('.')[0] for n in set(sys.modules) - before})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_but_itself():
    loaded = loaded_by("import identity_edu") - set(sys.stdlib_module_names)
    assert loaded == {"identity_edu"}


def test_the_mathematics_loads_numpy_and_nothing_else():
    names = [n for n in sorted(UNIT_NAMES) if 0 <= FLOORS.get(n, -1) <= THEME_FLOOR]
    assert "linear" in names
    loaded = loaded_by(f"from identity_edu import checks, {', '.join(names)}")
    allowed = {*sys.stdlib_module_names, "numpy", "identity_edu"}
    assert not {name for name in loaded - allowed if "numpy" not in name}


def test_the_loading_test_sees_a_heavy_import():
    assert "matplotlib" in loaded_by("from identity_edu import plots")
