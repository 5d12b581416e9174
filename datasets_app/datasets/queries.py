"""Reading datasets, uploads and items. Only items of imported uploads are ever shown or handed to other
rooms.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet
from django.http import Http404

from datasets_app.datasets import ports
from datasets_app.datasets.importing import dry_run, readers
from datasets_app.datasets.importing.readers import BINARY, Reading, Row
from datasets_app.datasets.models import Dataset, Export, Item, Slice, Upload
from datasets_app.datasets.rules import UploadState
from lifecycle.ground.jobs import queries as jobs
from lifecycle.runtime.refusals import Refused
from registry.ground.access import policy
from registry.ground.access.models import Project, User
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger.rules import digest_of

PAGE = 30
PREVIEW_SECONDS = 0.5  # of a processor, for the first rows of a file on a page


@dataclass(frozen=True, slots=True)
class ItemPage:
    """One page of items in the order of their keys. before, after: keys for the neighbouring pages, None
    where there is none.

    stopped: the page took so long to find that it ends early; the neighbouring page continues from there.
    """

    items: list[Item]
    before: int | None
    after: int | None
    stopped: bool = False


def datasets(user: User) -> QuerySet[Dataset]:
    """The datasets that the user may see, newest first."""
    return (
        policy.visible_to(user, Dataset, "datasets.view")
        .select_related("project", "created_by")
        .order_by("-id")
    )


def projects_for_new(user: User) -> QuerySet[Project]:
    """The projects in which the user may make a dataset."""
    return policy.visible_to(user, Project, "datasets.create").order_by("name")


def get_dataset(user: User, uuid: UUID) -> Dataset:
    """One dataset that the user may see. Raises Http404."""
    return policy.get_visible(
        user, Dataset.objects.select_related("project", "created_by"), "datasets.view", uuid=uuid
    )


def get_upload(user: User, uuid: UUID) -> Upload:
    """One upload that the user may see. Raises Http404."""
    uploads = Upload.objects.select_related("dataset__project", "blob", "uploaded_by", "accepted_by")
    return policy.get_visible(user, uploads, "datasets.view", uuid=uuid)


def get_item(user: User, uuid: UUID) -> Item:
    """One visible item. Raises Http404, also while its upload is not imported."""
    items = Item.objects.filter(upload__state=UploadState.IMPORTED).select_related(
        "dataset__project", "upload__uploaded_by", "upload__accepted_by"
    )
    return policy.get_visible(user, items, "datasets.view", uuid=uuid)


def may_read(user: User, dataset: Dataset) -> bool:
    """Whether the user may read the texts of this dataset."""
    return policy.can(user, "datasets.read_samples", dataset)


def uploads(dataset: Dataset, limit: int = 50) -> list[Upload]:
    """The newest uploads that were not discarded."""
    rows = dataset.uploads.exclude(state=UploadState.DISCARDED).select_related(
        "uploaded_by", "accepted_by", "blob"
    )
    return list(rows.order_by("-id")[:limit])


def items(dataset: Dataset) -> QuerySet[Item]:
    """The visible items of a dataset, oldest first."""
    return Item.objects.filter(dataset=dataset, upload__state=UploadState.IMPORTED).order_by("id")


def item_page(
    rows: QuerySet[Item], *, before: int | None = None, after: int | None = None, size: int = PAGE
) -> ItemPage:
    """A page of items, newest first. before: only older than this key; after: only newer."""
    if after is not None:
        found = list(rows.filter(id__gt=after).order_by("id")[: size + 1])
        shown = found[:size][::-1]
        return ItemPage(shown, shown[-1].pk if shown else None, shown[0].pk if len(found) > size else None)
    older = rows.filter(id__lt=before) if before is not None else rows
    found = list(older.order_by("-id")[: size + 1])
    shown = found[:size]
    return ItemPage(
        shown,
        shown[-1].pk if len(found) > size else None,
        shown[0].pk if shown and before is not None else None,
    )


def slices(user: User) -> QuerySet[Slice]:
    """The slices that the user may see: their own and shared ones, newest first."""
    rows = policy.visible_to(user, Slice, "datasets.view").filter(Q(shared=True) | Q(created_by=user))
    return rows.select_related("dataset__project", "created_by").order_by("-id")


def get_slice(user: User, uuid: UUID) -> Slice:
    """One slice that the user may see. Raises Http404."""
    if (row := slices(user).filter(uuid=uuid).first()) is None:
        raise Http404("This slice doesn't exist, or you don't have access.")
    return row


def find_slice(user: User, dataset: Dataset, uuid: UUID | None) -> Slice:
    """The slice of a dataset that a form names, one that the user may see. Raises Refused, naming the
    field.
    """
    found = slices(user).filter(dataset=dataset, uuid=uuid).first() if uuid else None
    if found is None:
        message = "Choose a slice of this dataset."
        raise Refused(message, fields={"slice": [message]})
    return found


def may_change(user: User, row: Slice) -> bool:
    """Whether the user may rename, share or delete the slice: it's their own, or it's shared and they manage
    shared slices.
    """
    return row.created_by_id == user.pk or (row.shared and policy.can(user, "datasets.manage_slices", row))


def exports(user: User, dataset: Dataset, limit: int = 20) -> list[Export]:
    """The newest item exports of a dataset that the user requested."""
    return list(
        Export.objects.filter(dataset=dataset, created_by=user)
        .select_related("dataset", "blob")
        .order_by("-id")[:limit]
    )


def get_export(user: User, uuid: UUID) -> Export:
    """One item export that the user requested. Raises Http404, also for another person's export."""
    rows = Export.objects.filter(created_by=user).select_related("dataset__project", "blob")
    return policy.get_visible(user, rows, "datasets.view", uuid=uuid)


