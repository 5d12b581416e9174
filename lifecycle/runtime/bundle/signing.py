"""OpenSSF model signatures (OMS) in key mode, made and checked by the `model-signing` library."""

from __future__ import annotations

import base64
import importlib
import json
import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from lifecycle.runtime.bundle.files import (
    SIGNATURE_NAME,
    Manifest,
    check_no_empty_folder,
    manifest,
    root_digest,
    stamps_of_files,
)
from lifecycle.runtime.bundle.keys import load_private, load_public
from lifecycle.runtime.refusals import Damaged, Refused

MAX_SIGNATURE_BYTES = 5_000_000
AGAIN = "Don't use this copy. Download the registered folder again, and find out what changed it."


def sign(folder: Path, private_key: Path) -> str:
    """Write folder/model.sig over every other file and return the root digest that it covers. An older
    signature is replaced.
    """
    load_private(private_key)
    root = root_digest(manifest(folder))
    check_no_empty_folder(folder)
    config = _library("signing").Config().use_elliptic_key_signer(private_key=private_key)
    config.set_hashing_config(_hashing())
    with tempfile.TemporaryDirectory(dir=folder.parent) as workplace:
        part = Path(workplace) / SIGNATURE_NAME
        config.sign(folder, part)
        if _signed_root(_statement(part)) != root:
            raise Refused(
                f"{folder.name} changed during signing.",
                next_step="Sign it again when no process writes to it.",
            )
        os.replace(part, folder / SIGNATURE_NAME)
    return root


def verify(folder: Path, public_key: Path, *, expected_root: str | None = None) -> Manifest:
    """The manifest of a folder whose signature covers exactly the files that are there.

    expected_root: the root digest that the caller expects. Raises Refused, naming the file that was changed,
    added or removed; Damaged only if the folder didn't change meanwhile: another process may be removing it
    or writing it again.
    """
    load_public(public_key)
    signature = folder / SIGNATURE_NAME
    if not signature.is_file() or signature.is_symlink() or signature.stat().st_size > MAX_SIGNATURE_BYTES:
        raise Refused(
            f"{folder.name} has no signature ({SIGNATURE_NAME}).",
            next_step="Only registered, signed models can be used.",
        )
    before = stamps_of_files(folder)
    try:
        return _verified(folder, public_key, expected_root)
    except Damaged as damage:
        if not _has_stayed(folder, before):
            raise Refused(
                f"{folder.name} changed during verification.", next_step="Verify it again."
            ) from damage
        raise


def _has_stayed(folder: Path, before: list[list[str | int]]) -> bool:
    try:
        return stamps_of_files(folder) == before
    except (OSError, Refused):
        return False


def _verified(folder: Path, public_key: Path, expected_root: str | None) -> Manifest:
    signature = folder / SIGNATURE_NAME
    found, statement = manifest(folder), _statement(signature)
    _compare(found, statement)
    try:
        check_no_empty_folder(folder)
    except Refused as refusal:
        raise Damaged(refusal.message, next_step=AGAIN) from refusal
    config = _library("verifying").Config().use_elliptic_key_verifier(public_key=public_key)
    config.set_hashing_config(_hashing())
    try:
        config.verify(folder, signature)
    except (OSError, MemoryError):  # a full disk or too many open files: unrelated to the signature
        raise
    except (
        Exception
    ) as error:  # the library raises ValueError, KeyError and InvalidSignature, all for a failed verification
        raise Damaged(
            f"The signature of {folder.name} was made with another key or has been changed.", next_step=AGAIN
        ) from error
    root = root_digest(found)
    if _signed_root(statement) != root or (expected_root is not None and expected_root != root):
        raise Damaged(f"{folder.name} is signed, but isn't the requested model.", next_step=AGAIN)
    return found


def _compare(found: Manifest, statement: dict[str, Any]) -> None:
    """Name what differs between the folder and the list in its signature; the signature itself is checked
    afterwards.
    """
    try:
        signed = {str(item["name"]): str(item["digest"]) for item in statement["predicate"]["resources"]}
    except (KeyError, TypeError) as error:
        raise Refused("The signature lists no files.", next_step=AGAIN) from error
    there = {file.name: file.sha256 for file in found.files}
    for name in sorted(signed.keys() | there.keys()):
        if name not in there:
            raise Refused(f"{name} is missing. It was present when the model was signed.", next_step=AGAIN)
        if name not in signed:
            raise Damaged(f"{name} was added after the model was signed.", next_step=AGAIN)
        if there[name] != signed[name]:
            raise Damaged(f"{name} was changed after the model was signed.", next_step=AGAIN)


def _statement(signature: Path) -> dict[str, Any]:
    """The in-toto statement inside a signature file, not yet verified."""
    try:
        envelope = json.loads(signature.read_bytes())["dsseEnvelope"]
        statement = json.loads(base64.b64decode(envelope["payload"], validate=True))
        if not isinstance(statement, dict):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(f"{signature.name} isn't a model signature.", next_step=AGAIN) from error
    return statement


def _signed_root(statement: dict[str, Any]) -> str:
    try:
        return str(statement["subject"][0]["digest"]["sha256"])
    except (KeyError, IndexError, TypeError) as error:
        raise Refused("The signature has no subject.", next_step=AGAIN) from error


def _hashing() -> Any:
    return _library("hashing").Config().set_ignored_paths(paths=[SIGNATURE_NAME], ignore_git_paths=False)


def _library(module: str) -> ModuleType:
    """A module of model-signing. It costs 40 MB and a quarter of a second of CPU, only in processes that sign
    or verify.
    """
    return importlib.import_module(f"model_signing.{module}")
