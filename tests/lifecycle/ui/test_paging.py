"""Keyset pages: each row is on one page, and the last page has no next."""

import pytest

from lifecycle.ui import paging
from registry.ground.access.models import User


@pytest.mark.django_db
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 5])
def test_every_row_is_on_one_page(rows):
    User.objects.bulk_create([User(username=f"person-{number}") for number in range(rows)])
    newest = User.objects.order_by("-pk")

    seen, older, pages = [], None, 0
    while pages == 0 or older is not None:
        page, older = paging.page(newest, older, 2)
        seen, pages = seen + page, pages + 1

    assert seen == list(newest)
    assert pages == max(1, -(-rows // 2))


@pytest.mark.django_db
def test_the_key_is_what_the_rows_are_sorted_by():
    User.objects.bulk_create([User(username=name) for name in ("ana", "gita", "mia")])
    rows = User.objects.order_by("-username")

    page, older = paging.page(rows, None, 2, key="username")

    assert ([user.username for user in page], older) == (["mia", "gita"], "gita")
    assert [user.username for user in paging.page(rows, older, 2, key="username")[0]] == ["ana"]


@pytest.mark.parametrize(
    ("given", "links"),
    [
        ({"before": None, "older": None}, ("", "")),
        ({"before": None, "older": 7}, ("", "?before=7")),
        ({"before": 9, "older": None}, ("?", "")),
        ({"before": 9, "older": 7, "first": "/datasets/"}, ("/datasets/", "?before=7")),
        ({"before": 9, "older": 7, "kept": "severity=page"}, ("?severity=page", "?severity=page&before=7")),
    ],
)
def test_where_the_buttons_lead(given, links):
    assert paging.links(**given) == {"previous": links[0], "next": links[1], "about": None}
