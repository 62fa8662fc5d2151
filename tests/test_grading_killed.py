"""The real command, killed and started again: all is recorded exactly once."""

import subprocess
import sys
from pathlib import Path

import pytest

from identity_edu.grading.isolation.sandbox import isolation_problem

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "grading_thousand.py"


@pytest.mark.slow
@pytest.mark.skipif(
    bool(isolation_problem("bubblewrap")), reason="bubblewrap is not installed"
)
def test_sixty_submissions_are_recorded_once_though_the_grader_is_killed_four_times():
    # It makes the submissions, and fails where marks, rows, files or processes are
    # not as they must be.
    done = subprocess.run(
        [sys.executable, BENCHMARK, "--submissions", "60", "--kills", "4"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr[-3000:]
    assert done.stdout.count("killed: ") == 4
