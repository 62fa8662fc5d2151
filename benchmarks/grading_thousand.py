"""A thousand submissions, 5 % broken and 2 % hostile, and a grader that is killed.

The real command grades them twice: undisturbed, while its memory is read, and then
killed with SIGKILL at random moments and started again. Each time all of them must be
recorded exactly once, with the points that are known from their making (`makeup`), no
result file may be torn, and no process left behind. What does not hold ends this script
with an error.

Promised: all recorded, exactly once; memory after the last submission at most a tenth
above that after the first quarter.
"""

import argparse
import contextlib
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import courses
import numpy as np
import psutil
from makeup import Pool
from watched import (
    WORKERS,
    Course,
    adopt_orphans,
    require,
    seconds_until_nothing_is_left,
)

from identity_edu.experiments import write_result
from identity_edu.grading.batch import grade_assignment

ASSIGNMENT, SEED = "05_near_identity_factors", 6
PROMISED_GROWTH = 0.1
CHECKPOINTS = {"start": 0.0, "quarter": 0.25, "half": 0.5, "end": 1.0}
MEGABYTE = 1 << 20


def undisturbed(course, n):
    """Grade all in one go, and read the memory of the grader's main process.

    Parameters
    ----------
    course : Course
    n : int
        Number of submissions.

    Returns
    -------
    dict
    """
    start, samples = time.monotonic(), []
    process = course.start()
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            moment = time.monotonic() - start
            samples.append((moment, course.n_graded, process.memory_info().rss))
            time.sleep(0.1)
    course.finish(process)
    seconds = time.monotonic() - start
    seconds_until_nothing_is_left()
    course.require_complete()
    moments = [moment for moment, n_graded, _ in samples if 0 < n_graded < n]
    memory = {
        name: next(rss for _, found, rss in samples if found >= max(1, share * n))
        for name, share in CHECKPOINTS.items()
    }
    memory |= {"peak": max(rss for *_, rss in samples)}
    return {
        "seconds": seconds,
        "seconds_grading": moments[-1] - moments[0],
        "megabytes": {name: rss / MEGABYTE for name, rss in memory.items()},
        "growth": memory["end"] / memory["quarter"] - 1,
        "seconds_again": again(course),
    }


def again(course):
    """Call the grader once more: it must leave everything as it is.

    Parameters
    ----------
    course : Course

    Returns
    -------
    float
        Seconds.
    """
    start = time.monotonic()
    graded = grade_assignment(course.folder, ASSIGNMENT)
    seconds = time.monotonic() - start
    require(graded.is_complete and not graded.changed, graded.changed)
    course.require_complete()
    return seconds


def killed(course, n, n_kills):
    """Kill the grader at random moments, start it again, and let it finish.

    Parameters
    ----------
    course : Course
    n, n_kills : int
        Numbers of submissions and of kills.

    Returns
    -------
    list of dict
        For each kill: how many were graded and recorded, seconds until the last
        process was gone, and what it left of temporary folders so far.
    """
    rng, kills = np.random.default_rng(SEED), []
    for threshold in sorted(rng.integers(0, int(0.95 * n), n_kills)):
        process = course.start()
        while course.n_graded < threshold and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 3.0))  # often while the next run begins
        require(
            process.poll() is None, (course.folder / "said.txt").read_text()[-1000:]
        )
        process.kill()
        process.wait()
        seconds = seconds_until_nothing_is_left()
        found = {"graded": course.n_graded, "recorded": course.require_whole()}
        found |= {"seconds_to_vanish": seconds, "temporary": course.n_temporary}
        kills.append(found)
    course.finish(course.start())
    seconds_until_nothing_is_left()
    course.require_complete()
    return kills


def generated(folder, n):
    """Make the submissions, and let stock nbgrader say what their parts earn.

    Parameters
    ----------
    folder : Path
        Made anew.
    n : int

    Returns
    -------
    dict
        `makeup.MadeUp` by student.
    """
    pool = Pool(ASSIGNMENT)
    course = courses.stock_course(folder, ASSIGNMENT)
    courses.hand_in(course, ASSIGNMENT, pool.alone())
    courses.run(course, "nbgrader", "autograde", ASSIGNMENT)
    pool.learn(courses.points(course))
    return pool.submissions(n, SEED)


def main():
    """Grade, kill, check, and write the results file of a full run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    given = parser.parse_args()
    n, is_full = given.submissions, (given.submissions, given.kills) == (1000, 10)
    adopt_orphans()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made_up = generated(folder / "stock", n)
        values = {
            "assignment": ASSIGNMENT,
            "submissions": n,
            "workers": WORKERS,
            "kinds": dict(Counter(made.kind for made in made_up.values())),
            "promised_growth": PROMISED_GROWTH,
            "undisturbed": undisturbed(
                Course(folder / "whole", ASSIGNMENT, made_up), n
            ),
        }
        shutil.rmtree(folder / "whole")
        values["kills"] = killed(
            Course(folder / "killed", ASSIGNMENT, made_up), n, given.kills
        )
    found = values["undisturbed"]
    print(f"{n} submissions in {found['seconds']:.0f} s, and {found['megabytes']} MB")
    print(f"nothing to do again in {found['seconds_again']:.1f} s")
    for kill in values["kills"]:
        print(f"killed: {kill}")
    if is_full:
        command = "python benchmarks/grading_thousand.py"
        name = "benchmark_grading_thousand"
        print(
            write_result(name, values, command=command, seeds=[SEED], script=__file__)
        )


if __name__ == "__main__":
    main()
