"""Results files can be trusted: whole, dated by their sources, and fresh."""

import os

import numpy as np
import pytest

from identity_edu import __version__, experiments
from identity_edu.experiments import results

VALUES = {
    "ratio": 1.25,
    "count": 3,
    "name": "tight",
    "list": [1, 2.5],
    "deep": {"a": 0},
}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Build a small package of the same name, and let the hashes look there."""
    root = tmp_path / "tree"
    sources = {
        "identity_edu/__init__.py": '__version__ = "9"\n',
        "identity_edu/linear.py": "from identity_edu import backend\n\nL = 1\n",
        "identity_edu/backend.py": "B = 1\n",
        "identity_edu/unused.py": "U = 1\n",
        "identity_edu/data/__init__.py": "from identity_edu.data.maps import M\n",
        "identity_edu/data/maps.py": "M = 1\n",
        "identity_edu/experiments/slopes.py": (
            '"""Measure slopes."""\n'
            "import numpy as np\n"
            "from identity_edu import data, linear\n\n"
            "def measure():\n"
            '    """Return them."""\n'
            "    return np.ones(3) * 2.0\n"
        ),
    }
    for name, text in sources.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(results, "ROOT", root)
    return root


def script_of(tree):
    return tree / "identity_edu" / "experiments" / "slopes.py"


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def write(tree, folder, name="slopes", values=VALUES):
    return results.write_result(
        name,
        values,
        command=f"identity-edu experiment {name}",
        seeds=[4],
        script=script_of(tree),
        folder=folder,
    )


# The schema


def test_a_result_comes_back_with_all_that_is_needed_to_repeat_it(tree, tmp_path):
    path = write(tree, tmp_path / "new" / "folder")
    record = results.load_result("slopes", path.parent)
    assert path.name == "slopes.json"
    assert record["values"] == VALUES
    assert record["schema"] == results.SCHEMA
    assert record["package_version"] == __version__
    assert record["name"] == "slopes"
    assert record["command"] == "identity-edu experiment slopes"
    assert record["seeds"] == [4]
    assert record["script"] == "identity_edu/experiments/slopes.py"
    assert record["sources_hash"] == results.sources_hash(script_of(tree))


def test_numpy_values_become_plain_numbers_and_lists(tree, tmp_path):
    values = {
        "array": np.arange(4.0).reshape(2, 2),
        "float": np.float64(0.1),
        "int": np.int64(7),
        "bool": np.bool_(True),
    }
    write(tree, tmp_path, values=values)
    loaded = results.load_result("slopes", tmp_path)["values"]
    plain = {"array": [[0.0, 1.0], [2.0, 3.0]], "float": 0.1, "int": 7, "bool": True}
    assert loaded == plain
    assert isinstance(loaded["bool"], bool)


def test_the_hardware_is_named_without_naming_the_machine():
    found = results.hardware()
    assert found["cores"] == os.cpu_count()
    assert found["numpy"] == np.__version__
    assert found["processor"]
    assert found["blas"].split()
    keys = {"processor", "cores", "python", "numpy", "blas", "blas_variables"}
    assert set(found) == keys


def test_blas_settings_that_change_bits_are_recorded(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert results.hardware()["blas_variables"]["OPENBLAS_NUM_THREADS"] == "1"


# What goes wrong


@pytest.mark.parametrize("bad", [{"x": {1, 2}}, {"x": object()}, {"x": 1j}])
def test_a_value_that_is_no_plain_data_leaves_the_old_file_whole(tree, tmp_path, bad):
    before = write(tree, tmp_path).read_text()
    with pytest.raises(TypeError, match="results must be plain data; got"):
        write(tree, tmp_path, values=bad)
    assert [p.name for p in tmp_path.glob("*.json*")] == ["slopes.json"]
    assert (tmp_path / "slopes.json").read_text() == before


def test_a_run_killed_while_it_writes_leaves_the_old_file_whole(
    tree, tmp_path, monkeypatch
):
    before = write(tree, tmp_path).read_text()

    def killed(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tree, tmp_path, values={"other": 1})
    assert (tmp_path / "slopes.json").read_text() == before
    assert results.load_result("slopes", tmp_path)["values"] == VALUES


def test_a_result_that_was_never_measured_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="identity-edu experiment slopes"):
        results.load_result("slopes", tmp_path)


def test_a_file_of_another_schema_is_refused_with_both_names(tmp_path):
    (tmp_path / "old.json").write_text('{"schema": "identity_edu.result/0"}')
    with pytest.raises(ValueError, match="must have schema") as caught:
        results.load_result("old", tmp_path)
    assert repr(results.SCHEMA) in str(caught.value)
    assert repr("identity_edu.result/0") in str(caught.value)


# The hash

HARMLESS = {
    "comment": ("M = 1\n", "# a remark\nM = 1\n"),
    "blank lines": ("M = 1\n", "\n\nM = 1\n\n"),
    "docstring": ("M = 1\n", '"""Say what M is.\n\nAt length.\n"""\nM = 1\n'),
    "spaces at the end": ("M = 1\n", "M = 1   \n"),
}
CHANGES = {
    "the script": ("identity_edu/experiments/slopes.py", "2.0", "3.0"),
    "a name that it imports": ("identity_edu/linear.py", "L = 1", "L = 2"),
    "an import of an import": ("identity_edu/backend.py", "B = 1", "B = 2"),
    "a package": ("identity_edu/data/__init__.py", "import M", "import M as N"),
    "a module of a package": ("identity_edu/data/maps.py", "M = 1", "M = 2"),
    "a new line": ("identity_edu/data/maps.py", "M = 1", "M = 1\nN = 1"),
    "the indent": ("identity_edu/linear.py", "L = 1", "if L:\n    L = 1"),
    "a string": ("identity_edu/data/maps.py", "M = 1", 'M = "# no comment"'),
}


@pytest.mark.parametrize("change", HARMLESS)
def test_the_hash_ignores_what_does_not_run(tree, change):
    before = results.sources_hash(script_of(tree))
    edit(tree / "identity_edu/data/maps.py", *HARMLESS[change])
    assert results.sources_hash(script_of(tree)) == before


def test_the_hash_ignores_docstrings_of_functions(tree):
    before = results.sources_hash(script_of(tree))
    edit(script_of(tree), '"""Return them."""', '"""Return\n    all of them."""')
    assert results.sources_hash(script_of(tree)) == before


@pytest.mark.parametrize("change", CHANGES)
def test_the_hash_notices_a_change_of_code(tree, change):
    name, old, new = CHANGES[change]
    before = results.sources_hash(script_of(tree))
    edit(tree / name, old, new)
    assert results.sources_hash(script_of(tree)) != before


@pytest.mark.parametrize("name", ["unused.py", "__init__.py"])
def test_the_hash_ignores_modules_that_take_no_part(tree, name):
    before = results.sources_hash(script_of(tree))
    (tree / "identity_edu" / name).write_text("CHANGED = True\n")
    assert results.sources_hash(script_of(tree)) == before


def test_modules_that_import_each_other_are_hashed_once(tree):
    edit(tree / "identity_edu/backend.py", "B = 1", "from identity_edu import linear")
    assert results.sources_hash(script_of(tree)).startswith("sha256:")


def test_the_hash_is_the_same_wherever_the_tree_lies(tree, tmp_path, monkeypatch):
    before = results.sources_hash(script_of(tree))
    moved = tree.rename(tmp_path / "moved")
    monkeypatch.setattr(results, "ROOT", moved)
    assert results.sources_hash(script_of(moved)) == before


# Freshness


def test_a_result_is_stale_once_a_source_has_changed(tree, tmp_path):
    write(tree, tmp_path)
    write(tree, tmp_path, name="again")
    assert not results.stale_results(tmp_path)
    edit(tree / "identity_edu/backend.py", "B = 1", "B = 2")
    commands = {n: f"identity-edu experiment {n}" for n in ("again", "slopes")}
    assert results.stale_results(tmp_path) == commands


def test_committed_results_are_fresh():
    stale = experiments.stale_results()
    commands = "\n".join(stale.values())
    assert not stale, f"sources changed since {', '.join(stale)}; run:\n{commands}"


def test_there_are_committed_results_and_each_says_who_measured_it():
    names = [path.stem for path in sorted(results.FOLDER.glob("*.json"))]
    assert names
    for name in names:
        record = results.load_result(name)
        assert record["name"] == name
        assert (results.ROOT / record["script"]).is_file()
        assert record["command"]


def test_every_experiment_has_seeds_a_purpose_and_a_committed_result():
    for name, module in experiments.registry().items():
        assert module.__doc__.splitlines()[0].endswith(".")
        assert all(isinstance(seed, int) for seed in module.SEEDS)
        if hasattr(module, "NEEDS"):  # data that do not come with the package
            continue
        record = results.load_result(name)
        assert record["command"] == f"identity-edu experiment {name}"
        assert record["seeds"] == list(module.SEEDS)


def test_running_an_experiment_writes_what_it_measured(tree, tmp_path, monkeypatch):
    class Module:
        SEEDS = (1, 2)
        __file__ = str(script_of(tree))

        @staticmethod
        def measure():
            return {"ratio": np.float64(1.5)}

    monkeypatch.setattr(experiments, "registry", lambda: {"slopes": Module})
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    path = experiments.run("slopes")
    assert path == tmp_path / "results" / "slopes.json"
    record = experiments.load_result("slopes")
    assert record["values"] == {"ratio": 1.5}
    assert record["seeds"] == [1, 2]


def test_a_result_whose_sources_changed_while_it_was_measured_is_stale(
    tree, tmp_path, monkeypatch
):
    script = script_of(tree)

    class Module:
        SEEDS = (1,)
        __file__ = str(script)

        @staticmethod
        def measure():
            script.write_text(script.read_text() + "MORE = 1\n")
            return {"ratio": 1.5}

    monkeypatch.setattr(experiments, "registry", lambda: {"slopes": Module})
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    experiments.run("slopes")
    assert list(experiments.stale_results()) == ["slopes"]


def test_an_unknown_experiment_is_refused_with_the_known_ones():
    known = ", ".join(sorted(experiments.registry()))
    with pytest.raises(ValueError, match=f"must be one of {known}; got 'other'"):
        experiments.run("other")
