"""The installation's signing key: ECDSA on P-256, PEM, the private half readable by its owner only."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lifecycle.runtime.refusals import Refused


def public_path(private: Path) -> Path:
    """The path of the public half: signing.pem -> signing.pub.pem."""
    return private.with_name(f"{private.stem}.pub.pem")


def generate_key(path: Path) -> Path:
    """Write a new private key (mode 0600) and its public half beside it, and return the public path. Refused
    if a key is there.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused(
            f"{path.name} already exists.",
            next_step="Keep it: its signatures can only be verified with its public key.",
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(private)
    return write_public(path, key.public_key())


def ensure_key(path: Path) -> Path:
    """The public path of the key at `path`; the key is generated at the first call of an installation. Safe
    to call twice.
    """
    if not path.exists():
        try:
            return generate_key(path)
        except Refused:
            pass  # another process of the first start was quicker
    if not public_path(path).exists():
        write_public(path, load_private(path).public_key())
    return public_path(path)


def fingerprint(public_key: Path) -> str:
    """The fingerprint that people compare: sha256 of the key's DER form, hex."""
    der = load_public(public_key).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def load_private(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in a PEM file. Raises Refused where there is none or it is of another kind."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise Refused(
            f"No usable private key in {path.name}.", next_step="Run `manage.py prepare`, or restore the key."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Refused(
            f"{path.name} isn't an elliptic curve key.",
            next_step="Use a P-256 key, as created by `manage.py prepare`.",
        )
    return key


def load_public(path: Path) -> ec.EllipticCurvePublicKey:
    """The public key in a PEM file. Raises Refused where there is none or it is of another kind."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Refused(
            f"No usable public key in {path.name}.", next_step="Run `manage.py prepare`, or restore the key."
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Refused(
            f"{path.name} isn't an elliptic curve key.",
            next_step="Use a P-256 key, as created by `manage.py prepare`.",
        )
    return key


def write_public(private: Path, key: ec.EllipticCurvePublicKey) -> Path:
    """Write the public half beside the private key, whole or not at all."""
    target = public_path(private)
    part = target.with_name(f"{target.name}.{os.getpid()}")
    part.write_bytes(
        key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    part.replace(target)
    return target
