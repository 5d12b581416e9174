"""Notify people, and mark notices as read."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.utils import timezone

from lifecycle.ground.notices.models import Notice
from registry.ground.access.models import User
from registry.ground.access.policy import Person


def notify(users: Iterable[User], text: str, url: str = "") -> list[Notice]:
    """Notify each of these people once, in the caller's transaction if there is one. url: a path on this
    site, starting with one slash.
    """
    if url and (not url.startswith("/") or url.startswith("//")):
        raise ValueError(f"A notice must link to a page of this site, got {url!r}.")
    people = {user.pk: user for user in users if user.is_active}
    return Notice.objects.bulk_create(
        [Notice(user=user, text=text[:300], url=url) for user in people.values()], batch_size=500
    )


def mark_read(user: Person, notice_id: UUID) -> int:
    """Mark one of a person's notices as read. Returns 1, or 0 when it was read before or isn't theirs."""
    return Notice.objects.filter(user=user.pk, uuid=notice_id, read_at=None).update(read_at=timezone.now())


def mark_all_read(user: Person, *, up_to: int) -> int:
    """Mark a person's notices up to this key as read; newer ones stay unread. Returns how many changed."""
    return Notice.objects.filter(user=user.pk, pk__lte=up_to, read_at=None).update(read_at=timezone.now())
