"""Reads a person's own notices."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.ground.notices.models import Notice
from lifecycle.ui import paging
from registry.ground.access.policy import Person

PAGE = 30
COUNT_MAX = 100


@dataclass(frozen=True, slots=True)
class Page:
    """One page, newest first. before: the key of the next (older) page, or None on the last."""

    notices: list[Notice]
    before: int | None

    @property
    def newest(self) -> int:
        """The key of the newest notice on the page, 0 on an empty one."""
        return self.notices[0].pk if self.notices else 0


def of(user: Person, *, before: int | None = None) -> Page:
    """The person's notices."""
    return Page(*paging.page(Notice.objects.filter(user=user.pk).order_by("-id"), before, PAGE))


def unread(user: Person) -> int:
    """How many of the person's notices are unread, counted up to 100."""
    return Notice.objects.filter(user=user.pk, read_at=None).order_by()[:COUNT_MAX].count()
