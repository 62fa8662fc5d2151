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
        sha256, made_by = self._look(folder, submission)
        is_marked = row is not None and row.submission_sha256 == sha256
        marked_by = row.tests_sha256 if is_marked else None
        tests = exam.task(submission.student).tests_sha256
        if is_outdated := marked_by not in (None, tests) and made_by != tests:
            self.outdated.append(submission.student)
            tests = marked_by
        if made_by != tests:
            (self.done if is_outdated else self.to_grade).append(submission)
        elif marked_by == tests and submission.timestamp in (None, row.timestamp):
            self.done.append(submission)
        else:
            self.on_disk.append((submission, sha256))

    def force(self) -> None:
        """Grade everything."""
        on_disk = [submission for submission, _ in self.on_disk]
        everything = [*self.done, *on_disk, *self.to_grade]
        self.to_grade = sorted(everything, key=lambda s: s.student)
        self.done, self.on_disk, self.outdated = [], [], []

    def _look(self, folder, submission):
        """Return the hash of a submission, and that of the tests that it met."""
        sha256 = None
        try:
            sha256 = submission.sha256()
            summary = read_summary(folder, submission.student, sha256)
        except DamagedResultError as error:
            self.notes.append(f"{error} It counts as absent.")
        except OSError:  # met again, and reported, when it is read to be graded
            pass
        else:
            return sha256, summary and summary.tests_sha256
        return sha256, None
