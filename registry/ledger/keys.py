"""The installation's signing key: ECDSA P-256, private part readable by the owner alone, made by `manage.py prepare`."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from lifecycle import bundle


def private_key_path() -> Path:
    """DATA_DIR/keys/signing.pem; made at first use of an installation."""
    path = Path(settings.DATA_DIR) / "keys" / "signing.pem"
    bundle.ensure_key(path)
    return path


def public_key_path() -> Path:
    """DATA_DIR/keys/signing.pub.pem."""
    return bundle.public_path(private_key_path())
