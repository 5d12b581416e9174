"""Settings from the environment. Each reader refuses nonsense with a sentence instead of guessing."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


class BadSetting(RuntimeError):
    """An environment variable holds a value that the product cannot use; the text names it and says what is
    allowed.
    """


def env_str(name: str, default: str = "") -> str:
    """The value of NAME, or the text of the file that NAME_FILE points to (for secrets mounted as files)."""
    if file := os.environ.get(f"{name}_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadSetting(
                f"{name}_FILE points to {file}, which cannot be read: {error.strerror}."
            ) from error
    return os.environ.get(name, default)


def env_bool(name: str, default: bool) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off and the empty text."""
    value = env_str(name, str(default)).strip().lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise BadSetting(f"{name} is {value!r}; it must be one of 1, true, yes, on, 0, false, no, off.")


def env_int(name: str, default: int, *, low: int, high: int) -> int:
    """A whole number between low and high, both included."""
    value = env_str(name, str(default)).strip()
    try:
        number = int(value)
    except ValueError as error:
        raise BadSetting(f"{name} is {value!r}; it must be a whole number from {low} to {high}.") from error
    if not low <= number <= high:
        raise BadSetting(f"{name} is {number}; it must be from {low} to {high}.")
    return number


def env_float(name: str, default: float | None, *, low: float, high: float) -> float | None:
    """A number between low and high, both included; the default if unset."""
    value = env_str(name).strip()
    if not value:
        return default
    try:
        number = float(value)
    except ValueError as error:
        raise BadSetting(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}.") from error
    if not low <= number <= high:
        raise BadSetting(f"{name} is {number:g}; it must be from {low:g} to {high:g}.")
    return number


def env_list(name: str, default: list[str]) -> list[str]:
    """Comma-separated texts, blanks removed."""
    value = env_str(name, ",".join(default))
    return [part.strip() for part in value.split(",") if part.strip()]


def mail_settings(url: str) -> dict[str, object]:
    """Django's mail settings from one address: smtp://name:password@host:587?tls=1, smtps://host, or
    console:// for the log.

    Empty: nothing is sent. Raises BadSetting for any other scheme, or without a host.
    """
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadSetting(f"EMAIL_URL cannot be read: {error}.") from error
    if parts.scheme == "console":
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise BadSetting(
            "EMAIL_URL must look like smtp://name:password@mail.example.org:587?tls=1,"
            " smtps://mail.example.org or console://."
        )
    tls = dict(parse_qsl(parts.query)).get("tls", "0").lower() in TRUE
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or (465 if parts.scheme == "smtps" else 587 if tls else 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": tls and parts.scheme == "smtp",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
    }


def cache_at(url: str) -> dict[str, object]:
    """Django's cache settings: Redis for a Redis URL, else the memory of each process. Values are JSON:
    writing to Redis can't run code.
    """
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    options = {"serializer": "lifecycle.runtime.env.Json"}
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": "lifecycle",
        "OPTIONS": options,
    }


class Json:
    """Serializer of values in Redis."""

    def dumps(self, value: object) -> bytes:
        """A JSON value as bytes. Raises TypeError for any other."""
        return json.dumps(value).encode()

    def loads(self, data: bytes) -> object:
        """The value of these bytes."""
        return json.loads(data)


def secret_file(path: Path, *, size: int = 50) -> str:
    """The secret kept in a file of mode 0600; made at random at the first call of an installation."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    value = secrets.token_urlsafe(size)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process of the first start was quicker
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(value)
    return value
