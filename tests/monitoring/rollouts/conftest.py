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
from registry.catalog.models import Endpoint
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments
from registry.ground.access.models import User
from registry.ground.ledger.models import Event
from registry.promotions.models import PromotionRequest
from tests.support import endpoints, registry
from tests.support.people import make_project

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

    def begin(self, request, actor, **plan) -> Rollout:
        """Traffic for the forecast, then the start."""
        self.feed(-30, stable=(400, 2))
        return self.start(request, actor, **plan)

    def start(self, request, actor, **plan) -> Rollout:
        """The start, where traffic for the forecast is there."""
        return actions.start(
            request_id=request.uuid, actor=actor, plan=rules.Plan(**QUICK | plan), now=self.at(0)
        )

    def tick(self, minute: float) -> int:
        return actions.tick(self.at(minute))

    def running(self) -> list[tuple[str, str, int]]:
        rows = deployments.serving(self.endpoint).select_related("version").order_by("-arm")
        return [(row.arm, row.version.semver, row.share) for row in rows]


def make_approval() -> Endpoint:
    """An endpoint on which 1.0.0 is live, with an approved request for 1.1.0."""
    project = make_project()
    endpoint, crew = endpoints.deployed_endpoint(project), endpoints.Crew(project)
    snapshot = endpoint.alias.version.run.snapshot
    version = registry.make_version(
        project, crew.mia, crew.ravi, model=endpoint.model, snapshot=snapshot, semver="1.1.0"
    )
    endpoints.approved(project, endpoint, version, registry.NO_PLAN)  # so that each test may choose a plan
    return endpoint


@pytest.fixture
def live_endpoint(project, mia, ravi, lee, gita, omar) -> Endpoint:
    """What `make_approval` makes."""
    return make_approval()


@pytest.fixture
def approval(live_endpoint) -> PromotionRequest:
    """An approved request for 1.1.0, beside 1.0.0 that is live."""
    return PromotionRequest.objects.get(endpoint=live_endpoint, version__semver="1.1.0")


@pytest.fixture
def street(live_endpoint):
    return Street(live_endpoint)


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
def brief(asked, approval, mia) -> Rollout:
    """Started by Mia with six hours for each step."""
    return asked.start(approval, mia, max_hours=6)


@pytest.fixture
def foretold(street, approval) -> Street:
    """The street with 400 requests in the last hour, of which 2 failed: what pages and programs foretell a
    start from.
    """
    street.take_in_now(400, 2)
    return street


@pytest.fixture
def next_approval(rollout, street, project, mia, ravi, lee, gita) -> PromotionRequest:
    """While the rollout runs, an approved request for 1.2.0."""
    snapshot = rollout.version.run.snapshot
    version = registry.make_version(
        project, mia, ravi, model=street.endpoint.model, snapshot=snapshot, semver="1.2.0"
    )
    return endpoints.approved(project, street.endpoint, version, registry.NO_PLAN)


@dataclass
class Begun:
    """Starts the rollout with another plan."""

    street: Street
    approval: PromotionRequest
    actor: User

    def __call__(self, **plan) -> Rollout:
        return self.street.start(self.approval, self.actor, **plan)


@pytest.fixture
def begun(asked, approval, mia):
    """By Mia, after the traffic that a forecast needs."""
    return Begun(asked, approval, mia)


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
