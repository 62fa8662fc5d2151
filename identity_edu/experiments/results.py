"""Results files: numbers with everything that is needed to trust and repeat them.

A file names its schema, the package's version, the command, the seeds, the machine,
and a hash of the sources that made it. When one of those sources changes, the hash
no longer fits and `stale_results` names the file: it must be measured again.
"""

import ast
import hashlib
import io
import json
import os
import platform
import tokenize
from pathlib import Path

import numpy as np

from identity_edu import __version__
from identity_edu.train.files import write_atomically

SCHEMA = "identity_edu.result/1"
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "book" / "results"


def write_result(  # noqa: PLR0913 - what a number needs to be trusted
    name, values, *, command, seeds, script, sources=None, folder=None
):
    """Write a results file, atomically.

    Parameters
    ----------
    name : str
        File name without its ending.
    values : dict
        Finite numbers, strings, lists and dicts of them; NumPy's too.
    command : str
        What a reader types to measure again.
    seeds : list of int
    script : str or Path
        The experiment or benchmark; its imports from this package are hashed too.
    sources : str, optional
        `sources_hash` of the script before it measured; unless given, that of now.
    folder : Path, optional
        ``book/results`` unless given.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If a number is NaN or infinite, which JSON cannot hold.
    TypeError
        If a value is of another kind.
    """
    record = {
        "schema": SCHEMA,
        "package_version": __version__,
        "name": name,
        "command": command,
        "seeds": list(seeds),
        "hardware": hardware(),
        "script": Path(script).resolve().relative_to(ROOT).as_posix(),
        "sources_hash": sources_hash(script) if sources is None else sources,
        "values": values,
    }
    folder = FOLDER if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    text = json.dumps(record, indent=1, default=_plain, allow_nan=False)
    write_atomically(path, lambda file: file.write(f"{text}\n".encode()))
    return path


def load_result(name, folder=None):
    """Read a results file.

    Parameters
    ----------
    name : str
        File name without its ending.
    folder : Path, optional
        ``book/results`` unless given.

    Returns
    -------
    dict
        The whole record; the measurements are under ``"values"``.

    Raises
    ------
    FileNotFoundError
        If it was never measured; the message names the command.
    ValueError
        If the file has another schema.
    """
    path = (FOLDER if folder is None else Path(folder)) / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(
            f"no results named {name!r}: measure them with `identity-edu experiment "
            f"{name}` (benchmarks: `make bench`)."
        )
    record = json.loads(path.read_text())
    if record.get("schema") != SCHEMA:
        got = record.get("schema")
        raise ValueError(f"{path.name} must have schema {SCHEMA!r}; got {got!r}.")
    return record


def stale_results(folder=None):
    """Name the results whose sources have changed since they were measured.

    Parameters
    ----------
    folder : Path, optional
        ``book/results`` unless given.

    Returns
    -------
    dict of str to str
        Result name, and the command that measures it again.
    """
    stale = {}
    for path in sorted((FOLDER if folder is None else Path(folder)).glob("*.json")):
        record = load_result(path.stem, path.parent)
        script = ROOT / record["script"]
        if not script.exists() or sources_hash(script) != record["sources_hash"]:
            stale[path.stem] = record["command"]
    return stale


def sources_hash(script):
    """Hash the code of a script and of all that it imports from this package.

    Comments, docstrings and blank lines do not count: rewording them leaves every
    result valid. `experiments.results` and the command line do not count either.

    Parameters
    ----------
    script : str or Path

    Returns
    -------
    str
        ``"sha256:"`` and 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in _sources(Path(script).resolve()):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(_code_lines(path.read_text()).encode())
    return f"sha256:{digest.hexdigest()}"


def hardware():
    """Describe the machine that measured: processor, cores, Python, NumPy, BLAS.

    Returns
    -------
    dict
    """
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "blas_variables": {
            k: v for k, v in sorted(os.environ.items()) if k.startswith("OPENBLAS_")
        },
    }


def _processor():
    """Name the processor as the system does."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _sources(script):
    """Return the script and, transitively, the modules it imports, in fixed order."""
    waiting, found = [script], set()
    while waiting:
        path = waiting.pop()
        if path in found or path.name == "results.py":
            continue
        found.add(path)
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            waiting.extend(_imported_files(node))
    return sorted(found)


def _imported_files(node):
    """Return the files of this package that an import statement names."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    else:
        return []
    ours = [n.replace(".", "/") for n in names if n.split(".")[0] == "identity_edu"]
    options = [ROOT / f"{n}{end}" for n in ours for end in (".py", "/__init__.py")]
    skip = ROOT / "identity_edu" / "__init__.py"  # the version is recorded already
    return [p for p in options if p.exists() and p != skip]


def _code_lines(text):
    """Drop docstrings, comments and blank lines."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            rows = slice(node.lineno - 1, node.end_lineno)
            lines[rows] = [""] * (rows.stop - rows.start)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _plain(value):
    """Turn NumPy values into what JSON can hold."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"results must be plain data; got {type(value).__name__}.")
