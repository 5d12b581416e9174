"""The endpoint has two versions that went live one after the other."""

from __future__ import annotations

from tests.support.settled import settled_endpoint

settled = settled_endpoint(versions=2)
