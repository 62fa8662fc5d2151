"""The package as students install it: a wheel of its files, without the grading.

A wheel is a zip archive with three files of metadata (PEP 427). Written here rather
than by a build tool, it takes no network, and its bytes depend on its content alone.
"""

import base64
import hashlib
import io
import zipfile
from importlib import metadata
from pathlib import Path

import identity_edu
from identity_edu.grading.course import GradingError

PACKAGE = Path(identity_edu.__file__).parent
KINDS = {".html", ".json", ".md", ".npz", ".py"}  # as pyproject.toml lists them
INSTRUCTORS = ("grading",)
EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip archive can name
WHEEL = (
    "Wheel-Version: 1.0\nGenerator: identity_edu\n"
    "Root-Is-Purelib: true\nTag: py3-none-any\n"
)


def student_wheel() -> tuple[str, bytes]:
    """Build the wheel that students install.

    Returns
    -------
    name : str
        Of the file, which tells pip the version.
    content : bytes

    Raises
    ------
    GradingError
        If the package runs without being installed: its metadata is then unknown.
    """
    try:
        installed = metadata.distribution("identity_edu")
    except metadata.PackageNotFoundError:
        raise GradingError(
            "identity_edu must be installed: python -m pip install --editable ."
        ) from None
    stem = f"identity_edu-{installed.version}"
    about = {
        "METADATA": installed.read_text("METADATA"),
        "WHEEL": WHEEL,
        "entry_points.txt": installed.read_text("entry_points.txt"),
        "licenses/LICENSE": installed.read_text("licenses/LICENSE"),
    }
    files = package_files() | {
        f"{stem}.dist-info/{name}": text.encode()
        for name, text in about.items()
        if text
    }
    files[f"{stem}.dist-info/RECORD"] = _record(files, f"{stem}.dist-info/RECORD")
    return f"{stem}-py3-none-any.whl", zip_bytes(files)


def package_files() -> dict[str, bytes]:
    """Read the files of the package that students get.

    Returns
    -------
    dict
        Content by path in the archive.
    """
    return {
        f"identity_edu/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in KINDS
        and path.relative_to(PACKAGE).parts[0] not in INSTRUCTORS
    }


def zip_bytes(files: dict[str, bytes]) -> bytes:
    """Pack files such that the same files give the same bytes.

    Parameters
    ----------
    files : dict
        Content by path in the archive.

    Returns
    -------
    bytes
        A zip archive: sorted, of one early date, readable by everybody.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is written
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name])
    return packed.getvalue()


def _record(files, own_name):
    """List every file with its hash and size, as pip checks it."""
    lines = []
    for name, content in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
        lines.append(f"{name},sha256={digest.rstrip(b'=').decode()},{len(content)}")
    return "\n".join([*lines, f"{own_name},,", ""]).encode()
