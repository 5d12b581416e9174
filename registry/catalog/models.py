from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase

from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training.models import Run
from registry.catalog import rules
from registry.ground.access.models import Project
from registry.ground.access.roles import PERMISSIONS
from registry.ground.artifacts.models import Folder
from registry.policies.models import Policy

USER = settings.AUTH_USER_MODEL


class RegisteredModel(models.Model):
    """A model as the organisation knows it: a name under which versions are registered. It stays in its
    project, and is never deleted.
    """

    append_only = True
    project_path = "project"
    root_path = "pk"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="models")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=80)
    purpose = models.TextField(blank=True, help_text="intended use, in the owner's words; shown in the card")
    owner = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        permissions = PERMISSIONS
        constraints = [models.UniqueConstraint(fields=["project", "slug"], name="one_model_per_slug")]

    def __str__(self) -> str:
        return self.name


class ModelGrant(GroupObjectPermissionBase):
    """A role, as a permission of a group on one registered model."""

    content_object = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        abstract = False


class ModelVersion(models.Model):
    """One sealed version: the files of a run's artifact, their root digest and signature. Only its life-cycle
    state may change.
    """

    append_only = True
    changeable = ("state", "state_reason")
    state_moves = {"state": rules.MOVES}
    project_path = "model__project"
    root_path = "model"

    State = rules.State

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    model = models.ForeignKey(RegisteredModel, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    semver = models.CharField(max_length=40)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="versions")
    evaluation = models.ForeignKey(
        Evaluation, on_delete=models.PROTECT, related_name="versions", help_text="on the frozen test split"
    )
    folder = models.ForeignKey(Folder, on_delete=models.PROTECT, related_name="versions")
    root_digest = models.CharField(max_length=64)
    signature = models.TextField(help_text="model.sig: the OpenSSF model signing bundle, JSON")
    key_fingerprint = models.CharField(max_length=64)
    facts = models.JSONField(
        default=dict, help_text="label set, base, strategy, and dataset version digest; never changed"
    )
    state = models.CharField(max_length=12, choices=State.choices, default=State.ACTIVE)
    state_reason = models.CharField(max_length=rules.REASON_MAX, blank=True)
    registered_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="one_version_per_number"),
            models.UniqueConstraint(fields=["model", "semver"], name="one_version_per_semver"),
            models.UniqueConstraint(fields=["model", "root_digest"], name="one_version_per_content"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.semver}"

    @property
    def export_name(self) -> str:
        """What its export is called on someone's disk."""
        return f"{self.model.slug}-{self.semver}.zip"

    @property
    def mark(self) -> str:
        """The mark that goes with its state: ok, bad, off."""
        return {self.State.ACTIVE: "ok", self.State.QUARANTINED: "bad"}.get(self.State(self.state), "off")


class VerifiedCopy(models.Model):
    """The files that the inference servers were given of a version, as they were when each was last hashed
    and the signature held.

    stamps: see bundle.stamps. As long as the files have them, they are what was verified, with the key of
    this fingerprint.
    """

    version = models.OneToOneField(ModelVersion, on_delete=models.CASCADE, related_name="verified_copy")
    stamps = models.JSONField()
    key_fingerprint = models.CharField(max_length=64)
    verified_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.version} {self.verified_at:%Y-%m-%d %H:%M}"


class Card(models.Model):
    """One revision of a version's model card. The newest counts; every one is kept."""

    append_only = True
    project_path = "version__model__project"
    root_path = "version__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="cards")
    revision = models.PositiveIntegerField()
    text = models.TextField(help_text="Markdown with Hugging Face front matter")
    stated = models.JSONField(
        default=dict, help_text="what people wrote: purpose, limits, risks; blanks read: not stated"
    )
    digest = models.CharField(max_length=64)
    signature = models.TextField(help_text="OpenSSF model signature over README.md and card.json")
    key_fingerprint = models.CharField(max_length=64)
    author = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "revision"], name="one_card_per_revision")]

    def __str__(self) -> str:
        return f"card {self.revision} of {self.version}"


class PackedExport(models.Model):
    """The zip of a version with this revision of its card, as it was when it was put where it is downloaded
    from. As long as the file has the stamp, it is what was packed.
    """

    card = models.OneToOneField(Card, on_delete=models.CASCADE, related_name="packed_export")
    stamp = models.JSONField(help_text="as queries.stamp_of has it")
    used_at = models.DateTimeField(help_text="when it was downloaded last, or made")

    def __str__(self) -> str:
        return f"{self.card} {self.used_at:%Y-%m-%d %H:%M}"


class Endpoint(models.Model):
    """A model in an environment, under an address: what clients call, and what promotions are asked for.

    project: always the model's; it's stored here so that a slug is unique within it. Neither of the three
    ever changes, and no endpoint is deleted: what was answered under an address stays where it was answered.
    """

    append_only = True
    changeable = ("environment", "policy", "keep_text")
    project_path = "model__project"
    root_path = "model"

    class Environment(models.TextChoices):
        STAGING = "staging", "Staging"
        PRODUCTION = "production", "Production"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    model = models.ForeignKey(RegisteredModel, on_delete=models.PROTECT, related_name="endpoints")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="endpoints")
    slug = models.SlugField(max_length=60, help_text="in the address: /v2/models/<project>/<slug>/infer")
    environment = models.CharField(max_length=12, choices=Environment.choices, default=Environment.PRODUCTION)
    policy = models.ForeignKey(
        Policy,
        on_delete=models.PROTECT,
        related_name="endpoints",
        help_text="the version in force for new requests",
    )
    keep_text = models.BooleanField(
        default=True, help_text="keep the texts of requests beside their predictions"
    )
    created_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "slug"], name="one_endpoint_per_slug")]

    def __str__(self) -> str:
        return self.slug

    @property
    def full_name(self) -> str:
        """What it is called beyond its project and to the inference servers: project/slug. Select its model's
        project with it.
        """
        return f"{self.model.project.slug}/{self.slug}"


class Alias(models.Model):
    """Which version is live on an endpoint. Moved by deploy and roll back alone; `moves` counts them, so that
    a stale look is noticed.
    """

    endpoint = models.OneToOneField(Endpoint, on_delete=models.PROTECT, related_name="alias")
    version = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="aliases")
    moves = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.endpoint} → {self.version or 'none'}"


class Freeze(models.Model):
    """A stop on promotions and deployments of an endpoint, with an owner and an end. Only that it was lifted
    is written later.
    """

    append_only = True
    changeable = ("lifted_at", "lifted_by")
    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="freezes")
    owner = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=rules.REASON_MAX)
    until = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"], condition=Q(lifted_at__isnull=True), name="one_freeze_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"freeze of {self.endpoint}"
