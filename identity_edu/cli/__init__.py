"""The command line: what this machine can run, training, and the book's experiments.

A command is a function in a module of its own, which joins `root.app` on import.
Everything heavy is imported by the command that needs it, so that ``--help`` is quick.
"""

from identity_edu.cli import (
    doctor,
    experiment,
    fetch,
    grade,
    plot,
    record,
    regrade,
    release,
    train,
)
from identity_edu.cli.root import app

__all__ = [
    "app",
    "doctor",
    "experiment",
    "fetch",
    "grade",
    "plot",
    "record",
    "regrade",
    "release",
    "train",
]
