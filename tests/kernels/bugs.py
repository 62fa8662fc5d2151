"""Bugs: one edit of one file each, and a device on which the edited sources run."""

import shutil
from dataclasses import dataclass, replace

from emulator import EmulatedDevice


@dataclass(frozen=True)
class Bug:
    """One edit; `old` must be in the file exactly once."""

    name: str
    old: str
    new: str
    file: str | None = None  # unless the kernel's own


def edited(source, folder, bug):
    """Copy a source with the headers beside it, and put the bug in.

    Raises LookupError where the bug's text is not in its file exactly once.
    """
    for path in source.parent.glob("*.cu*"):
        shutil.copy(path, folder)
    target = folder / (bug.file or source.name)
    text = target.read_text("utf-8")
    if (n := text.count(bug.old)) != 1:
        raise LookupError(f"{bug.name}: {bug.old!r} is {n} times in {target.name}.")
    target.write_text(text.replace(bug.old, bug.new), "utf-8")


class EditedDevice(EmulatedDevice):
    """An emulated device that takes sources from another folder, by their names."""

    def __init__(self, folder, **knobs):
        super().__init__(**knobs)
        self._folder = folder

    def run(self, launches):
        """Run the same launches of the edited sources."""
        super().run([replace(one, kernel=self._edited(one.kernel)) for one in launches])

    def _edited(self, kernel):
        return replace(kernel, path=self._folder / kernel.path.name)
