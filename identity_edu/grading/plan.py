"""What is to be done with each submission, from what the disk and the gradebook say."""

from dataclasses import dataclass, field
from pathlib import Path

from identity_edu.grading.exam import Exam
from identity_edu.grading.register import Recorded
from identity_edu.grading.store import DamagedResultError, read_summary
from identity_edu.grading.submissions import Submission


@dataclass
class Plan:
    """Submissions by what is to be done with them.

    Parameters
    ----------
    done : list of Submission
        Recorded, with what was handed in last.
    on_disk : list of (Submission, str)
        Graded by the tests of today, and not recorded; with the hash of its content.
    to_grade : list of Submission
    outdated : list of str
        Students whose mark was made with other tests.
    notes : list of str
        A line for each damaged result file.
    """

    done: list[Submission] = field(default_factory=list)
    on_disk: list[tuple[Submission, str]] = field(default_factory=list)
    to_grade: list[Submission] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self, exam: Exam, folder: Path, submission: Submission, row: Recorded | None
    ) -> None:
        """Decide what is to be done with a submission.

        Parameters
        ----------
        exam : Exam
        folder : Path
            Of results.
        submission : Submission
        row : Recorded or None
            What the gradebook has of this student.
        """
        summary = self._summary(folder, submission)
        if summary is None:
            self.to_grade.append(submission)
            return
        tests = exam.task(submission.student).tests_sha256
        is_current = summary.tests_sha256 == tests
        keys = (summary.submission_sha256, summary.tests_sha256)
        if row is not None and row[:2] == keys:
            self.outdated += [] if is_current else [submission.student]
            if submission.timestamp in (None, row.timestamp):
                self.done.append(submission)
                return
        elif not is_current:
            self.to_grade.append(submission)
            return
        self.on_disk.append((submission, summary.submission_sha256))

    def force(self) -> None:
        """Grade everything."""
        on_disk = [submission for submission, _ in self.on_disk]
        everything = [*self.done, *on_disk, *self.to_grade]
        self.to_grade = sorted(everything, key=lambda s: s.student)
        self.done, self.on_disk, self.outdated = [], [], []

    def _summary(self, folder, submission):
        try:
            return read_summary(folder, submission.student, submission.sha256())
        except DamagedResultError as error:
            self.notes.append(f"{error} It is made anew.")
        except OSError:  # met again, and reported, when it is read to be graded
            pass
        return None