def has_contents(dataset: Dataset) -> bool:
    """Whether any item of a dataset is more than a text. Reads items until it meets one: for jobs."""
    return Item.objects.filter(dataset=dataset, content__isnull=False).exists()


# One parameter for all digests: a thousand of them cost Django more than the database.
KNOWN = "SELECT digest, id, member, line, upload_id FROM datasets_item WHERE dataset_id = %s AND "
AMONG = {"postgresql": "digest = ANY(%s)", "sqlite": "digest IN (SELECT value FROM json_each(%s))"}


class Known(NamedTuple):
    """An existing item, with the fields that a repeated row needs."""

    pk: int
    member: str
    line: int
    upload_id: int


def known_items(dataset: Dataset, digests: Sequence[str]) -> dict[str, Known]:
    """The items of a dataset, visible or not yet, that have one of these digests (at most a batch)."""
    with connection.cursor() as cursor:
        given = list(digests) if connection.vendor == "postgresql" else json.dumps(digests)
        cursor.execute(KNOWN + AMONG[connection.vendor], [dataset.pk, given])
        return {digest: Known(*rest) for digest, *rest in cursor.fetchall()}


def duplicates(item: Item, limit: int = 20) -> list[Item]:
    """Other visible items of the dataset with the same normal form."""
    same = items(item.dataset).filter(normal_digest=item.normal_digest).exclude(pk=item.pk)
    return list(same.select_related("upload")[:limit])


def reading_of(upload: Upload) -> Reading:
    """How the upload is read, as chosen or found."""
    return Reading(upload.encoding, upload.parser, upload.delimiter, upload.has_header)


def first_rows(upload: Upload) -> list[Row] | None:
    """The first rows of the uploaded file, read again; empty while its encoding is unknown. None if reading
    takes too long.
    """
    if not upload.parser or not (upload.encoding or upload.parser in BINARY):
        return []
    try:
        with artifacts.local_copy(upload.blob.digest) as path, readers.within(PREVIEW_SECONDS):
            return dry_run.first_rows(path, reading_of(upload))
    except readers.TooSlow:
        return None


def is_being_checked(upload: Upload) -> bool:
    """Whether a job that checks the file is queued or running."""
    return jobs.of_subject(upload).filter(kind="datasets.inspect", finished_at=None).exists()


def imported_before(upload: Upload) -> Upload | None:
    """An upload of the same bytes with the same mapping that is already imported into the dataset."""
    same = Upload.objects.filter(
        dataset=upload.dataset_id, blob=upload.blob_id, state=UploadState.IMPORTED
    ).exclude(pk=upload.pk)
    return next(
        (
            other
            for other in same.order_by("-id")
            if other.mapping == upload.mapping and other.encoding == upload.encoding
        ),
        None,
    )


def importing_now(dataset_id: int) -> Upload | None:
    """The upload that is currently being imported into the dataset."""
    return Upload.objects.filter(dataset=dataset_id, state=UploadState.IMPORTING).first()


def known_labels(dataset: Dataset) -> list[str]:
    """The names of its labels, in their order; empty if no installed app imports labels."""
    importer = ports.label_importer()
    return list(importer.known_names(dataset)) if importer else []


def seen_digest(upload: Upload) -> str:
    """Digest of what a person accepts: the file, its parsing settings, and its column mapping."""
    return digest_of(
        [
            upload.blob.digest,
            upload.encoding,
            upload.parser,
            upload.delimiter,
            upload.has_header,
            upload.mapping,
            upload.default_split,
            upload.contradicting,
            upload.label_values,
        ]
    )
