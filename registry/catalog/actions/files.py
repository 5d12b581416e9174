"""The files of a version: laid out, verified, handed to the inference server."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from lifecycle.runtime import bundle
from lifecycle.runtime.engine.base import folder_digest
from lifecycle.runtime.refusals import Damaged, Refused
from registry.catalog import queries, rules, signed_cards
from registry.catalog.actions.quarantine import quarantine
from registry.catalog.models import Card, ModelVersion, VerifiedCopy
from registry.ground.artifacts.actions import write_folder
from registry.ground.artifacts.models import Folder
from registry.ground.ledger import keys


@contextmanager
def laid_out(folder: Folder, signature: str = "", *, scratch: Path | None = None) -> Iterator[Path]:
    """The files in a folder of their own that is gone afterwards, with model.sig where there is one. Raises
    Refused for damaged bytes.

    scratch: in which that folder is made, for a caller who also removes what a killed process left there.
    """
    scratch = scratch or Path(settings.DATA_DIR) / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as workplace:
        target = write_folder(folder, Path(workplace) / "model")
        if signature:
            (target / bundle.SIGNATURE_NAME).write_text(signature, encoding="utf-8")
        yield target


@contextmanager
def verified(version: ModelVersion, *, scratch: Path | None = None) -> Iterator[tuple[Path, bundle.Manifest]]:
    """A version's files and signature in a folder of their own, every file hashed again, with their manifest.
    scratch: as in `laid_out`.

    Raises Damaged naming what is wrong, and the version is then quarantined; Refused where bytes or the key
    are missing, which a restore fixes. Call it outside a transaction, so that the quarantine stays.
    """
    check_key(version)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(laid_out(version.folder, version.signature, scratch=scratch))
            listed = bundle.verify(folder, keys.public_key_path(), expected_root=version.root_digest)
        except Damaged as refusal:
            quarantine(version_id=version.uuid, reason=refusal.message, actor=None)
            raise
        yield folder, listed


def verify(version: ModelVersion) -> bundle.Manifest:
    """The manifest of a version whose every file was hashed again and whose signature holds, that of its card
    too.

    Raises as `verified`, and Refused for an altered card: the version stays active, since its files are what
    they were.
    """
    with verified(version) as (_, listed):
        check_card(version)
        return listed


def check_card(version: ModelVersion) -> Card:
    """The newest card. Raises Refused where there is none, or it isn't what was signed, or what it is written
    from was changed.
    """
    check_facts(version)
    card = queries.newest_card(version)
    if card is None:
        raise Refused(f"{version} has no model card.", next_step="Restore the database from a backup.")
    signed_cards.check(card)
    return card


def check_facts(version: ModelVersion) -> None:
    """Raises Refused where a version's facts, which its card is written from, aren't those that it was
    registered with.
    """
    if not queries.has_its_facts(version):
        sentence = f"The stored facts of {version} changed after it was registered."
        raise Refused(
            sentence, next_step="Compare it with the audit log, and restore the database from a backup."
        )


def check_key(version: ModelVersion) -> None:
    """Raises Refused where the installation's key is not the one that signed the version: a lost key is no
    damage to the version.
    """
    if bundle.fingerprint(keys.public_key_path()) != version.key_fingerprint:
        key = version.key_fingerprint[:12]
        raise Refused(
            f"{version} was signed with key {key}, which isn't this installation's key.",
            next_step="Restore the signing key.",
        )


def materialise(version: ModelVersion) -> Path:
    """DATA_DIR/serving/artifacts/<root digest>/ with the version's files and signature, read-only and
    verified just now.

    Whole or not at all, and safe to call twice; a damaged copy is laid out again from the store. Raises
    Refused for a version that is not active or whose stored bytes do not hold any more; that one is
    quarantined. Call it outside a transaction.
    """
    if version.state != ModelVersion.State.ACTIVE:
        raise Refused(
            f"{version} is {version.get_state_display().lower()} and isn't served.",
            next_step="Choose an active version.",
        )
    target = served_folder(version)
    if needs_base(version):
        lay_out_base(version)
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


def needs_base(version: ModelVersion) -> bool:
    """Whether the servers read a version's base model beside its own files: it writes text, and its weights
    are added to that model's.
    """
    return rules.task_type(version.facts).writes_text and version.facts["strategy"] != "full"


def lay_out_base(version: ModelVersion) -> Path:
    """DATA_DIR/serving/bases/<digest>/ with the files of the version's base model, whose digest its signed
    description states; a damaged copy is laid out again. Raises Refused where they are missing or differ.
    """
    base = version.run.base
    digest = base.facts["engine_digest"]
    target = Path(settings.DATA_DIR) / "serving" / "bases" / digest
    if target.exists() and folder_digest(target) == digest:
        return target
    shutil.rmtree(target, ignore_errors=True)
    if base.folder is None:
        raise Refused(
            f"The files of {base.name} are missing, which {version} is served with.",
            next_step="Add the base model again under Base models.",
        )
    write_folder(base.folder, target)
    if folder_digest(target) != digest:
        shutil.rmtree(target, ignore_errors=True)
        raise Refused(
            f"The files of {base.name} changed since {version} was trained on them.",
            next_step="Restore the base model from a backup.",
        )
    return target


def served_folder(version: ModelVersion) -> Path:
    """Where the inference servers find the version's files."""
    return Path(settings.DATA_DIR) / "serving" / "artifacts" / version.root_digest


def is_intact(version: ModelVersion) -> bool:
    """Whether the servers' folder holds exactly the version's files with a valid signature, every file
    hashed. If so, it is remembered.
    """
    try:
        verify_copy(version)
    except (Refused, OSError):
        return False
    return True


def verify_copy(version: ModelVersion) -> None:
    """Hash the files that the servers were given, and remember that they hold.

    Raises Damaged naming what was changed or added, Refused for what is missing or where the installation has
    another key. What changes while it is hashed is not remembered.
    """
    check_key(version)
    folder, key = served_folder(version), keys.public_key_path()
    before = bundle.stamps(folder)
    bundle.verify(folder, key, expected_root=version.root_digest)
    if bundle.stamps(folder) == before:
        found = {"stamps": before, "key_fingerprint": bundle.fingerprint(key), "verified_at": timezone.now()}
        VerifiedCopy.objects.update_or_create(version=version, defaults=found)


@contextmanager
def hashing_alone(version: ModelVersion) -> Iterator[bool]:
    """Whether no one else hashes the version's served files while this lasts. A process that dies lets go."""
    path = Path(settings.DATA_DIR) / "serving" / "verifying" / f"{version.root_digest}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def is_remembered(version: ModelVersion) -> bool:
    """Whether the files that the servers were given are those that were last verified, by their stamps:
    nothing is hashed.
    """
    copy = VerifiedCopy.objects.filter(version=version).first()
    if copy is None:
        return False
    try:
        key = bundle.fingerprint(keys.public_key_path())
        return bool(copy.key_fingerprint == key and copy.stamps == bundle.stamps(served_folder(version)))
    except (Refused, OSError):
        return False
