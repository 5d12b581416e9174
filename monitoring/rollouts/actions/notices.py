"""Notices of what a rollout did automatically, and of decisions that people must make."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from lifecycle.ground.notices.actions import notify
from monitoring.alerts.actions import raise_alert, resolve_alert
from monitoring.rollouts.models import Rollout
from monitoring.rollouts.rules import State, share_text
from registry.ground.access.models import User
from registry.ground.access.policy import who_can

SOURCE = "canary"


def url(rollout: Rollout) -> str:
    """The page of a rollout."""
    return reverse("rollouts:detail", args=[rollout.uuid])


def key(rollout: Rollout, what: str) -> dict[str, Any]:
    """The key of one of its alerts."""
    return {"rollout": str(rollout.uuid), "what": what}


def owners(rollout: Rollout) -> list[User]:
    """The person who started it, and all who may steer it."""
    return sorted({rollout.started_by, *who_can("rollouts.steer", rollout)}, key=lambda person: person.pk)


def ended(rollout: Rollout, by: User | None, now: datetime) -> None:
    """A page for a canary that the rule or the guard took back; a notice for everything else that ends."""
    semver, endpoint = rollout.version.semver, rollout.endpoint
    if rollout.state == State.ROLLED_BACK and by is None:
        text = f"All traffic is back on {rollout.baseline.semver}. {rollout.reason}"
        title = f"{semver} was rolled back on {endpoint}"
        raise_alert(
            endpoint=endpoint,
            source=SOURCE,
            key=key(rollout, "rolled_back"),
            severity="page",
            title=title,
            text=text,
            url=url(rollout),
            now=now,
        )
        return
    words = {
        State.PROMOTED: f"{semver} now serves all traffic of {endpoint}.",
        State.ROLLED_BACK: f"{semver} was rolled back on {endpoint}: {rollout.reason}",
        State.ABORTED: f"The rollout of {semver} on {endpoint} was aborted: {rollout.reason}",
    }
    notify([person for person in owners(rollout) if person != by], words[State(rollout.state)], url(rollout))


def holds(rollout: Rollout, why: str, now: datetime) -> None:
    """A ticket and a notice: the rule cannot decide, a person has to."""
    summary = f"{rollout.version.semver} stays at {share_text(rollout.share)} of {rollout.endpoint}."
    text = f"{summary} {why} Widen it with a reason, resume, or abort."
    title = f"The rollout of {rollout.version.semver} on {rollout.endpoint} is on hold"
    raise_alert(
        endpoint=rollout.endpoint,
        source=SOURCE,
        key=key(rollout, "holds"),
        severity="ticket",
        title=title,
        text=text,
        url=url(rollout),
        now=now,
    )
    notify(owners(rollout), f"{title}. {why}", url(rollout))


def no_longer_holds(rollout: Rollout, now: datetime) -> None:
    """Whatever it held for is settled."""
    resolve_alert(
        source=SOURCE,
        key=key(rollout, "holds"),
        endpoint=rollout.endpoint,
        text="The rollout resumed or ended.",
        now=now,
    )


def asks(rollout: Rollout, share: int, why: str) -> None:
    """The rule would widen, and the plan wants a person to do it."""
    text = (
        f"{rollout.version.semver} on {rollout.endpoint} is ready for {share_text(share)}. {why} Widen it on"
        " the rollout's page."
    )
    notify(owners(rollout), text, url(rollout))
