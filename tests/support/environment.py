"""Loaded before Django's settings are read: tests never see the developer's own data."""

import os
import tempfile
from pathlib import Path

os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="lifecycle-tests-")
(Path(os.environ["DATA_DIR"]) / "static").mkdir()  # where WhiteNoise looks
os.environ["DEMO"] = "0"
os.environ["CACHE_URL"] = "memory://"  # a test that empties it must not empty what others use
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of small matrices, which threads make slower
