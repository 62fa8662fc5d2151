"""A course whose grading is watched: marks, files and processes; for benchmarks."""

import contextlib
import ctypes
import os
import time

import courses
import psutil

from identity_edu.grading.store import read_result, results_folder

WORKERS = 2
SECONDS_TO_VANISH = 20.0  # for what a killed grader leaves behind, on a loaded machine
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Let every descendant whose parent dies become a child of this process."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Course:
    """A course with all submissions handed in, and the real command to grade them.

    Parameters
    ----------
    folder : Path
        Made anew.
    assignment : str
        ``NN_slug``.
    made_up : dict
        `makeup.MadeUp` by student.
    """

    def __init__(self, folder, assignment, made_up):
        self.folder = courses.our_course(folder, assignment)
        self.assignment, self._made_up = assignment, made_up
        files = {s: m.content for s, m in made_up.items() if m.content is not None}
        courses.hand_in(folder, assignment, files)
        for student in made_up.keys() - files.keys():
            path = courses.place(folder, assignment, student)
            path.parent.mkdir(parents=True)
            path.symlink_to(courses.place(folder, assignment, min(files)))
        self._results = results_folder(folder, assignment)
        self._temporary = folder / "tmp"
        self._temporary.mkdir()

    def start(self):
        """Start grading.

        Returns
        -------
        psutil.Popen
        """
        program = courses.PROGRAMS / "identity-edu"
        with (self.folder / "said.txt").open("ab") as said:
            return psutil.Popen(
                [program, "grade", self.assignment, "--workers", str(WORKERS)],
                cwd=self.folder,
                env={**courses.environment(), "TMPDIR": str(self._temporary)},
                stdout=said,
                stderr=said,
            )

    def finish(self, process):
        """Wait for the command, and hold that it succeeds.

        Parameters
        ----------
        process : psutil.Popen
        """
        status = process.wait()
        require(not status, (self.folder / "said.txt").read_text()[-1000:])

    @property
    def n_graded(self):
        """How many students have a result file, or will have in a moment."""
        with contextlib.suppress(FileNotFoundError):
            return len(os.listdir(self._results))
        return 0

    @property
    def n_temporary(self):
        """How many temporary files and folders lie about."""
        return len(os.listdir(self._temporary))

    def require_whole(self):
        """Hold that every result file is whole and every mark is right.

        Returns
        -------
        int
            Number of students who are recorded.
        """
        for path in self._results.glob("*/*.json"):
            result = read_result(self._results, path.parent.name, path.stem)
            made_up = self._made_up[result.student]
            found = f"{result.student} {made_up.kind}: {result.verdict} {result.reason}"
            require(result.verdict in made_up.verdicts, found)
        recorded = courses.points(self.folder)
        for student, points in recorded.items():
            made_up = self._made_up[student]
            found = f"{student} {made_up.kind}: {points}, not {made_up.points}"
            require(points == made_up.points, found)
        return len(recorded)

    def require_complete(self):
        """Hold that everybody is recorded, once, and that nothing else lies about."""
        n = len(self._made_up)
        require(self.require_whole() == n, "not all are recorded")
        rows = courses.n_rows(self.folder)
        n_grades = sum(len(m.points) for m in self._made_up.values())
        require(list(rows.values()) == [n, n, n, n_grades], rows)
        require(not list(self.folder.rglob("*.part")), "a temporary file is left")


def require(is_so, otherwise):
    """Stop the benchmark where something does not hold.

    Parameters
    ----------
    is_so : bool
    otherwise : object
        What was found instead.

    Raises
    ------
    RuntimeError
        If it is not so.
    """
    if not is_so:
        raise RuntimeError(str(otherwise)[:2000])


def seconds_until_nothing_is_left():
    """Wait until this process has no descendants, orphans included.

    Returns
    -------
    float

    Raises
    ------
    RuntimeError
        If some are still there after `SECONDS_TO_VANISH`.
    """
    start = time.monotonic()
    while left := psutil.Process().children(recursive=True):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        seconds = time.monotonic() - start
        require(seconds < SECONDS_TO_VANISH, f"still there: {left}")
        time.sleep(0.005)
    return time.monotonic() - start
