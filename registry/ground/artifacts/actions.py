"""Keeping and fetching bytes by digest, on any Django storage (a folder, S3)."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.core.files import File
from django.core.files.storage import storages

from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Damaged, Refused
from registry.ground.artifacts.models import Blob, Folder

CHUNK = 1 << 20


def key(digest: str) -> str:
    """Where the storage keeps a blob: two levels of folders keep each of them small."""
    return f"{digest[:2]}/{digest[2:4]}/{digest}"


def put_file(path: Path, *, media_type: str = "application/octet-stream") -> Blob:
    """Keep the bytes of a local file; the same bytes twice are one blob. Streams in flat memory."""
    digest = file_digest(path)
    store(path, digest)
    blob, _ = Blob.objects.get_or_create(
        digest=digest, defaults={"size": path.stat().st_size, "media_type": media_type}
    )
    return blob


def store(path: Path, digest: str) -> None:
    """Copy a file into the storage, unless it is there whole. What a full disk or a crash left of it half
    written is written again.
    """
    storage = storages["blobs"]
    name = key(digest)
    if storage.exists(name):
        if storage.size(name) == path.stat().st_size:
            return
        storage.delete(name)
    try:
        with path.open("rb") as file:
            storage.save(name, File(file))
    except OSError:
        storage.delete(name)
        raise


def put_bytes(content: bytes, *, media_type: str = "application/octet-stream") -> Blob:
    """Keep some bytes that are already in memory."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return put_file(Path(file.name), media_type=media_type)


def open_blob(digest: str) -> BinaryIO:
    """The bytes of a blob as an open binary file. Raises Refused when the store has lost them."""
    try:
        return storages["blobs"].open(key(digest), "rb")  # type: ignore[return-value]
    except FileNotFoundError as error:
        raise Refused(
            f"The bytes {digest[:12]} are not in the store.",
            next_step="Restore the blob store from its backup.",
        ) from error


@contextmanager
def local_copy(digest: str) -> Iterator[Path]:
    """A local path with the bytes of a blob, verified against its digest; it may be the store's own file, so
    never write to it.
    """
    storage = storages["blobs"]
    try:
        path = Path(storage.path(key(digest)))
    except NotImplementedError:
        with tempfile.NamedTemporaryFile() as file:
            copy_blob(digest, Path(file.name))
            yield Path(file.name)
        return
    if not path.exists() or file_digest(path) != digest:
        raise Refused(
            f"The bytes {digest[:12]} are damaged or missing.",
            next_step="Restore the blob store from its backup.",
        )
    yield path


def copy_blob(digest: str, target: Path) -> None:
    """Write a blob to a local file. Raises Refused when the bytes do not have their digest any more."""
    with open_blob(digest) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, CHUNK)
    if file_digest(target) != digest:
        raise Damaged(
            f"The bytes {digest[:12]} were altered in the store.",
            next_step="Restore the blob store from its backup.",
        )


def put_folder(path: Path) -> Folder:
    """Keep all files of a folder; equal content gives the same Folder. The signature file model.sig is left
    out, as in its own manifest.
    """
    manifest = bundle.manifest(path)
    for file in manifest.files:
        store(path / file.name, file.sha256)
    Blob.objects.bulk_create(
        (Blob(digest=file.sha256, size=file.size) for file in manifest.files), ignore_conflicts=True
    )
    folder, _ = Folder.objects.get_or_create(
        root_digest=bundle.root_digest(manifest),
        defaults={
            "files": [{"name": f.name, "sha256": f.sha256, "size": f.size} for f in manifest.files],
            "size": sum(f.size for f in manifest.files),
        },
    )
    return folder


def write_folder(folder: Folder, target: Path) -> Path:
    """Lay out a folder at target, whole or not at all: written beside it and renamed. An existing target is
    kept as it is.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".writing-"))
    try:
        for file in folder.files:
            path = scratch / file["name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            copy_blob(file["sha256"], path)
        with suppress_lost_race(target):
            os.replace(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


@contextmanager
def suppress_lost_race(target: Path) -> Iterator[None]:
    """Another process may have laid out the same folder meanwhile; equal digests, equal bytes."""
    try:
        yield
    except OSError:
        if not target.exists():
            raise


def file_digest(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
