"""The course's secret, on which hidden problems depend, and what follows from it.

It stands in a variable or in a file outside the course, never in the repository. The
same secret draws the same problems, so that grading again gives the same scores.
"""

import hashlib
import hmac
from functools import lru_cache

from identity_edu import checks
from identity_edu.grading.course import CONFIG, GradingError

VARIABLES = f"{checks.SECRET_VARIABLE} or {checks.SECRET_FILE_VARIABLE}"


def course_secret() -> str:
    """Read the secret as the instructor set it.

    Returns
    -------
    str
        The text of ``IDENTITY_EDU_SECRET``, or of the file that
        ``IDENTITY_EDU_SECRET_FILE`` names; empty if neither is set.

    Raises
    ------
    GradingError
        If that file is absent, unreadable or empty, or lies in a course folder, from
        where it would be published with the course.
    """
    path = checks.secret_file()
    try:
        secret = checks.course_secret()
    except (OSError, ValueError) as error:  # a name, or a text, that cannot be one
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise _refused(path, f"which cannot be read: {reason}") from error
    if path is None:
        return secret
    if not secret:
        raise _refused(path, "which is empty: it must hold the secret")
    folders = path.resolve().parents
    if course := next((f for f in folders if (f / CONFIG).is_file()), None):
        raise _refused(path, f"inside the course folder {course}: keep it elsewhere")
    return secret


def student_secret(secret: str, student: str) -> str:
    """Derive the secret of one student, for problems that no other student gets.

    Parameters
    ----------
    secret : str
        Of the course.
    student : str
        Their id.

    Returns
    -------
    str
        64 hexadecimal digits (HMAC-SHA256), from which neither the course's secret
        nor another student's can be computed.

    Raises
    ------
    GradingError
        If `secret` is empty: anybody could compute what follows from it.
    """
    if not secret:
        raise GradingError(
            f"problems of each student's own require a secret: set {VARIABLES}."
        )
    return hmac.new(secret.encode(), student.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=8)
def fingerprint(secret: str) -> str:
    """Return what tells two secrets apart, and may be printed and recorded.

    Parameters
    ----------
    secret : str

    Returns
    -------
    str
        Eight hexadecimal digits, or ``"none"`` for the empty secret.

    Notes
    -----
    It takes 32 bits of scrypt (Percival 2009), slow on purpose: even a short secret
    is hard to guess from them, and many others share them.
    """
    if not secret:
        return "none"
    salt = b"identity_edu fingerprint"
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1).hex()[:8]


def _refused(path, why):
    return GradingError(f"{checks.SECRET_FILE_VARIABLE} names {path}, {why}.")
