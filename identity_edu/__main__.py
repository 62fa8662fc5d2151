"""``python -m identity_edu`` is the command ``identity-edu``."""

from identity_edu.cli import app

app(prog_name="identity-edu")
