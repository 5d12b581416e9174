from __future__ import annotations

from dataclasses import fields
from uuid import uuid4

from django.conf import settings
from django.db import models
from guardian.models import GroupObjectPermissionBase

from datasets_app.datasets.rules import Provenance, UploadState, place
from lifecycle.runtime.task_types.by_key import types
from lifecycle.runtime.task_types.task_type import TaskType
from registry.ground.access.models import Project
from registry.ground.access.roles import PERMISSIONS
from registry.ground.artifacts.models import Blob


class Dataset(models.Model):
    """Texts for one task. Its name may change; items are only ever added."""

    project_path = "project"
    root_path = "pk"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="datasets")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=80)
    description = models.TextField(blank=True)
    task = models.CharField(max_length=20, choices=types.choices, default=types.DEFAULT)
    language = models.CharField(max_length=20, blank=True)
    licence = models.CharField(max_length=80, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    items_total = models.PositiveBigIntegerField(default=0, help_text="visible items, updated by the import")

    class Meta:
        permissions = PERMISSIONS
        constraints = [models.UniqueConstraint(fields=["project", "slug"], name="one_dataset_per_slug")]

    def __str__(self) -> str:
        return self.name

    @property
    def task_type(self) -> TaskType:
        """The type of its task."""
        return types.type_of(self.task)


class DatasetGrant(GroupObjectPermissionBase):
    """A role, as a permission of a group on one dataset."""

    content_object = models.ForeignKey(Dataset, on_delete=models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        abstract = False


class Upload(models.Model):
    """An uploaded file, its parsing, and its result. The file is stored by digest; its owner never
    changes.
    """

    append_only = True
    changeable = (
        "state", "encoding", "parser", "delimiter", "has_header", "mapping", "label_values", "labels_as",
        "contradicting", "default_split", "report", "origin", "collected_from", "collected_until",
        "collected_how", "licence", "consent", "synthetic", "generator", "accepted_by", "accepted_at",
        "imported_at", "rows_read", "rows_new", "rows_duplicate", "rows_failed",
    )  # fmt: skip
    project_path = "dataset__project"
    root_path = "dataset"

    State = UploadState

    class Labels(models.TextChoices):
        DECISIONS = "decisions", "Resolved labels: adjudicated by the person who accepts the upload"
        SUGGESTIONS = "suggestions", "Pre-labels: annotators still label"

    class Contradicting(models.TextChoices):
        ASK = "", "Ask before import"
        FIRST = "first", "Keep the first label"
        UNLABELED = "unlabeled", "Leave unlabeled"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="uploads")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    file_name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.RECEIVED)
    encoding = models.CharField(max_length=20, blank=True)
    parser = models.CharField(max_length=20, blank=True, help_text="one of importing.readers.PARSERS")
    delimiter = models.CharField(max_length=4, blank=True)
    has_header = models.BooleanField(default=True, help_text="whether the first row has the column names")
    mapping = models.JSONField(
        default=dict, help_text="column of the file → text, label, id, group, time, split, metadata, ignore"
    )
    label_values = models.JSONField(
        default=dict, help_text="value of the label column → name of a label or choice; empty: no label"
    )
    labels_as = models.CharField(max_length=12, choices=Labels.choices, default=Labels.DECISIONS)
    contradicting = models.CharField(
        max_length=12,
        choices=Contradicting.choices,
        default=Contradicting.ASK,
        blank=True,
        help_text="what happens to equal texts with different labels without an annotator column",
    )
    default_split = models.CharField(max_length=12, blank=True, help_text="split of rows that have none")
    report = models.JSONField(
        default=dict,
        help_text="results of the dry run and the import: counts and the first problems with their lines",
    )
    origin = models.CharField(max_length=200, blank=True, help_text="source of the file, from the uploader")
    collected_from = models.DateField(null=True, help_text="first day of collection")
    collected_until = models.DateField(null=True, help_text="last day of collection")
    collected_how = models.CharField(max_length=300, blank=True, help_text="collection method")
    licence = models.CharField(max_length=80, blank=True, help_text="licence of the texts")
    consent = models.CharField(
        max_length=300, blank=True, help_text="what the authors agreed to, or why no consent is needed"
    )
    synthetic = models.BooleanField(default=False, help_text="whether the texts are synthetic")
    generator = models.CharField(
        max_length=200, blank=True, help_text="program or model that made synthetic texts"
    )
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    accepted_at = models.DateTimeField(null=True)
    imported_at = models.DateTimeField(null=True)
    rows_read = models.PositiveBigIntegerField(default=0)
    rows_new = models.PositiveBigIntegerField(default=0)
    rows_duplicate = models.PositiveBigIntegerField(default=0)
    rows_failed = models.PositiveBigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["dataset", "-id"], name="upload_newest")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(synthetic=True) | models.Q(generator=""),
                name="only_synthetic_has_generator",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def provenance(self) -> Provenance:
        """Provenance of its texts."""
        return Provenance(**{field.name: getattr(self, field.name) for field in fields(Provenance)})


