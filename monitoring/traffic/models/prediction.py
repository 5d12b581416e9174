from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.crypto import salted_hmac

from monitoring.traffic.rules import FeedbackKind, Source
from registry.catalog.models import Endpoint, ModelVersion
from registry.catalog.rules import task_type
from registry.endpoints.models import Deployment

USER = settings.AUTH_USER_MODEL
KEPT_DAYS = 30  # younger predictions can never be deleted, whatever PREDICTION_DAYS says
OLD = {
    "sqlite": f"{{at}} < datetime('now', '-{KEPT_DAYS} days')",
    "postgresql": f"{{at}} < now() - interval '{KEPT_DAYS} days'",
}
OLD_ITSELF = {vendor: sql.format(at="OLD.at") for vendor, sql in OLD.items()}
OLD_PREDICTION = {
    vendor: (
        "EXISTS (SELECT 1 FROM traffic_prediction p "  # noqa: S608  contains no user input
        f"WHERE p.id = OLD.prediction_id AND {sql.format(at='p.at')})"
    )
    for vendor, sql in OLD.items()
}


# a version predicted something: a set, or the spans of a text, may be empty
ANSWERED = ~Q(label="") | Q(confidence__isnull=False) | Q(value__isnull=False)


class Prediction(models.Model):
    """One answer of an endpoint to one text, as the inference server reported it. Texts, and the candidates
    beside them, are kept only where the endpoint says so; they are erased together, and with them a value
    that is a text.
    """

    append_only = True
    changeable = ("text", "content", "value")
    deletable_when = OLD_ITSELF
    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    request_id = models.CharField(max_length=80, blank=True)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="predictions")
    version = models.ForeignKey(
        ModelVersion,
        null=True,
        on_delete=models.PROTECT,
        related_name="predictions",
        help_text="null: none answered",
    )
    deployment = models.ForeignKey(
        Deployment, null=True, on_delete=models.PROTECT, related_name="predictions", db_index=False
    )
    arm = models.CharField(
        max_length=8,
        default="stable",
        blank=True,
        help_text="empty: the request ended before an arm was chosen",
    )
    key = models.CharField(
        max_length=16, blank=True, help_text="digest of the sticky key, 16 hex digits; empty: by chance"
    )
    at = models.DateTimeField(help_text="by the server's clock, never later than its arrival here")
    code = models.PositiveSmallIntegerField(help_text="HTTP status of the answer")
    latency_ms = models.FloatField()
    cpu_ms = models.FloatField(
        null=True, help_text="CPU time of the engine for this text: the request's, divided by its texts"
    )
    text = models.TextField(null=True, help_text="null: not kept, or erased")  # noqa: DJ001
    content = models.JSONField(
        null=True,
        help_text='beside the text, as in an item: {"responses"} to rank; null: a text alone, or as its text',
    )
    text_digest = models.CharField(max_length=64, blank=True)
    chars = models.PositiveIntegerField(default=0)
    tokens = models.PositiveIntegerField(default=0)
    oov = models.FloatField(
        null=True,
        help_text="share of its words that the model's vocabulary does not hold as one token, 0 to 1",
    )
    truncated = models.BooleanField(default=False, help_text="longer than the model reads")
    label = models.CharField(max_length=120, blank=True)
    confidence = models.FloatField(null=True)
    scores = models.JSONField(default=list, help_text='the top five: [{"label", "score"}]')
    value = models.JSONField(
        null=True,
        help_text="as an annotation, with label names; null: a single label, or too large to keep",
    )
    epoch = models.PositiveBigIntegerField(default=0)
    pinned = models.BooleanField(
        default=False, help_text="the client requested this version, so no traffic split chose the arm"
    )
    is_demo = models.BooleanField(default=False, help_text="made by the demo's own generator")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(text__isnull=False) | Q(content__isnull=True), name="content_goes_with_its_text"
            )
        ]
        indexes = [
            models.Index(fields=["endpoint", "-at", "-id"], name="prediction_newest"),
            models.Index(fields=["version", "-at"], name="prediction_version"),
            models.Index(
                fields=["endpoint", "-at"], condition=Q(text__isnull=False), name="prediction_texts"
            ),
        ]

    def __str__(self) -> str:
        return f"prediction {str(self.uuid)[:8]}"

    @property
    def is_answered(self) -> bool:
        """Whether a version predicted something."""
        return bool(self.label) or self.confidence is not None or self.value is not None

    @property
    def is_written(self) -> bool:
        """Whether its value, and what would be right, are texts."""
        return self.version is not None and task_type(self.version.facts).writes_text

    def hide_text(self) -> None:
        """Blank what people without permission don't see, in memory alone."""
        self.text = self.content = None
        if self.is_written:
            self.value = None

    @property
    def keyed_digest(self) -> str:
        """The text's digest under the installation's key, 64 hex digits: equal texts look equal, and no one
        finds one by trying texts.
        """
        return (
            salted_hmac("traffic.text", self.text_digest, algorithm="sha256").hexdigest()
            if self.text_digest
            else ""
        )


