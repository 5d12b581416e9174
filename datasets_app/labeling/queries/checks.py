"""What waits to be accepted, and the sample by which a reviewer judges it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from datasets_app.labeling.models import Queue, Sampled, SpotCheck
from lifecycle.statistics.intervals import wilson
from registry.access import policy
from registry.access.models import User


@dataclass(frozen=True, slots=True)
class Sample:
    """How far a check is. tolerated: percent of it that may be wrong."""

    size: int
    right: int
    wrong: int
    tolerated: int

    @property
    def left(self) -> int:
        """Items that nobody looked at yet."""
        return self.size - self.right - self.wrong

    @property
    def share(self) -> float:
        """The share that was wrong, 0 to 1; 0 before anything was looked at."""
        return self.wrong / (self.right + self.wrong) if self.right + self.wrong else 0.0

    @property
    def too_wrong(self) -> bool:
        """Whether more of the whole sample is wrong than is tolerated, however the rest turns out."""
        return self.wrong * 100 > self.tolerated * self.size

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share that was wrong."""
        return wilson(self.wrong, self.right + self.wrong)


def sample_of(check: SpotCheck) -> Sample:
    """What the reviewer found so far. A sample has at most 500 items."""
    found = list(check.sample.values_list("right", flat=True))
    return Sample(len(found), found.count(True), found.count(False), check.tolerated)


def get_check(user: User, uuid: UUID) -> SpotCheck:
    """One check that the user may see. Raises Http404."""
    rows = SpotCheck.objects.select_related("queue__dataset__project", "created_by")
    return policy.get_visible(user, rows, "labeling.view", uuid=uuid)


def check_under_way(queue: Queue) -> SpotCheck | None:
    """The check of a queue that has not ended."""
    return queue.checks.filter(state=SpotCheck.State.OPEN).select_related("created_by").first()


def to_look_at(check: SpotCheck) -> list[Sampled]:
    """The items of the sample that nobody looked at yet, in the order in which they were drawn."""
    return list(check.sample.filter(right=None).select_related("item").order_by("id"))
