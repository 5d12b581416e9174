"""The files of a version: laid out, verified, handed to the inference server, exported."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lifecycle import bundle
from lifecycle.refusals import Damaged, Refused
from registry.access import policy as access
from registry.access.models import User
from registry.artifacts.actions import write_folder
from registry.artifacts.models import Folder
from registry.catalog import queries
from registry.catalog.actions.quarantine import quarantine
from registry.catalog.models import ModelVersion, VerifiedCopy
from registry.ledger import keys
from registry.ledger.actions import record
from registry.ledger.verbs import Verb

VERIFY = """# Verify this model without the server that exported it

The folder `model/` carries an OpenSSF model signature over every file in it (`model/model.sig`), made with the key `signing.pub.pem`.

    pip install model-signing pyopenssl
    model_signing verify key --signature model/model.sig --public_key signing.pub.pem model

Compare the key with the one that the owner of the model publishes elsewhere. Its fingerprint, sha256 of the DER form, is

    {fingerprint}

The root digest of the model, sha256 over the raw digests of its files in order of name, is

    {root_digest}
"""


@contextmanager
def laid_out(folder: Folder, signature: str = "") -> Iterator[Path]:
    """The files in a folder of their own that is gone afterwards, with model.sig where there is one. Raises Refused for damaged bytes."""
    scratch = Path(settings.DATA_DIR) / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as workplace:
        target = write_folder(folder, Path(workplace) / "model")
        if signature:
            (target / bundle.SIGNATURE_NAME).write_text(signature, encoding="utf-8")
        yield target


@contextmanager
def verified(version: ModelVersion) -> Iterator[tuple[Path, bundle.Manifest]]:
    """A version's files and signature in a folder of their own, every file hashed again, with their manifest.

    Raises Damaged naming what is wrong, and the version is then quarantined; Refused where bytes or the key are missing, which a restore
    mends. Call it outside a transaction, so that the quarantine stays.
    """
    check_key(version)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(laid_out(version.folder, version.signature))
            listed = bundle.verify(folder, keys.public_key_path(), expected_root=version.root_digest)
        except Damaged as refusal:
            quarantine(version_id=version.uuid, reason=refusal.message, actor=None)
            raise
        yield folder, listed


def verify(version: ModelVersion) -> bundle.Manifest:
    """The manifest of a version whose every file was hashed again and whose signature holds. Raises as `verified`."""
    with verified(version) as (_, listed):
        return listed


def check_key(version: ModelVersion) -> None:
    """Raises Refused where the installation's key is not the one that signed the version: a lost key is no damage to the version."""
    if bundle.fingerprint(keys.public_key_path()) != version.key_fingerprint:
        key = version.key_fingerprint[:12]
        raise Refused(f"{version} was signed with key {key}, which is not this installation's key.", next_step="Restore the signing key.")


def materialise(version: ModelVersion) -> Path:
    """DATA_DIR/serving/artifacts/<root digest>/ with the version's files and signature, read-only and verified just now.

    Whole or not at all, and safe to call twice; a damaged copy is laid out again from the store. Raises Refused for a version that is not
    active or whose stored bytes do not hold any more; that one is quarantined. Call it outside a transaction.
    """
    if version.state != ModelVersion.State.ACTIVE:
        raise Refused(f"{version} is {version.get_state_display().lower()} and is not served.", next_step="Choose an active version.")
    target = served_folder(version)
    if is_intact(version):
        return target
    with verified(version) as (folder, _):
        for path in folder.rglob("*"):
            if path.is_file():
                path.chmod(0o440)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(folder, target)
        except OSError:
            if not is_intact(version):
                raise
    return target


def served_folder(version: ModelVersion) -> Path:
    """Where the inference servers find the version's files."""
    return Path(settings.DATA_DIR) / "serving" / "artifacts" / version.root_digest


def is_intact(version: ModelVersion) -> bool:
    """Whether the servers' folder holds exactly the version's files with a valid signature, every file hashed. If so, it is remembered."""
    try:
        verify_copy(version)
    except (Refused, OSError):
        return False
    return True


def verify_copy(version: ModelVersion) -> None:
    """Hash the files that the servers were given, and remember that they hold.

    Raises Damaged naming what was changed or added, Refused for what is missing. What changes while it is hashed is not remembered.
    """
    folder, key = served_folder(version), keys.public_key_path()
    before = bundle.stamps(folder)
    bundle.verify(folder, key, expected_root=version.root_digest)
    if bundle.stamps(folder) == before:
        found = {"stamps": before, "key_fingerprint": bundle.fingerprint(key), "verified_at": timezone.now()}
        VerifiedCopy.objects.update_or_create(version=version, defaults=found)


def is_remembered(version: ModelVersion) -> bool:
    """Whether the files that the servers were given are those that were last verified, told by their stamps: nothing is hashed."""
    copy = VerifiedCopy.objects.filter(version=version).first()
    if copy is None:
        return False
    try:
        key = bundle.fingerprint(keys.public_key_path())
        return bool(copy.key_fingerprint == key and copy.stamps == bundle.stamps(served_folder(version)))
    except (Refused, OSError):
        return False


def export(*, version: ModelVersion, actor: User) -> IO[bytes]:
    """A zip of the version, verified just now: model/ with its signature, the card, the public key and how to verify without us.

    Returns an open file at its beginning; it is gone once closed. The export is an Event. Raises Refused for a version in quarantine, one
    whose damage is found now included. Call it outside a transaction.
    """
    access.require(actor, "catalog.download", version)
    if version.state == ModelVersion.State.QUARANTINED:
        raise Refused(f"{version} is quarantined and can't be downloaded: {version.state_reason}", next_step="Choose an active version.")
    card = queries.newest_card(version)
    public = keys.public_key_path()
    about = VERIFY.format(fingerprint=bundle.fingerprint(public), root_digest=version.root_digest)
    packed = tempfile.TemporaryFile()  # noqa: SIM115  handed to the caller, who closes it
    with verified(version) as (folder, _), zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("README.md", card.text if card else "")
        archive.writestr("VERIFY.md", about)
        archive.writestr("signing.pub.pem", public.read_bytes())
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, f"model/{path.relative_to(folder).as_posix()}")
    with transaction.atomic():
        record(actor, Verb.VERSION_EXPORTED, version, project=version.model.project.uuid, root_digest=version.root_digest)
    packed.seek(0)
    return packed
