"""A version as a zip that anyone can verify and open without us: made by a job, kept for a while, handed out
as long as it is current.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import zipfile
from contextlib import suppress
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import IO
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from lifecycle.ground.compute import warm
from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training.folders import forget, local_folder, scratch
from lifecycle.runtime import bundle
from lifecycle.runtime.engine.shipped import SERVED, source
from lifecycle.runtime.refusals import Conflict, Refused, full_disk_refused
from registry.catalog import exported, queries, rules, signed_cards
from registry.catalog.actions.files import check_card, verified
from registry.catalog.models import Card, ModelVersion, PackedExport
from registry.ground.access import policy as access
from registry.ground.access.models import User
from registry.ground.artifacts.actions import CHUNK, write_folder
from registry.ground.ledger import keys
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

KIND = "catalog.export"
MB = 1_000_000
UNUSED = timedelta(days=7)  # after which an export that no one downloads is removed


def ask_export(*, version: ModelVersion, actor: User) -> Job:
    """Have a version exported with the newest revision of its card, in a job; the same job while that is
    unfinished. Where the export is there already, the job ends at once.

    Raises PermissionDenied, or Refused for a version in quarantine and for an altered card.
    """
    access.require(actor, "catalog.download", version)
    check_open(version)
    card = check_card(version)
    return enqueue(
        KIND,
        actor=actor,
        project=version.model.project,
        args={"card": str(card.uuid)},
        subject=version,
        key=f"{KIND}:{card.uuid}",
    )


def run_export(ctx: JobContext) -> None:
    """The job: lay the files out, verify them, pack and sign them, and only then put the zip where it is
    downloaded from.

    Nothing is recorded: nothing leaves the server before someone downloads it. Raises Refused for a version
    in quarantine, one whose damage is found now included, for an altered card, and for a full disk; NotReady
    where the engine that puts weights together cannot answer now.
    """
    card = Card.objects.select_related(
        "version__model__project", "version__folder", "version__run__base__folder"
    ).get(uuid=ctx.args["card"])
    check_open(card.version)
    if keep(card):
        return
    signed_cards.check(card)
    forget(ctx.job)  # what a worker left that was lost
    try:
        with full_disk_refused(
            "The server's disk is full, so the version wasn't exported.",
            next_step="Free some space, then export it again.",
        ):
            publish(ctx, card, pack(ctx, card, scratch(ctx.job)))
    finally:
        if not ctx.lost:  # else it is that of the worker that took the job over
            forget(ctx.job)


@transaction.atomic
def keep(card: Card) -> bool:
    """Whether the export is there, which is then kept for another week."""
    locked(card.version)
    return queries.made_export(card) is not None and bool(
        PackedExport.objects.filter(card=card).update(used_at=timezone.now())
    )


def pack(ctx: JobContext, card: Card, place: Path) -> Path:
    """The zip of a version, verified just now, in the folder `place`: model/ and card/ with their signatures,
    what other tools open it by, the public key, how to verify without us, and a signature over all of it.
    """
    packed = place / "export.zip"
    ctx.progress(0, stage="Verifying files")
    with verified(card.version, scratch=place) as (model, _):
        whole = model.parent
        ctx.raise_if_cancelled()
        ctx.progress(0, stage="Merging weights")
        put_beside(card, whole)
        ctx.raise_if_cancelled()
        ctx.progress(0, stage="Signing")
        bundle.sign(whole, keys.private_key_path())
        paths = sorted(path for path in whole.rglob("*") if path.is_file())
        done, total = 0, sum(path.stat().st_size for path in paths)
        with packed.open("xb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for path in paths:
                    entry = zipfile.ZipInfo.from_file(path, path.relative_to(whole).as_posix())
                    with path.open("rb") as original, archive.open(entry, "w") as member:
                        while chunk := original.read(CHUNK):
                            ctx.raise_if_cancelled()
                            member.write(chunk)
                            done += len(chunk)
                            ctx.progress(done // MB, total // MB, stage="Packing", unit="MB")
            file.flush()
            os.fsync(file.fileno())
    return packed


@transaction.atomic
def publish(ctx: JobContext, card: Card, packed: Path) -> None:
    """Put the zip, whole, where it is downloaded from. Raises Refused for a version that was quarantined
    meanwhile, Conflict for one whose card has a newer revision.
    """
    ctx.hold()
    check_current(card, locked(card.version))
    target = queries.export_path(card)
    target.parent.mkdir(exist_ok=True)
    os.replace(packed, target)
    now = {"stamp": queries.stamp_of(target.stat()), "used_at": timezone.now()}
    PackedExport.objects.update_or_create(card=card, defaults=now)


def download(*, version: ModelVersion, actor: User) -> IO[bytes]:
    """The export of a version with the newest revision of its card, as an open file at its beginning. The
    download is an Event.

    Raises PermissionDenied, Refused for a version in quarantine and for an altered card, Conflict where it
    was not exported yet, or was changed since: exported again, it is packed again.
    """
    access.require(actor, "catalog.download", version)
    check_open(version)
    card = check_card(version)  # ahead of the lock
    with transaction.atomic():
        version = locked(version)
        check_current(card, version)
        packed = open_packed(card)
        record(
            actor,
            Verb.VERSION_EXPORTED,
            version,
            project=version.model.project.uuid,
            root_digest=version.root_digest,
            card=card.digest,
        )
        PackedExport.objects.filter(card=card).update(used_at=timezone.now())
    return packed


def open_packed(card: Card) -> IO[bytes]:
    """The zip as it was packed. Raises Conflict where there is none."""
    with suppress(FileNotFoundError):
        packed = queries.export_path(card).open("rb")
        if queries.is_as_packed(card, os.fstat(packed.fileno())):
            return packed
        packed.close()
    raise Conflict(
        f"{card.version} isn't exported yet.", next_step="Export it, then download it when the job finishes."
    )


def sweep_exports(now: datetime) -> int:
    """Remove the exports that no one has asked for or downloaded for a week, those of earlier revisions of a
    card, and those of versions in quarantine. Returns how many.
    """
    found = {
        path.stem: path for path in queries.exports_folder().glob("????????-????-????-????-????????????.zip")
    }
    later = Card.objects.filter(version=OuterRef("version"), revision__gt=OuterRef("revision"))
    rows = Card.objects.filter(~Exists(later), uuid__in=found).exclude(version__state=rules.State.QUARANTINED)
    current = {str(uuid): used_at for uuid, used_at in rows.values_list("uuid", "packed_export__used_at")}
    swept = 0
    for name, path in found.items():
        if name not in current:
            path.unlink(missing_ok=True)
            swept += 1
        elif (used_at := current[name]) is None or used_at < now - UNUSED:
            swept += remove_unused(UUID(name), now)
    return swept


@transaction.atomic
def remove_unused(uuid: UUID, now: datetime) -> bool:
    """Remove the export of a card unless it was packed, asked for or downloaded meanwhile. Returns whether it
    was removed.
    """
    card = Card.objects.select_related("version").get(uuid=uuid)
    locked(card.version)
    if PackedExport.objects.filter(card=card, used_at__gte=now - UNUSED).exists():
        return False
    queries.export_path(card).unlink(missing_ok=True)
    return True


def locked(version: ModelVersion) -> ModelVersion:
    """The version, its row locked: no card and no quarantine comes in between."""
    rows = ModelVersion.objects.select_for_update(of=("self",), no_key=True).select_related("model__project")
    return rows.get(pk=version.pk)


def check_open(version: ModelVersion) -> None:
    """Raises Refused for a version in quarantine."""
    if version.state == rules.State.QUARANTINED:
        raise Refused(
            f"{version} is quarantined and can't be downloaded: {version.state_reason}",
            next_step="Choose an active version.",
        )


def check_current(card: Card, version: ModelVersion) -> None:
    """Raises Refused for a version in quarantine, Conflict for a card that has a newer revision."""
    check_open(version)
    if queries.newest_card(version) != card:
        raise Conflict(
            f"The model card of {version} has a newer revision.", next_step="Export the version again."
        )


def put_beside(card: Card, whole: Path) -> None:
    """Write what an export has beside `model/`, in the folder that holds it."""
    version, text, facts, public = card.version, card.text, card.version.facts, keys.public_key_path()
    base = base_beside(version, whole)
    plain = plain_beside(version, whole)
    files = {
        "README.md": exported.readme(text, facts, plain, base),
        "model/README.md": text,
        "VERIFY.md": exported.VERIFY.format(
            fingerprint=bundle.fingerprint(public), root_digest=version.root_digest
        ),
        "signing.pub.pem": public.read_text(encoding="utf-8"),
    }
    if plain.loader:
        files["transformers/README.md"] = text
    if rules.task_type(facts).labels_texts:
        files |= {
            "MLmodel": exported.mlmodel(
                facts, str(version.uuid), version.registered_at, platform.python_version()
            ),
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
    """Lay the base model out where the adapter's own file names it. Returns that place, empty where there is
    none.
    """
    adapter, base = whole / "model" / "adapter_config.json", version.run.base.folder
    if base is None or not adapter.is_file():
        return ""
    described = json.loads(adapter.read_text(encoding="utf-8"))
    place = (
        exported.base_place(str(described.get("base_model_name_or_path", "")))
        if described.get("peft_type") != "BOTTLENECK"
        else ""
    )
    if place:
        (whole / place).parent.mkdir(parents=True, exist_ok=True)
        write_folder(base, whole / place)
    return place


def plain_beside(version: ModelVersion, whole: Path) -> exported.Plain:
    """Have the engine put the weights together for transformers, where the version is of a kind that needs
    it.
    """
    model = whole / "model"
    if not exported.wants_plain(version.facts):
        return exported.Plain()
    if not (model / "tokenizer.json").is_file():
        return exported.Plain(why="The version has no tokenizer.json.")
    run = version.run
    base = local_folder("bases", run.base.folder) if run.base.folder and run.strategy != "full" else None
    try:
        result = warm.plain(
            model, whole / "transformers", base=base, base_name=rules.base_name(version.facts)
        )
    except Refused as refusal:
        shutil.rmtree(whole / "transformers", ignore_errors=True)
        return exported.Plain(why=refusal.message)
    return exported.Plain(result["loader"], result["trust"])