class Feedback(models.Model):
    """What a person or a program says of a prediction: right, or wrong with the right label. The newest of a
    prediction counts.

    endpoint and predicted_at are the prediction's own, kept here so that the words on a window are found
    without reading its predictions.
    """

    append_only = True
    changeable = ("value",)  # a text is erased with that of its prediction
    deletable_when = OLD_PREDICTION
    project_path = "prediction__endpoint__model__project"
    root_path = "prediction__endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    prediction = models.ForeignKey(Prediction, on_delete=models.CASCADE, related_name="feedback")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="+", db_index=False)
    predicted_at = models.DateTimeField()
    user = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=FeedbackKind.choices, default=FeedbackKind.REVIEW)
    source = models.CharField(max_length=4, choices=Source.choices, default=Source.API)
    right = models.BooleanField()
    label = models.CharField(
        max_length=120, blank=True, help_text="the right label, where the answer was wrong and it is known"
    )
    value = models.JSONField(
        null=True, help_text="of other tasks the right annotation, where the answer was wrong and it is known"
    )
    at = models.DateTimeField(auto_now_add=True)
    is_demo = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["endpoint", "-predicted_at", "-id"], name="feedback_window")]

    def __str__(self) -> str:
        return "right" if self.right else f"wrong: {self.label}"


class ShadowAnswer(models.Model):
    """What a shadow version answered to a copy of a request, beside the client's answer. No client ever saw
    it.

    prediction_uuid is no foreign key: the copy may be reported before the request itself.
    """

    append_only = True
    deletable_when = OLD_ITSELF
    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="+", db_index=False)
    deployment = models.ForeignKey(
        Deployment, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    version = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    prediction_uuid = models.UUIDField(db_index=True)
    at = models.DateTimeField()
    code = models.PositiveSmallIntegerField(help_text="200, or 500 where the shadow failed")
    label = models.CharField(max_length=120, blank=True)
    confidence = models.FloatField(null=True)
    agrees = models.BooleanField(
        null=True, help_text="the same label as the client got; null: there are not two labels to compare"
    )
    kl = models.FloatField(
        null=True, help_text="Kullback-Leibler divergence of its scores from the client's, nats"
    )
    latency_ms = models.FloatField()
    primary_latency_ms = models.FloatField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["endpoint", "-at", "-id"], name="shadow_newest"),
            models.Index(
                fields=["endpoint", "-at", "-id"], condition=Q(agrees=False), name="shadow_disagreements"
            ),
        ]

    def __str__(self) -> str:
        return f"shadow of {str(self.prediction_uuid)[:8]}"


class GuardTrip(models.Model):
    """An inference server closed a canary on its own, since too many of its last requests failed; its result
    is noted once.
    """

    append_only = True
    changeable = ("handled_at", "outcome")
    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="guard_trips")
    at = models.DateTimeField()
    failures = models.PositiveIntegerField()
    of = models.PositiveIntegerField(help_text="the last so many requests of the canary")
    received_at = models.DateTimeField(auto_now_add=True)
    handled_at = models.DateTimeField(null=True, help_text="null: the canary is still to be stopped")
    outcome = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.failures} of {self.of} failed on {self.endpoint}"
