"""Read the book as its tests need it: chapters as cells, pages as tags."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from shutil import which

import yaml

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
HTML = ROOT / "_build" / "html"
CELL = re.compile(r"^```\{code-cell\}.*?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BROWSER = which("chromium") or which("chromium-browser") or which("google-chrome")


def chapters():
    """Return the chapters' text files, in order."""
    return sorted(BOOK.glob("[0-9][0-9]_*.md"))


def code_cells(path):
    """Return (metadata, source) of each code cell in a chapter."""
    cells = []
    for body in CELL.findall(path.read_text(encoding="utf-8")):
        header, source = "", body
        if body.startswith("---\n"):
            _, header, source = body.split("---\n", 2)
        lines = source.splitlines()
        while lines and lines[0].startswith(":"):
            name, value = lines.pop(0)[1:].split(":", 1)
            header += f"{name}: {value}\n"
        cells.append((yaml.safe_load(header) or {}, "\n".join(lines).strip()))
    return cells


class Tags(HTMLParser):
    """Collect a page's tags with attributes, and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.found, self.inline, self._inside = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside in ("script", "style"):
            self.inline.append(data)

    def all(self, name):
        """Return the attributes of every tag with this name."""
        return [attributes for tag, attributes in self.found if tag == name]


def rendered(page, profile):
    """Return a page's document after its scripts ran, opened from disk, offline."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-quic", "--disable-background-networking"]
    command += ["--disable-component-update", "--disable-sync"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]
    command += ["--virtual-time-budget=6000", "--dump-dom", f"file://{HTML}/{page}"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode("utf-8")