class Item(models.Model):
    """One text of a dataset, identified by the digest of its content. Never changed; visible once its upload
    is imported.
    """

    append_only = True
    deletable_when = (
        "EXISTS (SELECT 1 FROM datasets_upload u WHERE u.id = OLD.upload_id AND u.state <> 'imported')"
    )
    project_path = "dataset__project"
    root_path = "dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    # item_order holds it
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, db_index=False, related_name="items")
    # so does item_upload
    upload = models.ForeignKey(Upload, on_delete=models.PROTECT, db_index=False, related_name="items")
    member = models.CharField(
        max_length=200, db_default="", default="", blank=True, help_text="the file inside an uploaded archive"
    )
    line = models.PositiveBigIntegerField(
        help_text="first line of the row in its file, or its number, from 1"
    )
    text = models.TextField(
        help_text="the text to label; for a chat or responses, their text for display and search"
    )
    content = models.JSONField(
        null=True,
        help_text='{"messages"} of a chat, {"prompt", "responses"} to compare; null for a plain text',
    )
    digest = models.CharField(max_length=64, help_text="sha256 of the canonical content")
    normal_digest = models.CharField(
        max_length=64,
        help_text=(
            "sha256 after NFKC, case folding, and removal of punctuation and repeated blanks: equal means"
            " duplicate"
        ),
    )
    external_id = models.CharField(max_length=200, blank=True)
    group = models.CharField(
        max_length=200, blank=True, help_text="rows of one group are always in the same split"
    )
    event_time = models.DateTimeField(null=True)
    split = models.CharField(
        max_length=12, blank=True, help_text="train, validation, or test, if given in the file"
    )
    metadata = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "digest"], name="one_item_per_content")]
        indexes = [
            models.Index(fields=["dataset", "id"], name="item_order"),
            models.Index(fields=["dataset", "normal_digest"], name="item_duplicates"),
            models.Index(fields=["upload", "id"], name="item_upload"),
        ]

    def __str__(self) -> str:
        return f"item {self.digest[:8]}"

    @property
    def position(self) -> str:
        """Its position in its upload: "line 7", or "row 7 of data/train.parquet" in an archive."""
        return (
            f"{place(self.upload.parser).lower()} {self.line:,}{f' of {self.member}' if self.member else ''}"
        )


class Slice(models.Model):
    """Filters on the items of a dataset, under a name. It's evaluated each time it's used."""

    project_path = "dataset__project"
    root_path = "dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="slices")
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=300, blank=True)
    filters = models.JSONField(
        help_text="value by field name, as in the URL of the list; see `ports.ItemFilter`"
    )
    shared = models.BooleanField(
        default=False, help_text="whether everyone with access to the dataset sees it"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    size = models.PositiveBigIntegerField(null=True, help_text="items at the last count; null: never counted")
    counted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "created_by", "name"], name="one_slice_per_name")
        ]

    def __str__(self) -> str:
        return self.name


class Export(models.Model):
    """An export of filtered items with their texts. The bytes are stored by digest. Only its requester can
    get it, since filters may use data hidden from others, such as annotators.
    """

    append_only = True
    project_path = "dataset__project"
    root_path = "dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="item_exports")
    filters = models.JSONField(help_text="as for a slice; empty: all items")
    words = models.TextField(blank=True, help_text="descriptions of the filters at that time")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    items = models.PositiveBigIntegerField()
    neutralised = models.PositiveBigIntegerField(
        default=0, help_text="cells escaped because a spreadsheet would run them as formulas"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["dataset", "created_by", "-id"], name="item_export_newest")]

    def __str__(self) -> str:
        return f"items of {self.dataset}"

    @property
    def file_name(self) -> str:
        """Its file name for downloads."""
        return f"{self.dataset.slug}-items.csv"
