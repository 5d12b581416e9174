"""The database refuses a state that cannot follow another, no matter who writes it and how."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from registry.promotions.models import PromotionRequest
from registry.promotions.rules import MOVES, Status
from tests.support.kept import rolled_back
from tests.support.registry import endpoint_rows
from tests.support.unchanged import no_move

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def path_to(status: Status) -> list[Status]:
    """The states from the first to this one."""
    paths = [[Status.DRAFT]]
    while paths[0][-1] != status:
        paths += [[*paths[0], new] for new in sorted(MOVES.get(paths[0][-1], ())) if new not in paths[0]]
        paths.pop(0)
    return paths[0]


def written(request: PromotionRequest, status: Status) -> bool:
    """Whether the database takes this state of the request."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE promotions_promotionrequest SET status = %s WHERE id = %s", [status, request.pk]
            )
    except DatabaseError:
        return False
    return True


def test_only_the_moves_of_the_rules_can_be_written(request_):
    given = {
        name: getattr(request_, name)
        for name in ("version", "policy", "requester", "plan", "subject", "subject_digest")
    }
    wrong = []
    for number, (old, endpoint) in enumerate(
        zip(Status, endpoint_rows(request_.endpoint, len(Status)), strict=True), 2
    ):
        row = PromotionRequest.objects.create(number=number, endpoint=endpoint, **given)
        assert all(written(row, step) for step in path_to(old)), old
        for new in Status:
            with rolled_back():
                if written(row, new) != (new == old or new in MOVES.get(old, ())):
                    wrong.append((old, new))
    assert not wrong


@pytest.mark.parametrize("status", [each for each in Status if each != Status.DRAFT])
def test_a_request_begins_as_a_draft(request_, status):
    (endpoint,) = endpoint_rows(request_.endpoint, 1)
    given = {name: getattr(request_, name) for name in ("version", "policy", "requester", "plan")}

    with no_move(PromotionRequest):
        PromotionRequest.objects.create(number=2, endpoint=endpoint, status=status, **given)

    assert PromotionRequest.objects.count() == 1
