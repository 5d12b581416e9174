"""The ways out, how their last messages went, and the form."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from lifecycle.ground.notices import sending, topics
from lifecycle.ground.notices.models import Channel
from monitoring.alerts import queries
from monitoring.alerts.forms import ChannelForm
from monitoring.alerts.page.detail import sent
from monitoring.alerts.page.listing import tabs
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.roles import sentence


def channels(user: User, form: ChannelForm | None = None, made: Channel | None = None) -> dict[str, Any]:
    """The ways out, how their last messages went, and the form. made: a webhook whose secret is shown this
    once.
    """
    found = queries.channels(user)
    kept = queries.deliveries(found)
    mine = set(policy.visible_to(user, Channel, "alerts.manage").values_list("pk", flat=True))
    return {
        "tabs": tabs("alerts:channels"),
        "form": form or ChannelForm(user=user, initial={"wants": ["page", "ticket", "digest"]}),
        "lines": [
            {
                "channel": row,
                "host": sending.host_of(row),
                "wants": wanted(row),
                "sent": [sent(each) for each in kept[row.pk]],
                "mine": row.pk in mine,
                "once": uuid4(),
            }
            for row in found
        ],
        "made": made,
        "secret": sending.secret_of(made) if made else "",
        "why_not": "" if policy.can_somewhere(user, "alerts.manage") else sentence("alerts.manage"),
    }


def wanted(channel: Channel) -> str:
    """Pages, Tickets."""
    return ", ".join(topics.labels(channel.wants)) or "none"
