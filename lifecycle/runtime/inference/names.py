"""Names of endpoints for clients: `project/slug`, or the slug alone where it is unique; and what a writer of
routes documents has to know. Pure, without the server's imports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

FORMAT, BUCKETS = 4, 10_000  # of the routes document, and the shares of all arms in it
STABLE, CANARY = "stable", "canary"
# follow a name in a URL, so no endpoint can have these names
WORDS = frozenset({"config", "infer", "ready", "stats", "versions"})
NAME = re.compile(r"[A-Za-z0-9_-]{1,50}/[a-z0-9][a-z0-9-]{0,59}\Z")

# A name in a URL, where %2F is a slash: two segments only where the second isn't one of WORDS. So a/ready
# always asks whether the endpoint a is ready, and never for an endpoint of a project a.
IN_ADDRESS = rf"[^/]+(?:/(?!(?:{'|'.join(sorted(WORDS))})(?:/|$))[^/]+)?"


def meant(wanted: str, names: Iterable[str]) -> list[str]:
    """Those of the names (`project/slug`) that match: the full name, or all with this slug; sorted."""
    return sorted(name for name in names if wanted in (name, slug_of(name)))


def slug_of(name: str) -> str:
    """The slug in `project/slug`."""
    return name.rpartition("/")[2]
