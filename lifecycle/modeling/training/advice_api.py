"""Advice over REST: the same rules as on the page where a run is started."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.training import advising, queries
from lifecycle.modeling.training.advice import Answers
from lifecycle.modeling.training.models import BaseModel
from lifecycle.runtime.refusals import Refused
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation


class AnswersIn(serializers.Serializer[Any]):
    """What matters to you. base: the base model that you mean to take, the project's newest by default.
    Limits are null where there are none.
    """

    base = serializers.UUIDField(required=False, default=None, allow_null=True)
    sensitive = serializers.BooleanField(required=False, default=False)
    baseline_does = serializers.BooleanField(required=False, default=False)
    latency_ms = serializers.FloatField(required=False, default=None, allow_null=True, min_value=0.001)
    size_mb = serializers.FloatField(required=False, default=None, allow_null=True, min_value=0.001)
    minutes = serializers.FloatField(required=False, default=None, allow_null=True, min_value=0.001)


class AdviceVerdictOut(serializers.Serializer[object]):
    """Whether to fine-tune: baseline, label_more, head or fine_tune, with its reason."""

    code = serializers.CharField()
    title = serializers.CharField()
    reason = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # Field has an attribute of this name


class SettingOut(serializers.Serializer[object]):
    """What is proposed for a setting, why, and where the rule comes from."""

    name = serializers.CharField()
    value = serializers.JSONField()
    reason = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # Field has an attribute of this name


class ConcernOut(serializers.Serializer[object]):
    """Something to look at before anything is trained. severity: bad, watch or info."""

    code = serializers.CharField()
    severity = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    next_step = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # Field has an attribute of this name


class LengthsOut(serializers.Serializer[object]):
    """Tokens of a sample of the training texts. counted: by the base model's tokenizer, else estimated from
    characters.
    """

    texts = serializers.IntegerField()
    median = serializers.IntegerField()
    p95 = serializers.IntegerField()
    p99 = serializers.IntegerField()
    counted = serializers.BooleanField()


class AdviceOut(serializers.Serializer[object]):
    """Advice. base, strategy and options are what `POST /runs/` takes; seconds: about how long that run
    takes. Nothing is started.
    """

    verdict = AdviceVerdictOut()
    base = serializers.UUIDField()
    strategy = serializers.CharField()
    options = serializers.DictField()
    seconds = serializers.FloatField()
    settings = SettingOut(many=True)
    warnings = ConcernOut(many=True)
    lengths = LengthsOut()


@operation(
    "GET",
    "snapshots_advice",
    Needs("training.launch", Snapshot, see="snapshots.view"),
    takes=AnswersIn,
    gives=AdviceOut,
)
def advice_on_snapshot(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Whether to fine-tune on it and how, with reasons, and what to look at first."""
    snapshot = queries.launchable(request.user).get(uuid=uuid)
    advising.check_advisable(snapshot)
    kept = queries.bases(request.user).filter(project=snapshot.dataset.project_id, folder__isnull=False)[:100]
    bases = [each for each in kept if not each.facts.get("decoder")]
    base = find_base(bases, given.pop("base"))
    return Response(advice_data(advising.advise(snapshot, base, bases, Answers(**given))))


def find_base(bases: list[BaseModel], uuid: UUID | None) -> BaseModel:
    """The base that was asked for, or the newest. Raises Refused where it is not there."""
    found = next((each for each in bases if uuid is None or each.uuid == uuid), None)
    if found is None:
        text = (
            "This project has no imported base model."
            if uuid is None
            else "This project has no imported base model with this ID."
        )
        raise Refused(
            text,
            next_step="Add one under Base models and wait for the import to finish.",
            fields={"base": [text]},
        )
    return found


def advice_data(advised: advising.Advised) -> dict[str, Any]:
    """Advice as programs read it."""
    found, lengths = advised.advice, advised.lengths
    sampled = {
        "median": lengths.percentile(50),
        "p95": lengths.percentile(95),
        "p99": lengths.percentile(99),
        "counted": lengths.counted,
    }
    shape = {
        "verdict": found.verdict,
        "base": advised.base.uuid,
        "strategy": advised.strategy,
        "options": found.options(),
        "seconds": found.seconds,
        "settings": found.settings,
        "warnings": found.warnings,
        "lengths": {"texts": len(lengths.tokens), **sampled},
    }
    return dict(AdviceOut(shape).data)


urlpatterns = [path("dataset-versions/<uuid:uuid>/advice/", advice_on_snapshot, name="api-snapshot-advice")]
