"""What handing in late costs: whatever nbgrader's plugin of the course says."""

from nbgrader.api import SubmittedNotebook
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.orm import Session
from traitlets.config import Config


def set_penalty(db: Session, config: Config, student: str, notebook_id: str) -> None:
    """Write the penalty of one submission, none where it came in time.

    Parameters
    ----------
    db : Session
        Of the gradebook, the points written.
    config : Config
        Of the course; ``AssignLatePenalties.plugin_class`` in it decides, which by
        default takes nothing.
    student : str
        Their id.
    notebook_id : str
        Of the submitted notebook in the gradebook.
    """
    db.flush()
    notebook = db.get(SubmittedNotebook, notebook_id, populate_existing=True)
    late, penalty = notebook.assignment.total_seconds_late, None
    if late > 0:
        step = AssignLatePenalties(config=config)
        step.init_plugin()
        plugin = step.plugin_inst
        penalty = plugin.late_submission_penalty(student, notebook.score, late)
        if penalty is not None:
            penalty = step._check_late_penalty(notebook, penalty)
    notebook.late_submission_penalty = penalty
    db.flush()
    db.expire(notebook)
