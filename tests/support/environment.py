"""Loaded before Django's settings are read: tests never see the developer's own data."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")  # where Linux keeps files in memory
ROOM = 10 * 2**30  # bytes that must be free for it: all suites together leave a fraction of it


def holds_all(folder: Path) -> bool:
    """Whether what tests write has room in this folder, and programs among it may run there."""
    if not os.access(folder, os.W_OK | os.X_OK) or os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return False
    return min(shutil.disk_usage(folder).free, psutil.virtual_memory().available) > ROOM


if "TMPDIR" not in os.environ and holds_all(MEMORY):
    os.environ["TMPDIR"] = str(MEMORY)  # no test outlives the machine, so that none has to wait until a disk has written
    tempfile.tempdir = None
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="lifecycle-tests-")
atexit.register(lambda made_by: os.getpid() == made_by and shutil.rmtree(os.environ["DATA_DIR"], ignore_errors=True), os.getpid())
(Path(os.environ["DATA_DIR"]) / "static").mkdir()  # where WhiteNoise looks
os.environ["DEMO"] = "0"
os.environ["CACHE_URL"] = "memory://"  # a test that empties it must not empty what others use
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of small matrices, which threads make slower
