"""One script for each table or figure that takes too long for a chapter.

An experiment is a module here with ``SEEDS`` (a list of int) and ``measure()``, which
returns a dict of numbers, strings and lists. Running it writes
``book/results/<name>.json``; chapters read that file and type no number themselves.
"""

import importlib
import pkgutil

from identity_edu.experiments.results import (
    load_result,
    sources_hash,
    stale_results,
    write_result,
)

__all__ = ["load_result", "registry", "run", "stale_results", "write_result"]


def registry():
    """Return every experiment, by name.

    Returns
    -------
    dict of str to module
    """
    names = [m.name for m in pkgutil.iter_modules(__path__) if m.name != "results"]
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def run(name):
    """Run one experiment and write its results file.

    Parameters
    ----------
    name : str
        A key of `registry`.

    Returns
    -------
    pathlib.Path
        The file that was written.

    Raises
    ------
    ValueError
        If there is no experiment of that name.
    """
    experiments = registry()
    if name not in experiments:
        known = ", ".join(sorted(experiments))
        raise ValueError(f"experiment must be one of {known}; got {name!r}.")
    module = experiments[name]
    command = f"identity-edu experiment {name}"
    sources = sources_hash(module.__file__)  # who edits meanwhile measures again
    return write_result(
        name,
        module.measure(),
        command=command,
        seeds=module.SEEDS,
        script=module.__file__,
        sources=sources,
    )
