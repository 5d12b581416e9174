"""Loaded before Django's settings are read: tests never see the developer's own data, and their files lie in memory where it has room."""

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 8 << 30  # bytes that must be free there: a whole suite leaves less than one, and what is trained counts


def in_memory(folder: Path = MEMORY, room: int = ROOM) -> bool:
    """Whether files can lie there: making one takes a fifth of the processor time that it takes on a disk."""
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return False
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize >= room and not facts.f_flag & os.ST_NOEXEC


if "TMPDIR" not in os.environ and in_memory():
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None  # asked for anew
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="lifecycle-tests-")
(Path(os.environ["DATA_DIR"]) / "static").mkdir()  # where WhiteNoise looks
os.environ["DEMO"] = "0"
os.environ["CACHE_URL"] = "memory://"  # a test that empties it must not empty what others use
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of small matrices, which threads make slower
