"""What endpoints are held to, to read and to set."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from lifecycle.runtime.refusals import Refused
from monitoring.alerts import actions, queries
from monitoring.alerts.models import Objective
from monitoring.alerts.rules import objectives as rules
from monitoring.alerts.rules.objectives import WINDOW_DAYS, Kind
from monitoring.alerts.rules.text import left_text
from registry.catalog.models import Endpoint
from registry.ground.access.decorators import Needs
from registry.ground.access.models import User
from registry.ground.access.rest import Request, operation

SEE, MANAGE = "alerts.view", "alerts.manage"


class ObjectiveIn(serializers.Serializer[Any]):
    """An objective. seen: its revision as you read it, 0 if there is none; 409 if it changed since."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    target = serializers.FloatField(min_value=0, max_value=1, help_text="share of good events, 0.5 to 0.9999")
    threshold_ms = serializers.FloatField(
        allow_null=True, default=None, help_text="latency only: slower is bad"
    )
    window_days = serializers.ChoiceField(choices=WINDOW_DAYS, default=WINDOW_DAYS[-1])
    owner = serializers.UUIDField(
        allow_null=True, default=None, help_text="a person notified in addition to on-call"
    )
    seen = serializers.IntegerField(min_value=0)


class ObjectiveSwitchIn(serializers.Serializer[Any]):
    """On or off; seen: the revision as you read it."""

    is_on = serializers.BooleanField()
    seen = serializers.IntegerField(min_value=0)


class ErrorBudgetOut(serializers.Serializer[Any]):
    """What is left of an error budget. left: share, below 0 when overspent, null: not measured."""

    bad = serializers.IntegerField()
    total = serializers.IntegerField()
    allowed = serializers.FloatField()
    left = serializers.FloatField(allow_null=True)
    burn = serializers.FloatField(allow_null=True, help_text="over the last day")
    days_left = serializers.FloatField(allow_null=True, help_text="at the last day's rate")


class ObjectiveOut(serializers.Serializer[Objective]):
    """An objective with its last evaluation."""

    uuid = serializers.UUIDField()
    endpoint = serializers.UUIDField(source="endpoint.uuid")
    kind = serializers.ChoiceField(choices=Kind.choices)
    target = serializers.FloatField()
    threshold_ms = serializers.FloatField(allow_null=True)
    window_days = serializers.IntegerField()
    owner = serializers.UUIDField(source="owner.uuid", default=None, allow_null=True)
    is_on = serializers.BooleanField()
    revision = serializers.IntegerField(help_text="send it as `seen`")
    measured_at = serializers.DateTimeField(source="read_at", allow_null=True)
    state = serializers.CharField(source="reading.state", default=None, allow_null=True)
    budget = ErrorBudgetOut(source="reading.budget", default=None, allow_null=True)
    budget_left = serializers.SerializerMethodField(help_text="as shown on pages: overspent by 185 %")
    burns = serializers.DictField(
        source="reading.burns",
        default=dict,
        child=serializers.FloatField(allow_null=True),
        help_text="burn rate by window",
    )
    warnings = serializers.SerializerMethodField(help_text="rows that can never fire")

    def get_budget_left(self, row: Objective) -> str:
        """What is left of its budget."""
        return left_text(queries.budget(row))

    def get_warnings(self, row: Objective) -> list[str]:
        """Warnings about it."""
        return rules.warnings(row.target, row.window_days)


class ObjectivesOut(serializers.Serializer[Any]):
    """All objectives of an endpoint."""

    results = ObjectiveOut(many=True)


@operation("GET", "objectives_list", Needs(SEE, Endpoint), gives=ObjectivesOut)
def objectives(request: Request, uuid: UUID) -> object:
    """List objectives with budgets and burn rates of the last evaluation."""
    rows = queries.objectives(Endpoint.objects.get(uuid=uuid))
    return {"results": rows}


@operation("POST", "objectives_set", Needs(MANAGE, Endpoint, SEE), takes=ObjectiveIn, gives=ObjectiveOut)
def set_objective(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Set an objective, or change the one of its kind."""
    owner = User.objects.filter(uuid=given["owner"], is_active=True).first() if given["owner"] else None
    if given["owner"] and owner is None:
        raise Refused("Owner not found.", fields={"owner": ["Give the uuid of a person of the project."]})
    return actions.set_objective(endpoint_id=uuid, actor=request.user, **given | {"owner": owner})


@operation(
    "POST", "objectives_switch", Needs(MANAGE, Objective, SEE), takes=ObjectiveSwitchIn, gives=ObjectiveOut
)
def switch_objective(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Turn an objective on or off; turning it off resolves its open alerts."""
    return actions.switch_objective(objective_id=uuid, actor=request.user, **given)
