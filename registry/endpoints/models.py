from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import rules
from registry.promotions.models import PromotionRequest

USER = settings.AUTH_USER_MODEL


class Deployment(models.Model):
    """An interval in which a version served an endpoint in an arm. Only its end is written later."""

    append_only = True
    changeable = ("ended_at", "ended_by", "end_reason")
    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    class Arm(models.TextChoices):
        STABLE = "stable", "Stable"
        CANARY = "canary", "Canary"
        SHADOW = "shadow", "Shadow"

    class Cause(models.TextChoices):
        PROMOTION = "promotion", "Approved promotion"
        ROLLBACK = "rollback", "Rollback"
        SHADOW = "shadow", "Shadow"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="deployments")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="deployments")
    arm = models.CharField(max_length=8, choices=Arm.choices, default=Arm.STABLE)
    share = models.PositiveSmallIntegerField(
        default=10000, help_text="of 10,000 buckets; of a shadow: of the requests that are copied"
    )
    cause = models.CharField(max_length=10, choices=Cause.choices)
    approval = models.ForeignKey(
        PromotionRequest, null=True, on_delete=models.PROTECT, related_name="deployments"
    )
    previous = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="+", help_text="what it took over from"
    )
    reason = models.CharField(max_length=rules.REASON_MAX, blank=True)
    epoch = models.PositiveBigIntegerField(help_text="the routes document that first named it")
    started_at = models.DateTimeField(auto_now_add=True)
    started_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    end_reason = models.CharField(max_length=rules.REASON_MAX, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "arm"],
                condition=Q(ended_at__isnull=True),
                name="one_version_live_per_arm",
            ),
            models.CheckConstraint(
                condition=Q(cause__in=["rollback", "shadow"]) | Q(approval__isnull=False),
                name="deployed_by_approval",
            ),
        ]
        indexes = [models.Index(fields=["endpoint", "-id"], name="deployment_newest")]

    def __str__(self) -> str:
        return f"{self.version} on {self.endpoint}"


class Fault(models.Model):
    """A fault injected into a running deployment for a drill, until a time. Only its end is written later.
    Servers may obey it.
    """

    append_only = True
    changeable = ("lifted_at", "lifted_by")
    project_path = "deployment__endpoint__model__project"
    root_path = "deployment__endpoint__model"

    class Kind(models.TextChoices):
        ERROR = "error", "Errors"
        SLOW = "slow", "Slow responses"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="faults")
    kind = models.CharField(max_length=5, choices=Kind.choices)
    share = models.PositiveSmallIntegerField(help_text="of 10,000 requests of the deployment")
    delay_ms = models.PositiveIntegerField(default=0, help_text="of slow answers: added to each")
    reason = models.CharField(max_length=rules.REASON_MAX, blank=True)
    until = models.DateTimeField()
    injected_at = models.DateTimeField(auto_now_add=True)
    injected_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment"], condition=Q(lifted_at__isnull=True), name="one_fault_injected"
            ),
            models.CheckConstraint(condition=Q(share__gte=1, share__lte=10000), name="fault_share_of_10000"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} in {self.deployment}"


class EndpointToken(models.Model):
    """The secret of a service account: a program that may ask this endpoint and nothing else. Kept only as
    its hash.

    It belongs to no person, so that it outlives the person who made it, and ends when it expires or is
    revoked.
    """

    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=60, help_text="the program that uses it")
    digest = models.CharField(max_length=64, unique=True, help_text="sha256 of the secret, in hex")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} on {self.endpoint.slug}"


class Routes(models.Model):
    """The number of the newest routes document, and the problems that servers report. One row; locked by
    anyone who changes what is served.

    problems: None for a server that fell silent since it raised one.
    """

    epoch = models.PositiveBigIntegerField(default=0)
    published_epoch = models.PositiveBigIntegerField(
        default=0, help_text="the newest that was written for the inference servers"
    )
    problems = models.JSONField(
        default=dict, help_text="server → the problem that was raised last; none of servers without one"
    )

    def __str__(self) -> str:
        return f"epoch {self.epoch}"
