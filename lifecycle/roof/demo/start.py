"""The demo's start token: only the person who started it has it, so a proxy that hides its clients gives no
one one-click sign-in.

The address that `manage.py up` prints carries it. A browser needs it once and keeps a signed cookie.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

from lifecycle.runtime.env import secret_file

COOKIE, SALT = "demo_start", "lifecycle.roof.demo.start"
MAX_AGE = 365 * 24 * 3600  # seconds


def token_path() -> Path:
    """Where this installation's token is; readable by its owner alone."""
    return Path(settings.DATA_DIR) / "demo-start-token"


def token() -> str:
    """256 random bits, made at the first call of an installation."""
    return secret_file(token_path(), size=32)


def path() -> str:
    """The start address of the demo; "" without it."""
    return f"demo/start/{token()}/" if settings.DEMO else ""


def is_token(given: str) -> bool:
    """Whether this is the token, compared in constant time."""
    return constant_time_compare(given, token())


def remember(response: HttpResponse) -> None:
    """Set a cookie that proves the token: its digest, signed."""
    response.set_signed_cookie(
        COOKIE,
        digest(),
        salt=SALT,
        max_age=MAX_AGE,
        httponly=True,
        samesite="Lax",
        secure=bool(settings.SESSION_COOKIE_SECURE),
    )


def is_remembered(request: HttpRequest) -> bool:
    """Whether the browser has a cookie of the present token."""
    kept = request.get_signed_cookie(COOKIE, default="", salt=SALT, max_age=MAX_AGE) or ""
    return constant_time_compare(kept, digest())


def digest() -> str:
    """The token's digest in cookies."""
    return hashlib.sha256(token().encode("ascii")).hexdigest()
