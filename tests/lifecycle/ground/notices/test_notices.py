"""Notices: a person's own, once each, with inert text."""

from __future__ import annotations

import pytest
from django.urls import reverse

from lifecycle.ground.notices import actions, queries
from lifecycle.ground.notices.models import Notice

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


def test_each_person_gets_one_notice(mia, lee):
    actions.notify([mia, lee, mia], "Run 4 ended.", "/runs/4/")

    assert queries.unread(mia) == 1
    assert queries.unread(lee) == 1


def test_deactivated_people_get_no_notice(mia):
    mia.is_active = False

    actions.notify([mia], "Run 4 ended.")

    assert Notice.objects.count() == 0


@pytest.mark.parametrize("url", ["https://elsewhere.test/", "//elsewhere.test/", "javascript:alert(1)"])
def test_notice_never_leads_to_another_site(mia, url):
    with pytest.raises(ValueError, match="A notice must link to a page of this site, got"):
        actions.notify([mia], "Look.", url)

    assert Notice.objects.count() == 0


def test_page_shows_own_notices_inert(mia, lee, client_for):
    actions.notify([mia], "<b>Run 4</b> ended.", "/runs/4/")
    actions.notify([lee], "For Lee alone.")

    text = client_for(mia).get(reverse("notices:list")).content.decode()

    assert "&lt;b&gt;Run 4&lt;/b&gt; ended." in text
    assert "For Lee alone." not in text


@pytest.mark.postgres
def test_opening_a_notice_marks_it_read_and_goes_there(mia, client_for):
    (notice,) = actions.notify([mia], "Run 4 ended.", "/runs/4/")

    answer = client_for(mia).post(reverse("notices:read", args=[notice.uuid]))

    assert answer["Location"] == "/runs/4/"
    assert queries.unread(mia) == 0


def test_notice_of_another_person_is_not_found_and_stays_unread(mia, lee, client_for):
    (notice,) = actions.notify([mia], "Run 4 ended.", "/runs/4/")

    answer = client_for(lee).post(reverse("notices:read", args=[notice.uuid]))

    assert answer.status_code == 404
    assert queries.unread(mia) == 1


@pytest.mark.postgres
def test_all_read_leaves_newer_notices_unread(mia, client_for):
    (seen,) = actions.notify([mia], "Run 4 ended.")
    actions.notify([mia], "Run 5 ended.")

    client_for(mia).post(reverse("notices:read_all"), {"up_to": seen.pk}, **HTMX)

    assert [notice.text for notice in Notice.objects.filter(read_at=None)] == ["Run 5 ended."]


def test_bell_shows_the_number_of_unread_notices(mia, client_for):
    actions.notify([mia], "Run 4 ended.")

    text = client_for(mia).get(reverse("notices:unread"), **HTMX).content.decode()

    assert 'aria-label="Notices, 1 unread"' in text


def test_older_notices_are_on_the_next_page(mia, monkeypatch):
    monkeypatch.setattr(queries, "PAGE", 2)
    for n in range(3):
        actions.notify([mia], f"Run {n} ended.")

    first = queries.of(mia)
    second = queries.of(mia, before=first.before)

    assert [notice.text for notice in first.notices] == ["Run 2 ended.", "Run 1 ended."]
    assert [notice.text for notice in second.notices] == ["Run 0 ended."]
    assert second.before is None
