"""The queue of record: jobs, their owners, and their progress. A broker's message only wakes a worker."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from lifecycle.ground.jobs import rules
from lifecycle.ground.jobs.rules import Device, Priority, Queue, State


class Job(models.Model):
    """One piece of background work, from its request to its end.

    kind, queue, args, project, created_by, subject and key never change; the priority does while it waits,
    and what left its device open is bound to one where work is begun that no other device could go on with.
    Only the holder of `lease_token` writes progress, checkpoint and end; who lost the lease changes nothing
    any more. args and checkpoint hold ids and positions, never texts of users.
    """

    project_path = "project"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=80)
    queue = models.CharField(max_length=20, choices=Queue.choices, default=Queue.DEFAULT)
    project = models.ForeignKey("access.Project", on_delete=models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    subject_type = models.CharField(
        max_length=80, blank=True, default="", help_text="Kind of the object, such as training.run."
    )
    subject_uuid = models.UUIDField(null=True)
    subject_name = models.CharField(
        max_length=200, blank=True, default="", help_text="Name of the object when the job was created."
    )
    args = models.JSONField(default=dict)
    key = models.CharField(max_length=200, null=True, help_text="Only one unfinished job can have this key.")  # noqa: DJ001

    state = models.CharField(max_length=20, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0, help_text="Number of times a worker started it.")
    max_attempts = models.PositiveSmallIntegerField(default=3)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    device = models.CharField(
        max_length=8,
        choices=Device.choices,
        default=Device.ANY,
        help_text="Devices of workers that can run it.",
    )
    available_at = models.DateTimeField(help_text="Earliest time a worker can claim it.")
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=200, blank=True, default="")
    cancel_requested_at = models.DateTimeField(null=True)

    stage = models.CharField(max_length=120, blank=True, default="")
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    unit = models.CharField(max_length=30, blank=True, default="")
    rate = models.FloatField(null=True, help_text="Units per second in this stage.")
    checkpoint = models.JSONField(default=dict)
    message = models.CharField(max_length=500, blank=True, default="")
    error = models.CharField(max_length=1000, blank=True, default="")
    next_step = models.CharField(max_length=500, blank=True, default="")
    refusal = models.CharField(
        max_length=20, blank=True, default="", help_text="Error code if the work was rejected."
    )

    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(state__in=[State.QUEUED, State.RUNNING]),
                name="job_key_once_unfinished",
            ),
            models.CheckConstraint(
                condition=Q(state=State.RUNNING, lease_token__isnull=False, lease_until__isnull=False)
                | (~Q(state=State.RUNNING) & Q(lease_token__isnull=True, lease_until__isnull=True)),
                name="job_lease_exactly_while_running",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[State.QUEUED, State.RUNNING], finished_at__isnull=True)
                | Q(state__in=[State.SUCCEEDED, State.FAILED, State.CANCELLED], finished_at__isnull=False),
                name="job_end_exactly_when_final",
            ),
            models.CheckConstraint(condition=Q(attempt__lte=F("max_attempts")), name="job_attempts_bounded"),
            models.CheckConstraint(
                condition=~Q(state=State.FAILED) | ~Q(error=""), name="job_failure_has_a_sentence"
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "priority", "available_at", "id"],
                condition=Q(state=State.QUEUED),
                name="job_in_line",
            ),
            models.Index(fields=["lease_until"], condition=Q(state=State.RUNNING), name="job_leased"),
            models.Index(fields=["subject_type", "subject_uuid"], name="job_subject"),
            models.Index(fields=["project", "-id"], name="job_project"),
            models.Index(fields=["created_by", "-id"], name="job_person"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid}"

    @property
    def is_finished(self) -> bool:
        """Whether the state is final."""
        return self.state in rules.FINAL

    @property
    def priority_word(self) -> str:
        """urgent, normal or later."""
        return Priority(self.priority).word

    @property
    def percent(self) -> int | None:
        """Whole percent that is done, or None while the total is unknown."""
        return rules.percent(self.done, self.total)

    @property
    def eta(self) -> timedelta | None:
        """Time left at the present rate, or None if unknown."""
        seconds = rules.eta_seconds(done=self.done, total=self.total, rate=self.rate)
        return (
            timedelta(seconds=round(seconds)) if seconds is not None and self.state == State.RUNNING else None
        )

    @property
    def is_cancelling(self) -> bool:
        """Whether it is running with a cancel requested."""
        return self.state == State.RUNNING and self.cancel_requested_at is not None


class Worker(models.Model):
    """A worker process: what it serves, and its last heartbeat. The row is deleted a week after that."""

    name = models.CharField(max_length=200, unique=True, help_text="host and process")
    queues = models.JSONField(default=list)
    device = models.CharField(
        max_length=8, choices=[each for each in Device.choices if each[0] != Device.ANY]
    )
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.name
