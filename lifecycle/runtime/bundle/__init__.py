"""Model folders as evidence: what is in them, one digest for all of it, a signature anyone can check. No
Django.

The signature is an OpenSSF model signature (OMS), so `model_signing verify key` confirms the same folder
without this product.
"""

from __future__ import annotations

from lifecycle.runtime.bundle.documents import canonical_json, sign_document, verify_document
from lifecycle.runtime.bundle.files import (
    SIGNATURE_NAME,
    File,
    Manifest,
    manifest,
    read_verified,
    root_digest,
    stamps,
)
from lifecycle.runtime.bundle.intake import accept_model_folder
from lifecycle.runtime.bundle.keys import ensure_key, fingerprint, generate_key, public_path
from lifecycle.runtime.bundle.signing import sign, verify

__all__ = [
    "SIGNATURE_NAME",
    "File",
    "Manifest",
    "accept_model_folder",
    "canonical_json",
    "ensure_key",
    "fingerprint",
    "generate_key",
    "manifest",
    "public_path",
    "read_verified",
    "root_digest",
    "sign",
    "sign_document",
    "stamps",
    "verify",
    "verify_document",
]
