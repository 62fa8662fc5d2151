"""Settings of nbgrader: solutions/ is the source, exercises/ what students get.

Everything that grading writes lies below .grading/, which git ignores. The paths
follow this file, so a copy of it makes any folder with a solutions/ a course.
"""

import os
import sys
from pathlib import Path

# nbgrader starts `alembic` by its bare name, which fails where the environment is
# used without being activated.
programs = str(Path(sys.executable).parent)
if programs not in os.environ.get("PATH", "").split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", "")])

root = Path(__file__).resolve().parent
work = root / ".grading"
work.mkdir(exist_ok=True)  # SQLite makes the file, but not the folder

c = get_config()  # noqa: F821 - nbgrader puts this name here

c.CourseDirectory.course_id = "around-the-identity"
c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = ".grading/submitted"
c.CourseDirectory.autograded_directory = ".grading/autograded"
c.CourseDirectory.feedback_directory = ".grading/feedback"
c.CourseDirectory.solution_directory = ".grading/solution"
c.CourseDirectory.source_with_tests_directory = ".grading/source_with_tests"
c.CourseDirectory.db_url = f"sqlite:///{(work / 'gradebook.db').as_posix()}"

c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("replace this line with your answer")'
}
c.ClearSolutions.text_stub = "Write your answer here."

# Without it, deleting a test cell turns 0 points into "needs manual grading".
c.OverwriteCells.add_missing_cells = True

c.Execute.timeout = 60  # seconds a cell; a check takes less than 2
c.Execute.startup_timeout = 120  # a loaded machine is slow to start a kernel
c.Execute.extra_arguments = ["--IPKernelApp.log_level=40"]  # errors, no advice
c.LimitOutput.max_lines = 200
c.LimitOutput.max_traceback = 40

# The stock pages print the hidden tests. These hide them, and need no network.
c.GenerateFeedback.preprocessors = [
    "identity_edu.grading.feedback.HideTests",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.GetGrades",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.GenerateFeedback.exporter_class = "identity_edu.grading.feedback.OfflineHTML"
