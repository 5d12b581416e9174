"""Loaded before Django's settings are read: tests never see the developer's own data."""

import os
import tempfile

os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="lifecycle-tests-")
os.environ["DEMO"] = "0"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
