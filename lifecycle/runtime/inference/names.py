"""How clients name an endpoint: `project/slug`, or the slug alone where it says enough. Pure, and free of all that the server loads."""

from __future__ import annotations

import re
from collections.abc import Iterable

WORDS = frozenset({"config", "infer", "ready", "stats", "versions"})  # what follows a name in an address: no endpoint is called so
NAME = re.compile(r"[A-Za-z0-9_-]{1,50}/[a-z0-9][a-z0-9-]{0,59}\Z")

# A name in an address, in which %2F is a slash like others: two segments only where the second is none of WORDS. So a/ready asks whether
# the endpoint a is ready, and never for an endpoint of a project a, whatever projects and endpoints there are.
IN_ADDRESS = rf"[^/]+(?:/(?!(?:{'|'.join(sorted(WORDS))})(?:/|$))[^/]+)?"


def meant(wanted: str, names: Iterable[str]) -> list[str]:
    """Of these names (`project/slug`) those that a client may mean: the one itself, or all with this slug; sorted."""
    return sorted(name for name in names if wanted in (name, slug_of(name)))


def slug_of(name: str) -> str:
    """The slug in `project/slug`; a name of an earlier release is a slug alone."""
    return name.rpartition("/")[2]
