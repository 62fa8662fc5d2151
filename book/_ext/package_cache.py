"""Run every chapter again when the code or the numbers that it shows have changed.

jupyter-cache compares the cells alone, so a chapter whose cells call a mended function
would keep its old pictures. The fingerprint names the cache folder, and as a Sphinx
setting of kind ``env`` it also makes Sphinx read all pages again.
"""

import hashlib
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("identity_edu/**/*.py", "book/results/*.json", "requirements.txt")


def sources_fingerprint(root):
    """Hash names and contents of the files that a chapter's outputs depend on."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in root.glob(pattern)):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def choose_cache(app, config):
    """Point the execution cache at this fingerprint's folder, and drop the others."""
    config.package_fingerprint = sources_fingerprint(ROOT)
    caches = Path(app.outdir).parent / ".jupyter_cache"
    config.nb_execution_cache_path = str(caches / config.package_fingerprint)
    for cache in caches.glob("*"):
        if cache.is_dir() and cache.name != config.package_fingerprint:
            shutil.rmtree(cache)


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("package_fingerprint", "", "env", str)
    app.connect("config-inited", choose_cache)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
