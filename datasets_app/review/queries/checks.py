"""Items waiting for acceptance, and the samples by which they are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db.models import Max, Min, QuerySet

from datasets_app.queues.models.agreed import Agreed
from datasets_app.queues.models.queues import Queue
from datasets_app.review.models import Sampled, SpotCheck
from lifecycle.runtime.statistics import sampling
from lifecycle.runtime.statistics.intervals import wilson
from registry.ground.access import policy
from registry.ground.access.models import User

SHARES = (0.01, 0.02, 0.04, 0.08)  # of a lot that are wrong, for which the acceptance probability is shown
SIZES, TOLERATED = (50, 100, 200, 500), (0, 1, 2, 5)  # of samples that may be drawn, and percent of them


class Earlier(NamedTuple):
    """Items of earlier samples that count for the next one."""

    judged: int = 0
    wrong: int = 0


class Chance(NamedTuple):
    """The probability that a lot with a share `wrong` is accepted: by one sample, and by it or one of up to
    three more. All 0 to 1.
    """

    wrong: float
    accepted: float
    accepted_later: float


class Passing(NamedTuple):
    """The shares of wrong items (0 to 1) at which a lot is accepted with 95 % and 10 % probability; None if
    no sample passes.
    """

    in_95: float | None
    in_10: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """Progress of a check. tolerated: percent of the sample that may be wrong, and of it and earlier samples
    that count, together.
    """

    size: int
    right: int
    wrong: int
    tolerated: int
    earlier: Earlier = Earlier()

    @property
    def left(self) -> int:
        """Items not reviewed yet."""
        return self.size - self.right - self.wrong

    @property
    def share(self) -> float:
        """The share of reviewed items that were wrong, 0 to 1; 0 before the first review."""
        return self.wrong / (self.right + self.wrong) if self.right + self.wrong else 0.0

    @property
    def too_wrong(self) -> bool:
        """Whether too much of the whole sample, or of it and earlier ones, is wrong, whatever the remaining
        items are.
        """
        return self.wrong > self.allowed

    @property
    def allowed(self) -> int:
        """How many items of the sample may be wrong; negative if it can't pass."""
        return sampling.allowed(
            self.size, self.tolerated, judged=self.earlier.judged, wrong=self.earlier.wrong
        )

    @property
    def together(self) -> Earlier:
        """Judged and wrong items, including earlier samples."""
        return Earlier(self.earlier.judged + self.right + self.wrong, self.earlier.wrong + self.wrong)

    @property
    def passing(self) -> Passing:
        """The two points of its operating characteristic."""
        return passing(self.size, self.tolerated, self.earlier)

    @property
    def chances(self) -> list[Chance]:
        """More points of it, at SHARES."""
        return [Chance(share, self.chance(share), self.chance(share, more=sampling.MORE)) for share in SHARES]

    def chance(self, share: float, *, more: int = 0) -> float:
        """The probability that a lot with this share of wrong items is accepted, by this sample or up to
        `more` others.
        """
        judged, wrong = self.earlier
        return sampling.chance(share, self.size, self.tolerated, judged=judged, wrong=wrong, more=more)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share that was wrong."""
        return wilson(self.wrong, self.right + self.wrong)


def passing(size: int, tolerated: int, earlier: Earlier) -> Passing:
    """The lots that a sample of this size accepts."""
    most = sampling.allowed(size, tolerated, judged=earlier.judged, wrong=earlier.wrong)
    return Passing(sampling.quality(0.95, size, most), sampling.quality(0.10, size, most))


def plans(earlier: Earlier) -> list[tuple[int, list[Passing]]]:
    """The lots that samples of several sizes accept, for each percentage in TOLERATED."""
    return [(size, [passing(size, tolerated, earlier) for tolerated in TOLERATED]) for size in SIZES]


def in_sample(check: SpotCheck) -> QuerySet[Sampled]:
    """The judged and waiting items of a sample, without those that left it because their annotations
    changed.
    """
    return check.sample.exclude(right=None, agreed=None)


def sample_of(check: SpotCheck) -> Sample:
    """The results of a check so far. A sample has at most 500 items."""
    found = list(in_sample(check).values_list("right", flat=True))
    earlier = Earlier(check.earlier_judged, check.earlier_wrong)
    return Sample(len(found), found.count(True), found.count(False), check.tolerated, earlier)


def counted_checks(queue: Queue) -> QuerySet[SpotCheck]:
    """Checks whose samples count for the next one: dropped since the last acceptance, if an item that waited
    then still waits.
    """
    accepted = queue.checks.filter(state=SpotCheck.State.ACCEPTED).aggregate(last=Max("pk"))["last"] or 0
    oldest = Agreed.objects.filter(queue=queue).aggregate(first=Min("pk"))["first"]
    dropped = queue.checks.filter(state=SpotCheck.State.DROPPED, pk__gt=accepted)
    return dropped.none() if oldest is None else dropped.filter(last__gte=oldest)


def earlier_of(checks: QuerySet[SpotCheck]) -> Earlier:
    """Judged and wrong items of these checks."""
    found = list(
        Sampled.objects.filter(check_of__in=checks, right__isnull=False).values_list("right", flat=True)
    )
    return Earlier(len(found), found.count(False))


def to_draw(queue: Queue) -> dict[str, object]:
    """Context for drawing a sample."""
    earlier = earlier_of(counted_checks(queue))
    return {"earlier": earlier, "plans": plans(earlier), "tolerances": TOLERATED}


def get_check(user: User, uuid: UUID) -> SpotCheck:
    """One check that the user may see. Raises Http404."""
    rows = SpotCheck.objects.select_related("queue__dataset__project", "created_by")
    return policy.get_visible(user, rows, "labeling.view", uuid=uuid)


def check_under_way(queue: Queue) -> SpotCheck | None:
    """The queue's open check, if any."""
    return queue.checks.filter(state=SpotCheck.State.OPEN).select_related("created_by").first()


def to_review(check: SpotCheck) -> list[Sampled]:
    """The items of the sample not reviewed yet, in the order in which they were drawn."""
    return list(in_sample(check).filter(right=None).select_related("item").order_by("id"))
