"""The people of the demo, and how they sign in: random passwords in a file of mode 0600, and one click on the
same machine.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest

from lifecycle.roof.demo import start
from lifecycle.runtime.scraping import is_here
from registry.ground.access.roles import Role


@dataclass(frozen=True)
class DemoPerson:
    """A person to sign in as. role None: the organisation's admin."""

    username: str
    name: str
    role: Role | None
    does: str


PEOPLE = (
    DemoPerson("ana", "Ana Ruiz", Role.ANALYST, "uploads and labels"),
    DemoPerson("ben", "Ben Okafor", Role.ANALYST, "labels"),
    DemoPerson("chloe", "Chloe Martin", Role.ANALYST, "labels"),
    DemoPerson("ravi", "Ravi Shah", Role.ADJUDICATOR, "adjudicates disagreements"),
    DemoPerson("mia", "Mia Lindqvist", Role.ENGINEER, "trains and requests promotion"),
    DemoPerson("noah", "Noah Weber", Role.ENGINEER, "trained the live version"),
    DemoPerson("lee", "Lee Park", Role.LEAD, "approves the technical step"),
    DemoPerson("gita", "Gita Rao", Role.GOVERNANCE, "approves the governance step"),
    DemoPerson("omar", "Omar Haddad", Role.ONCALL, "deploys and rolls back"),
    DemoPerson("aida", "Aida Novak", Role.AUDITOR, "reads and verifies the audit log"),
    DemoPerson("adam", "Adam Berg", None, "manages people"),
)


def passwords_path() -> Path:
    """Where the demo passwords of this installation are."""
    return Path(settings.DATA_DIR) / "demo-passwords.json"


def passwords() -> dict[str, str]:
    """Passwords by user name; random, generated at the first call."""
    path = passwords_path()
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    made = {person.username: secrets.token_urlsafe(15) for person in PEOPLE}
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(made, file, indent=1)
    return made


def one_click_allowed(request: HttpRequest) -> bool:
    """Whether one-click sign-in is offered: this is the demo on this machine, and the browser has the start
    token.
    """
    return is_demo_here(request) and start.is_remembered(request)


def is_demo_here(request: HttpRequest) -> bool:
    """Whether DEMO is on, and both ends of the connection are this machine. A proxy that adds no headers
    passes too.
    """
    if not settings.DEMO or not is_here(request.META.get("REMOTE_ADDR", ""), request.headers):
        return False
    host = request.get_host().rpartition(":")[0] or request.get_host()
    return host.strip("[]") in ("localhost", "127.0.0.1", "::1")
