from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets_app.datasets.models import Dataset, Item
from datasets_app.queues.models.queues import Queue
from datasets_app.scanning import rules
from datasets_app.scanning.rules import ScanKind, ScanState
from datasets_app.schemas.models.schemas import Label

USER = settings.AUTH_USER_MODEL


class Scan(models.Model):
    """A scan of a dataset for one kind of problem. Created on request; its report is written when it's
    done.
    """

    project_path = "dataset__project"
    root_path = "dataset"

    Kind = ScanKind
    State = ScanState

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="scans")
    kind = models.CharField(max_length=16, choices=ScanKind.choices)
    state = models.CharField(max_length=10, choices=ScanState.choices, default=ScanState.RUNNING)
    report = models.JSONField(
        default=dict,
        help_text="rows and issues: new, found again, no longer found; what was excluded and why",
    )
    created_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "kind"], condition=Q(state="running"), name="one_running_scan_per_kind"
            ),
        ]
        indexes = [models.Index(fields=["dataset", "-id"], name="scan_newest")]

    def __str__(self) -> str:
        return f"scan for {self.get_kind_display().lower()}"


class DuplicateGroup(models.Model):
    """Items with near-duplicate texts, found by a scan. Never changed: one item more or less makes another
    group.
    """

    append_only = True
    project_path = "dataset__project"
    root_path = "dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="duplicate_groups")
    digest = models.CharField(max_length=64, help_text="sha256 over the sorted digests of its items")
    size = models.PositiveIntegerField()
    opening = models.ForeignKey(
        Item, on_delete=models.PROTECT, related_name="+", help_text="the first of its items"
    )
    scan = models.ForeignKey(
        Scan, on_delete=models.PROTECT, related_name="+", help_text="the first scan that found it"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "digest"], name="one_group_per_items")]

    def __str__(self) -> str:
        return f"group {self.digest[:8]}"


class GroupMember(models.Model):
    """One item of a group."""

    append_only = True

    group = models.ForeignKey(DuplicateGroup, on_delete=models.PROTECT, related_name="members")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="duplicate_groups")
    nearest = models.FloatField(
        help_text="Jaccard similarity to the text that links it to the group, 0.8 to 1"
    )
    first = models.FloatField(help_text="Jaccard similarity to the group's first text, 0 to 1")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "item"], name="one_place_in_a_group")]

    def __str__(self) -> str:
        return f"item {self.item_id} in group {self.group_id}"


class Finding(models.Model):
    """A likely problem of an item or a group, for people to review. It changes no label; its status stays
    across scans.
    """

    project_path = "dataset__project"
    root_path = "dataset"

    Kind = rules.Kind
    Status = rules.Status

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="findings")
    kind = models.CharField(max_length=16, choices=rules.Kind.choices)
    key = models.CharField(max_length=64, help_text="digest of the issue: the same in every scan")
    item = models.ForeignKey(Item, null=True, on_delete=models.PROTECT, related_name="findings")
    group = models.ForeignKey(DuplicateGroup, null=True, on_delete=models.PROTECT, related_name="findings")
    score = models.FloatField(help_text="0 to 1, most likely problems first")
    given_label = models.ForeignKey(
        Label, null=True, on_delete=models.PROTECT, related_name="+", help_text="the questionable label"
    )
    predicted_label = models.ForeignKey(Label, null=True, on_delete=models.PROTECT, related_name="+")
    labels = models.JSONField(
        default=dict, help_text='{"label name": items}: the labels of the group\'s items'
    )
    status = models.CharField(max_length=10, choices=rules.Status.choices, default=rules.Status.OPEN)
    reason = models.CharField(max_length=500, blank=True, help_text="reason for the dismissal")
    reviewed_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    reviewed_at = models.DateTimeField(null=True)
    queue = models.ForeignKey(
        Queue,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="queue that labels its items again",
    )
    scan = models.ForeignKey(
        Scan, on_delete=models.PROTECT, related_name="findings", help_text="the first scan that found it"
    )
    last_scan = models.ForeignKey(
        Scan, on_delete=models.PROTECT, related_name="+", help_text="the last scan that found it"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    hides_labels = False  # set by queries.for_reader, for a person who is to label one of its items

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "kind", "key"], name="one_finding_per_doubt"),
            models.CheckConstraint(
                condition=Q(item__isnull=False, group__isnull=True)
                | Q(item__isnull=True, group__isnull=False),
                name="finding_about_an_item_or_a_group",
            ),
            models.CheckConstraint(condition=Q(score__gte=0, score__lte=1), name="finding_score_0_to_1"),
        ]
        indexes = [models.Index(fields=["dataset", "kind", "status", "-score", "-id"], name="finding_ranked")]

    def __str__(self) -> str:
        return f"{self.title.lower()} {self.key[:8]}"

    @property
    def title(self) -> str:
        """The display name of its kind."""
        return rules.ONE[rules.Kind(self.kind)]


class Tally(models.Model):
    """The number of findings of one kind in each status. Updated by actions, so that pages don't count
    findings.
    """

    project_path = "dataset__project"
    root_path = "dataset"

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="tallies")
    kind = models.CharField(max_length=16, choices=rules.Kind.choices)
    open = models.PositiveIntegerField(default=0)
    confirmed = models.PositiveIntegerField(default=0)
    dismissed = models.PositiveIntegerField(default=0)
    gone = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "kind"], name="one_tally_per_kind")]

    def __str__(self) -> str:
        return f"tally of {self.kind}"
