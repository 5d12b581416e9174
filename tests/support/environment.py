"""Loaded before Django's settings are read: tests never see the developer's own data, and their files lie in
memory where it has room.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")  # where Linux keeps files in memory
# bytes that must be free there: all suites together leave a fraction of it, and what is trained counts
ROOM = 10 << 30


def in_memory(folder: Path = MEMORY, room: int = ROOM) -> bool:
    """Whether files can lie there, and programs among them run: no test waits for a disk then, and none
    outlives the machine.
    """
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return False
    facts = os.statvfs(folder)
    free = min(facts.f_bavail * facts.f_frsize, psutil.virtual_memory().available)
    return free >= room and not facts.f_flag & os.ST_NOEXEC


if "TMPDIR" not in os.environ and in_memory():
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None  # asked for anew
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="lifecycle-tests-")
atexit.register(
    lambda made_by: os.getpid() == made_by and shutil.rmtree(os.environ["DATA_DIR"], ignore_errors=True),
    os.getpid(),
)
(Path(os.environ["DATA_DIR"]) / "static").mkdir()  # where WhiteNoise looks
os.environ["DEMO"] = "0"
os.environ["TASK_TYPES"] = "tests.task_types.regression"
os.environ["CACHE_URL"] = "memory://"  # a test that empties it must not empty what others use
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of small matrices, which threads make slower
