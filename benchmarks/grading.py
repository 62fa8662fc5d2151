"""What grading costs: fifty submissions by stock ``nbgrader autograde`` and by ours.

The same submissions, each time in a fresh course: right answers, untouched notebooks
and mixtures of known mistakes. Both fill a gradebook and leave executed notebooks with
their figures; the marks must agree. Stock nbgrader runs everything in the open, one
submission after the other; ours isolates them, with two workers. Feedback is a command
of its own there and an option here: measured apart. The runs alternate. `grading_parts`
then says where our time goes.

Promised: at least 5 times as fast as stock nbgrader; 10 is the aim.
"""

import statistics
import tempfile
import time
from pathlib import Path

import courses
from grading_parts import parts
from makeup import Pool

from identity_edu.experiments import write_result

ASSIGNMENTS = ("02_backprop_by_hand", "05_near_identity_factors", "09_convolution")
N_SUBMISSIONS, SEED, ROUNDS, WORKERS = 50, 50, 1, 2
PROMISED = {"at_least": 5.0, "aim": 10.0}


class Comparison:
    """The same submissions to one assignment, graded again and again.

    Parameters
    ----------
    assignment : str
        ``NN_slug``.
    folder : Path
        For courses.
    """

    def __init__(self, assignment, folder):
        self._assignment, self._folder, self._n_courses = assignment, folder, 0
        self._submissions = Pool(assignment).honest(N_SUBMISSIONS, SEED)
        self.seconds = {}

    def measure(self):
        """Grade with both, in turn, and hold that the marks agree.

        Returns
        -------
        dict
            All seconds by what ran, the figures drawn, and our parts.
        """
        for _ in range(ROUNDS):
            stock = self._stock()
            ours = self._ours("ours", "--no-feedback")
            self._ours("ours with feedback")
            if courses.points(stock) != courses.points(ours):
                raise RuntimeError(f"{self._assignment}: the marks differ.")
        self._ours("ours with one worker", "--no-feedback", "--workers", "1")
        return {
            "seconds": self.seconds,
            "ratio": self._median("stock") / self._median("ours"),
            "ratio_with_feedback": self._median("stock with feedback")
            / self._median("ours with feedback"),
            "figures": {"stock": n_figures(stock), "ours": n_figures(ours)},
            "milliseconds": parts(self._course(courses.our_course), self._assignment),
        }

    def _median(self, name):
        return statistics.median(self.seconds[name])

    def _stock(self):
        course = self._course(courses.stock_course)
        seconds = self._timed("stock", course, "nbgrader", "autograde")
        seconds += self._timed(
            "stock feedback", course, "nbgrader", "generate_feedback"
        )
        self.seconds.setdefault("stock with feedback", []).append(seconds)
        return course

    def _ours(self, name, *options):
        course = self._course(courses.our_course)
        if "--workers" not in options:
            options = (*options, "--workers", str(WORKERS))
        self._timed(name, course, "identity-edu", "grade", *options)
        return course

    def _course(self, make):
        self._n_courses += 1
        course = make(self._folder / str(self._n_courses), self._assignment)
        courses.hand_in(course, self._assignment, self._submissions)
        return course

    def _timed(self, name, course, program, command, *options):
        start = time.perf_counter()
        courses.run(course, program, command, self._assignment, *options)
        seconds = time.perf_counter() - start
        self.seconds.setdefault(name, []).append(seconds)
        return seconds


def n_figures(course):
    """Count the figures in the executed notebooks.

    Parameters
    ----------
    course : Path

    Returns
    -------
    int
    """
    notebooks = (course / ".grading" / "autograded").rglob("*.ipynb")
    return sum(path.read_text("utf-8").count('"image/png"') for path in notebooks)


def main():
    """Measure each assignment, print the table and write the results file."""
    values = {"submissions": N_SUBMISSIONS, "workers": WORKERS, "promised": PROMISED}
    values["assignments"] = {}
    for assignment in ASSIGNMENTS:
        with tempfile.TemporaryDirectory() as folder:
            found = Comparison(assignment, Path(folder)).measure()
        values["assignments"][assignment] = found
        print(f"{assignment}: {found['ratio']:.1f} times as fast as stock nbgrader,")
        print(f"  {found['ratio_with_feedback']:.1f} times with feedback")
        for name, seconds in found["seconds"].items():
            print(f"  {name:<22} {', '.join(f'{s:.1f}' for s in seconds)} s")
        for name, milliseconds in found["milliseconds"].items():
            print(f"  {name:<22} {milliseconds:6.1f} ms a submission")
        print(f"  figures: {found['figures']}")
    path = write_result(
        "benchmark_grading",
        values,
        command="python benchmarks/grading.py",
        seeds=[SEED],
        script=__file__,
    )
    print(path)


if __name__ == "__main__":
    main()
