"""The installation's signing key: ECDSA P-256, private part readable by the owner alone, made by `manage.py
prepare`.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Refused
from registry.ground.ledger.models import Checkpoint


def private_key_path() -> Path:
    """DATA_DIR/keys/signing.pem; made at first use of an installation, never a second time.

    Raises Refused where it is gone although it has signed: another key would make all that it signed look
    forged.
    """
    path = Path(settings.DATA_DIR) / "keys" / "signing.pem"
    if not path.exists() and Checkpoint.objects.exists():
        raise Refused(
            f"The signing key {path} is missing, but it has signed before.",
            next_step="Restore it from the key backup.",
        )
    bundle.ensure_key(path)
    return path


def public_key_path() -> Path:
    """DATA_DIR/keys/signing.pub.pem."""
    return bundle.public_path(private_key_path())
