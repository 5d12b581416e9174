"""Receiving a file: it's only stored by digest."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files.base import File
from django.db import transaction

from datasets_app.datasets.importing import readers, sniffing
from datasets_app.datasets.models import Dataset, Upload
from datasets_app.datasets.rules import Provenance
from lifecycle.runtime.refusals import Refused, full_disk_refused
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts
from registry.ground.artifacts.models import Blob

CHUNK = 1 << 20
EMPTY = Provenance()
disk_checked = partial(
    full_disk_refused,
    "The server's disk is full, so the file wasn't saved.",
    next_step="Contact your administrator, then upload it again.",
)


def receive_upload(
    *,
    dataset: Dataset,
    actor: User,
    file: File[Any] | IO[bytes] | Path,
    file_name: str,
    origin: str = "",
    provenance: Provenance | None = None,
) -> Upload:
    """Store an uploaded file. file: an uploaded or open binary file, or a path. provenance: if more than the
    origin is known.

    Raises PermissionDenied, or Refused if it's empty, too large or unsupported, or the disk is full; then
    nothing is stored.
    """
    policy.require(actor, "datasets.upload", dataset)
    provenance = (provenance or Provenance(origin=origin[:200])).checked()
    if isinstance(file, Path):
        return save_upload(dataset, actor, file, file_name, provenance)
    chunks = file.chunks(CHUNK) if isinstance(file, File) else iter(lambda: file.read(CHUNK), b"")
    return receive_stream(
        dataset=dataset, actor=actor, chunks=chunks, file_name=file_name, provenance=provenance
    )


def receive_stream(
    *, dataset: Dataset, actor: User, chunks: Iterable[bytes], file_name: str, provenance: Provenance = EMPTY
) -> Upload:
    """Store a streamed file in constant memory; stops at the size limit. Raises as receive_upload."""
    policy.require(actor, "datasets.upload", dataset)
    provenance = provenance.checked()
    with temp_file(chunks) as path:
        return save_upload(dataset, actor, path, file_name, provenance)


@contextmanager
def temp_file(chunks: Iterable[bytes]) -> Iterator[Path]:
    """Write chunks to a temporary file and yield its path. Raises Refused over the size limit or for a full
    disk.
    """
    with disk_checked(), tempfile.NamedTemporaryFile(prefix="upload-") as scratch:
        size = 0
        for chunk in chunks:
            size += len(chunk)
            check_size(size)
            scratch.write(chunk)
        scratch.flush()
        yield Path(scratch.name)


def save_upload(dataset: Dataset, actor: User, path: Path, file_name: str, provenance: Provenance) -> Upload:
    """Store the bytes by digest and create the upload."""
    blob = store(path)
    with transaction.atomic():
        return Upload.objects.create(
            dataset=dataset,
            blob=blob,
            file_name=clean_name(file_name),
            size=blob.size,
            uploaded_by=actor,
            **asdict(provenance),
        )


def store(path: Path) -> Blob:
    """Check a file and store its bytes by digest. Raises Refused."""
    check_file(path)
    with disk_checked():
        return artifacts.put_file(
            path, media_type="application/octet-stream" if sniffing.is_packed(path) else "text/plain"
        )


def check_size(size: int) -> None:
    """Raises Refused over the limit."""
    if size > settings.UPLOAD_MAX_BYTES:
        limit = settings.UPLOAD_MAX_BYTES // 1024**2
        raise Refused(
            f"The file is larger than {limit:,} MB.",
            next_step="Split it, or ask your administrator to raise UPLOAD_MAX_MB.",
        )


def check_file(path: Path) -> None:
    """Raises Refused for a file that is empty, too large or unsupported, or a hostile archive."""
    size = path.stat().st_size
    if size == 0:
        raise Refused(
            "The file is empty.",
            next_step="Choose a file with a row of column names and at least one row below.",
        )
    check_size(size)
    if fault := readers.find_fault(path, settings.UPLOAD_MAX_BYTES):
        raise Refused(fault.sentence, next_step=fault.fix)


def clean_name(name: str) -> str:
    """The last part of a file's name, without control characters, in 200 characters that keep its ending."""
    base = (
        "".join(
            character for character in os.path.basename(name.replace("\\", "/")) if character.isprintable()
        ).strip()
        or "file"
    )
    return base if len(base) <= 200 else base[:180] + base[-20:]
