"""The triggers of an endpoint, as they are set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from monitoring.retraining.models import Trigger
from monitoring.retraining.rules import KINDS, LIMITS, Kind, Policy, Start, slot_of
from registry.catalog.models import Endpoint
from registry.ground.ledger.rules import digest_of


@dataclass(frozen=True, slots=True)
class Setting:
    """A kind of trigger on an endpoint: as it is set, or with its defaults where it is not."""

    kind: Kind
    help: str
    unit: str
    trigger: Trigger | None
    initial: dict[str, Any]

    @property
    def is_on(self) -> bool:
        """Whether it proposes on its own."""
        return self.trigger is not None and self.trigger.enabled


def settings(endpoint: Endpoint) -> list[Setting]:
    """All kinds of trigger of an endpoint, in their order."""
    known = {trigger.kind: trigger for trigger in endpoint.triggers.select_related("author")}
    return [
        Setting(kind, meaning.help, meaning.unit, known.get(kind), values(known.get(kind), kind))
        for kind, meaning in KINDS.items()
    ]


def triggers_on(endpoint: Endpoint) -> list[str]:
    """The names of the triggers that are on."""
    return [
        Kind(kind).label
        for kind in endpoint.triggers.filter(enabled=True).order_by("kind").values_list("kind", flat=True)
    ]


def values(trigger: Trigger | None, kind: Kind) -> dict[str, Any]:
    """What a form of this kind begins with."""
    if trigger is None:
        return (
            {"threshold": KINDS[kind].default, "enabled": False}
            | {name: limit.default for name, limit in LIMITS.items()}
            | {"start": Start.BASE}
        )
    return {name: getattr(trigger, name) for name in ("threshold", "enabled", *LIMITS, "start")}


def policy_of(trigger: Trigger) -> Policy:
    """A trigger as the rules read it."""
    return Policy(trigger.kind, trigger.threshold, trigger.cooldown_days, trigger.min_labels, trigger.budget)


def due_triggers(now: datetime) -> list[Trigger]:
    """The triggers that are on and were not considered in these ten minutes, those longest ago first."""
    rows = Trigger.objects.filter(enabled=True).filter(Q(slot=None) | Q(slot__lt=slot_of(now)))
    return list(rows.select_related("endpoint__model__project", "author").order_by("slot", "pk"))


def settings_seen(endpoint: Endpoint) -> str:
    """What a form of the settings is bound to: all of them as they are."""
    rows = endpoint.triggers.order_by("kind").values_list("kind", "threshold", "enabled", *LIMITS, "start")
    return digest_of([list(row) for row in rows])
