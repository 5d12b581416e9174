"""The files of a version: laid out, verified, handed to the inference server, exported."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lifecycle import bundle
from lifecycle.compute import warm
from lifecycle.engine.shipped import SERVED, source
from lifecycle.refusals import Damaged, Refused
from lifecycle.training.folders import local_folder
from registry.access import policy as access
from registry.access.models import User
from registry.artifacts.actions import write_folder
from registry.artifacts.models import Folder
from registry.catalog import exported, queries, rules, signed_cards
from registry.catalog.actions.quarantine import quarantine
from registry.catalog.models import Card, ModelVersion, VerifiedCopy
from registry.ledger import keys
from registry.ledger.actions import record
from registry.ledger.verbs import Verb


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
    """The manifest of a version whose every file was hashed again and whose signature holds, that of its card too.

    Raises as `verified`, and Refused for an altered card: the version stays active, since its files are what they were.
    """
    with verified(version) as (_, listed):
        check_card(version)
        return listed


def check_card(version: ModelVersion) -> Card:
    """The newest card. Raises Refused where there is none, or it isn't what was signed."""
    card = queries.newest_card(version)
    if card is None:
        raise Refused(f"{version} has no model card.", next_step="Restore the database from a backup.")
    signed_cards.check(card)
    return card


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

    Raises Damaged naming what was changed or added, Refused for what is missing or where the installation has another key. What changes
    while it is hashed is not remembered.
    """
    check_key(version)
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
    """A zip of the version, verified just now: model/ and card/ with their signatures, what other tools open it by, the public key, how to
    verify without us, and a signature over all of it.

    Returns an open file at its beginning; it is gone once closed. The export is an Event. Raises Refused for a version in quarantine, one
    whose damage is found now included, and for an altered card; NotReady where the engine that puts weights together cannot answer now.
    Call it outside a transaction.
    """
    access.require(actor, "catalog.download", version)
    if version.state == ModelVersion.State.QUARANTINED:
        raise Refused(f"{version} is quarantined and can't be downloaded: {version.state_reason}", next_step="Choose an active version.")
    card = check_card(version)
    packed = tempfile.TemporaryFile()  # noqa: SIM115  handed to the caller, who closes it
    with verified(version) as (model, _), zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        whole = model.parent
        put_beside(version, card, whole)
        bundle.sign(whole, keys.private_key_path())
        for path in sorted(path for path in whole.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(whole).as_posix())
    with transaction.atomic():
        record(actor, Verb.VERSION_EXPORTED, version, project=version.model.project.uuid, root_digest=version.root_digest, card=card.digest)
    packed.seek(0)
    return packed


def put_beside(version: ModelVersion, card: Card, whole: Path) -> None:
    """Write what an export has beside `model/`, in the folder that holds it."""
    text, facts, public = card.text, version.facts, keys.public_key_path()
    base = base_beside(version, whole)
    plain = plain_beside(version, whole)
    files = {
        "README.md": exported.readme(text, facts, plain, base),
        "model/README.md": text,
        "VERIFY.md": exported.VERIFY.format(fingerprint=bundle.fingerprint(public), root_digest=version.root_digest),
        "signing.pub.pem": public.read_text(encoding="utf-8"),
    }
    if plain.loader:
        files["transformers/README.md"] = text
    if rules.task_of(facts) in exported.FUNCTIONS:
        files |= {
            "MLmodel": exported.mlmodel(facts, str(version.uuid), version.registered_at, platform.python_version()),
            f"code/{SERVED}.py": source(SERVED),
            "requirements.txt": "".join(f"{name}=={metadata.version(name)}\n" for name in exported.NEEDED),
            "python_env.yaml": f"python: {platform.python_version()}\ndependencies:\n- -r requirements.txt\n",
        }
    for name, written in files.items():
        (whole / name).parent.mkdir(exist_ok=True)
        (whole / name).write_text(written, encoding="utf-8")
    (whole / "card").mkdir()
    for name, data in signed_cards.exported(card).items():
        (whole / "card" / name).write_bytes(data)


def base_beside(version: ModelVersion, whole: Path) -> str:
    """Lay the base model out where the adapter's own file names it. Returns that place, empty where there is none."""
    adapter, base = whole / "model" / "adapter_config.json", version.run.base.folder
    if base is None or not adapter.is_file():
        return ""
    described = json.loads(adapter.read_text(encoding="utf-8"))
    place = exported.base_place(str(described.get("base_model_name_or_path", ""))) if described.get("peft_type") != "BOTTLENECK" else ""
    if place:
        (whole / place).parent.mkdir(parents=True, exist_ok=True)
        write_folder(base, whole / place)
    return place


def plain_beside(version: ModelVersion, whole: Path) -> exported.Plain:
    """Have the engine put the weights together for transformers, where the version is of a kind that needs it."""
    model = whole / "model"
    if not exported.wants_plain(version.facts):
        return exported.Plain()
    if not (model / "tokenizer.json").is_file():
        return exported.Plain(why="The version has no tokenizer.json.")
    run = version.run
    base = local_folder("bases", run.base.folder) if run.base.folder and run.strategy != "full" else None
    try:
        told = warm.plain(model, whole / "transformers", base=base, base_name=rules.base_name(version.facts))
    except Refused as refusal:
        shutil.rmtree(whole / "transformers", ignore_errors=True)
        return exported.Plain(why=refusal.message)
    return exported.Plain(told["loader"], told["trust"])
