"""A version on its way beside a live one, and traffic on both arms at any moment, taken in through the spool
as in production.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from monitoring.rollouts import actions, rules
from monitoring.rollouts.models import Rollout
from monitoring.traffic import actions as traffic
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments
from registry.ground.access.models import User
from registry.ground.ledger.models import Event
from registry.promotions import plans
from registry.promotions.models import PromotionRequest
from tests.support import endpoints

MINUTE = timedelta(minutes=1)
QUICK = {"min_requests": 100, "min_minutes": 2, "margin": 0.2, "rise": 0.5, "max_hours": 24, "warm_up": 0}
HTMX = {"HTTP_HX_REQUEST": "true"}


@dataclass
class Street:
    """One endpoint's traffic and the rollout on it. Times are minutes since the start, three days ago, so
    that nothing lies ahead.
    """

    endpoint: Endpoint
    start_at: datetime = field(
        default_factory=lambda: (timezone.now() - timedelta(days=3)).replace(second=0, microsecond=0)
    )
    segments: int = 0

    def shift(self, minutes: float) -> None:
        """Begin so many minutes from now instead of three days ago."""
        self.start_at = (timezone.now() + minutes * MINUTE).replace(second=0, microsecond=0)

    def at(self, minute: float) -> datetime:
        return self.start_at + minute * MINUTE

    def arms(self) -> dict[str, dict[str, object]]:
        """The fields of a spool line that identify each arm of the current split."""
        rows = list(
            deployments.serving(self.endpoint).values_list(
                "arm", "version__uuid", "version__root_digest", "uuid", "epoch"
            )
        )
        epoch = max(row[-1] for row in rows)
        return {
            arm: {
                "arm": arm,
                "version": str(version),
                "root_digest": digest,
                "deployment": str(deployment),
                "epoch": epoch,
            }
            for arm, version, digest, deployment, _ in rows
        }

    def line(self, arm: str, minute: float, *, failed: bool = False, **more):
        """One request of an arm under the split of now."""
        return self.shape(self.arms()[arm], minute, failed=failed) | more

    def shape(self, arm: dict[str, object], minute: float, *, failed: bool):
        """One request, as its arm was served or failed it."""
        bad = {"code": 500, "status": "error", "inputs": [], "outputs": [], "rows": 0} if failed else {}
        return endpoints.spool_line(self.endpoint, at=self.at(minute).isoformat()) | arm | bad

    def feed(
        self, minute: float, *, canary: tuple[int, int] = (0, 0), stable: tuple[int, int] = (0, 0), **more
    ) -> None:
        """So many requests, of which so many failed, spread over the minute."""
        arms, moments = self.arms(), [self.at(minute + second / 60).isoformat() for second in range(50)]
        lines = []
        for arm, (asked, bad) in (("stable", stable), ("canary", canary)):
            shapes = (
                {failed: self.shape(arms[arm], minute, failed=failed) for failed in (False, True)}
                if asked
                else {}
            )
            lines += [
                shapes[at < bad] | {"uuid": str(uuid.uuid4()), "at": moments[at % 50]} | more
                for at in range(asked)
            ]
        self.take_in(*lines)

    def take_in(self, *lines) -> None:
        """Through the spool."""
        self.segments += 1
        endpoints.write_segment(*lines, name=f"20260101-{self.segments:04}.jsonl")
        traffic.ingest()

    def take_in_now(self, asked: int, bad: int) -> None:
        """Requests of the stable arm in the last hour by the real clock, for what the pages foretell."""
        at = (timezone.now() - self.start_at) / MINUTE - 10
        self.feed(at, stable=(asked, bad))

    def approved(self, version: ModelVersion, **plan) -> PromotionRequest:
        """An approved request for a canary of the version by the usual plan, but for what is given."""
        rule = plans.canary(rules.Plan(**QUICK | plan))
        return endpoints.approved(self.endpoint.model.project, self.endpoint, version, rule)

    def begin(self, request, actor) -> Rollout:
        """Traffic for the forecast, then the start."""
        self.feed(-30, stable=(400, 2))
        return self.start(request, actor)

    def start(self, request, actor) -> Rollout:
        """The start, where traffic for the forecast is there."""
        return actions.start(request_id=request.uuid, actor=actor, now=self.at(0))

    def tick(self, minute: float) -> int:
        return actions.tick(self.at(minute))

    def running(self) -> list[tuple[str, str, int]]:
        rows = deployments.serving(self.endpoint).select_related("version").order_by("-arm")
        return [(row.arm, row.version.semver, row.share) for row in rows]


@pytest.fixture
def live_endpoint(project, mia, ravi, lee, gita, omar) -> Endpoint:
    """1.0.0 is live."""
    return endpoints.deployed_endpoint(project)


@pytest.fixture
def version(live_endpoint) -> ModelVersion:
    """1.1.0, of which no promotion was requested."""
    return endpoints.next_version(live_endpoint)


@pytest.fixture
def street(live_endpoint):
    return Street(live_endpoint)


@pytest.fixture
def approval(street, version) -> PromotionRequest:
    """An approved request for 1.1.0 by the usual plan, beside 1.0.0 that is live."""
    return street.approved(version)


@pytest.fixture
def asked(street) -> Street:
    """The street after the traffic that a forecast needs."""
    street.feed(-30, stable=(400, 2))
    return street


@pytest.fixture
def rollout(asked, approval, mia) -> Rollout:
    """Started by Mia with the usual plan."""
    return asked.start(approval, mia)


@pytest.fixture
def brief(asked, version, mia) -> Rollout:
    """Started by Mia with six hours for each step."""
    return asked.start(asked.approved(version, max_hours=6), mia)


@pytest.fixture
def foretold(street) -> Street:
    """The street with 400 requests in the last hour, of which 2 failed: what pages and programs foretell a
    start from.
    """
    street.take_in_now(400, 2)
    return street


@pytest.fixture
def next_version(rollout) -> ModelVersion:
    """While the rollout runs, 1.2.0."""
    return endpoints.next_version(rollout.endpoint)


@pytest.fixture
def next_approval(next_version, street) -> PromotionRequest:
    """An approved request for it by the usual plan."""
    return street.approved(next_version)


@pytest.fixture
def next_by_hand(next_version, street, project) -> PromotionRequest:
    """An approved request for it as a canary at 5 %, which people steer."""
    return endpoints.approved(project, street.endpoint, next_version, plans.by_hand(500))


@dataclass
class Begun:
    """Starts the rollout with another plan."""

    street: Street
    version: ModelVersion
    actor: User

    def __call__(self, **plan) -> Rollout:
        return self.street.start(self.street.approved(self.version, **plan), self.actor)


@pytest.fixture
def begun(asked, version, mia):
    """By Mia, after the traffic that a forecast needs."""
    return Begun(asked, version, mia)


@pytest.fixture
def fresh():
    """The rollout as it is now."""
    return lambda rollout: Rollout.objects.get(pk=rollout.pk)


@pytest.fixture
def verbs():
    """What was recorded about a rollout, oldest first."""
    return lambda rollout: list(
        Event.objects.filter(object_id=str(rollout.uuid)).order_by("id").values_list("verb", flat=True)
    )


@pytest.fixture
def canary_of():
    return lambda rollout: Deployment.objects.get(endpoint=rollout.endpoint, arm="canary", ended_at=None)


def dealt(counts: rules.Counts, keys: int = 200, judged: tuple[int, int] = (0, 0)) -> rules.Groups:
    """These units by group, as evenly as whole numbers go, as if of so many different keys; of both arms so
    many were judged.
    """

    def evenly(count: int) -> list[int]:
        return [count * (at + 1) // keys - count * at // keys for at in range(keys)]

    groups = rules.Groups()
    for arm, side, of_it in zip(groups.sums, (counts.canary, counts.stable), judged, strict=True):
        arm[:keys] = np.transpose([evenly(each) for each in (side.units, side.errors, of_it, side.wrong)])
    return groups


def key(name: str) -> str:
    """A sticky key's digest."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, name).hex[:16]


def url(name: str, thing, *more) -> str:
    """The address of a page of this app."""
    return reverse(f"rollouts:{name}", args=[thing.uuid, *more])


def text_of(answer) -> str:
    """The words of a page, blanks folded."""
    return " ".join(
        re.sub(r"<[^>]+>", " ", answer.content.decode()).replace("\u00a0", " ").replace("&nbsp;", " ").split()
    )
