"""The candidates of a ranking are stored, shown, hidden, and erased with its text."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from monitoring.traffic import actions, queries, spool
from monitoring.traffic.models import Prediction
from tests.support import endpoints
from tests.support.asked import CASES, THREE, asked, asked_case, live_of, spooled

ASKED = {"responses": list(THREE)}


@pytest.fixture
def ranker(project, mia, ravi, lee, gita, omar):
    return live_of("ranking")


@pytest.fixture
def preferrer(project, mia, ravi, lee, gita, omar):
    return live_of("preference")


@pytest.mark.postgres
def test_candidates_are_stored_with_their_text_in_the_order_of_the_request(ranker):
    case = CASES["ranking"]
    unkept = spooled(ranker, "ranking", case.rows[:1], case.entries[:1], keep_text=False)

    first, *others = asked_case(ranker, "ranking")
    *_, hidden = asked(ranker, unkept, endpoints.spool_line(ranker))[:-1]
    text = Prediction.objects.order_by("id").last()

    assert (first.text, first.content) == ("Where is my new card?", ASKED)
    assert [each.content for each in others] == [
        {"responses": ["Five days.", "Soon."]},
        {"responses": ["Hello.", "Hi."]},
    ]
    assert (hidden.text, hidden.content, hidden.value) == (None, None, first.value)
    assert (text.text, text.content) == ("I lost my card", None)


@pytest.mark.postgres
def test_candidates_are_erased_with_their_text(ranker, settings):
    settings.PREDICTION_TEXT_DAYS = 1
    case, old = CASES["ranking"], (timezone.now() - timedelta(days=2)).isoformat()
    line = spooled(ranker, "ranking", case.rows, case.entries)
    asked(ranker, line | {"at": old}, spooled(ranker, "ranking", case.rows[:1], case.entries[:1]))

    assert actions.forget_texts() == 3

    left = Prediction.objects.exclude(text=None, content=None).get()
    assert (left.text, left.content) == (case.rows[0][0], ASKED)
    with pytest.raises(IntegrityError), transaction.atomic():
        Prediction.objects.filter(pk=left.pk).update(text=None)
    left.refresh_from_db()
    assert (left.text, left.content) == (case.rows[0][0], ASKED)


def test_the_page_shows_candidates_by_rank_to_those_who_read_texts(ranker, client_for, mia, omar):
    first, *_ = asked_case(ranker, "ranking")
    address = reverse("traffic:prediction", args=[first.uuid])

    shown, hidden = client_for(mia).get(address), client_for(omar).get(address)

    assert [tuple(each) for each in shown.context["candidates"]] == [
        (1, 1, "Wait a day."),
        (2, 3, "No idea."),
        (3, 2, "Block it in the app."),
    ]
    html = shown.content.decode()
    places = [html.index(each) for each in ("Wait a day.", "No idea.", "Block it in the app.")]
    assert places == sorted(places)
    assert hidden.context["candidates"] == []
    assert not any(each in hidden.content.decode() for each in THREE)


def test_equal_candidates_share_a_rank_and_those_of_no_prediction_have_none(preferrer):
    _, tie = asked_case(preferrer, "preference")
    assert [(each.rank, each.number) for each in queries.candidates(tie)] == [(1, 1), (1, 2)]

    failed = spooled(preferrer, "preference", CASES["preference"].rows[:1], []) | {"code": 500}
    *_, last = asked(preferrer, failed)
    assert not last.is_answered
    assert [(each.rank, each.number) for each in queries.candidates(last)] == [(None, 1), (None, 2)]


def test_the_api_gives_candidates_to_those_who_read_texts(ranker, mia, omar):
    first, *_ = asked_case(ranker, "ranking")
    for person, content in ((mia, ASKED), (omar, None)):
        api = APIClient()
        api.force_authenticate(person)
        assert api.get(f"/api/v1/predictions/{first.uuid}/").json()["content"] == content
        listed = api.get(f"/api/v1/endpoints/{ranker.uuid}/predictions/").json()["results"]
        assert [each["content"] for each in listed if each["uuid"] == str(first.uuid)] == [content]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *(("candidates", each) for each in ("one", {"a": "b"}, ["one", 2], [None])),
        *(("messages", each) for each in ("one", ["one"], [{"role": "user"}], [{"role": 1, "content": ""}])),
    ],
)
def test_what_is_no_text_and_no_message_is_refused(name, given):
    with pytest.raises(ValueError, match=name.capitalize()):
        spool.beside({name: given})


def test_candidates_are_cleaned_as_texts_are():
    assert spool.beside({"candidates": ["a\x00b", "c\ud800"]}) == {"responses": ["a\ufffdb", "c?"]}
    assert spool.beside({"messages": [{"role": "user", "content": "a\x00b"}]}) == {
        "messages": [{"role": "user", "content": "a\ufffdb"}]
    }
    assert (spool.beside({}), spool.beside({"candidates": []})) == (None, None)
