"""Settings of nbgrader: solutions/ is the source, exercises/ what students get.

Everything that grading writes lies below .grading/, which git ignores. The paths
follow this file, so a copy of it makes any folder with a solutions/ a course. The
gradebook is a file there, or PostgreSQL where IDENTITY_EDU_GRADEBOOK holds its URL:
postgresql+psycopg://user:password@host/database.
"""

import os
import sys
from pathlib import Path

from identity_edu.grading.plugin import plug_in

plug_in()  # first: whatever fails below, nothing that students wrote runs unconfined

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
c.CourseDirectory.db_url = (
    os.environ.get("IDENTITY_EDU_GRADEBOOK")
    or f"sqlite:///{(work / 'gradebook.db').as_posix()}"
)

c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("replace this line with your answer")'
}
c.ClearSolutions.text_stub = "Write your answer here."

# The stock pages print the hidden tests. These hide them, and need no network.
c.GenerateFeedback.preprocessors = [
    "identity_edu.grading.discreet.HideTests",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.GetGrades",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.GenerateFeedback.exporter_class = "identity_edu.grading.discreet.OfflineHTML"
