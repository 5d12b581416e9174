"""Generated texts are texts: kept, shown, hidden, and erased with what was asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.inputs import BadContent
from monitoring.traffic import actions, page, queries
from monitoring.traffic.models import Feedback, Prediction
from registry.catalog.models import Endpoint
from tests.support.asked import ANSWER, ASKED, asked, generated, spooled

RIGHT = "look at orders"


def say(prediction, actor, **fields):
    return actions.record_feedback(
        prediction_id=prediction.uuid, right=False, actor=actor, **({"value": {"text": RIGHT}} | fields)
    )


def test_a_generated_text_is_a_prediction_with_its_text(writer):
    kept, bare = asked(writer, generated(writer), generated(writer, keep_text=False))

    assert (kept.text, kept.value, kept.label, kept.confidence) == (ASKED, {"text": ANSWER}, "stop", 0.5)
    assert (bare.text, bare.value, bare.label) == (None, None, "stop")
    assert queries.words_of(kept, kept.value, kept.label) == ANSWER


def test_a_dialogue_is_kept_as_its_messages(writer):
    turns = (("user", "hello"), ("assistant", "hi"), ("user", ASKED))
    outputs = generated(writer)["outputs"]

    (kept,) = asked(writer, spooled(writer, "generation", [turns], outputs))

    messages = [{"role": role, "content": text} for role, text in turns]
    assert (kept.text, kept.content) == (f"user: hello\nassistant: hi\nuser: {ASKED}", {"messages": messages})
    assert formats_of("chat").asked(kept.text, kept.content) == {"messages": messages}
    assert formats_of("chat").asked("hello", None) == {"messages": messages[:1]}
    assert formats_of("generation").asked("hello", None) is None
    with pytest.raises(BadContent):
        formats_of("generation").asked(kept.text, kept.content)


def test_a_long_text_is_kept(writer):
    (kept,) = asked(writer, generated(writer, text="ä" * 2_500))

    assert kept.value == {"text": "ä" * 2_500}


def test_pages_and_api_show_it_to_those_who_read_texts(writer, client_for, mia, omar):
    (kept,) = asked(writer, generated(writer))
    say(kept, mia)

    for person, seen in ((mia, True), (omar, False)):
        pages = [
            client_for(person).get(reverse("traffic:prediction", args=[kept.uuid])),
            client_for(person).get(reverse("traffic:recent", args=[writer.uuid])),
        ]
        shown = [[text in page.content.decode() for text in (ANSWER, RIGHT)] for page in pages]
        assert [page.status_code for page in pages] == [200, 200]
        assert shown[0] == [seen, seen]
        assert any(shown[1]) <= seen
        api = APIClient()
        api.force_authenticate(person)
        one = api.get(f"/api/v1/predictions/{kept.uuid}/").json()
        listed = api.get(f"/api/v1/endpoints/{writer.uuid}/predictions/").json()["results"][0]
        wanted = ({"text": ANSWER}, {"text": RIGHT}) if seen else (None, None)
        assert [(each["value"], each["feedback_value"]) for each in (one, listed)] == [wanted] * 2


def test_the_right_text_is_sent_from_the_page(writer, client_for, mia):
    (kept,) = asked(writer, generated(writer))
    given = {"right": "no", "text": RIGHT, "kind": "review"}

    response = client_for(mia).post(reverse("traffic:feedback", args=[kept.uuid]), given)

    assert response.status_code in (200, 302)
    assert list(Feedback.objects.values_list("right", "value")) == [(False, {"text": RIGHT})]


@pytest.mark.postgres
def test_it_is_erased_with_what_was_asked_and_what_would_be_right(writer, mia, settings):
    settings.PREDICTION_TEXT_DAYS = 1
    old = (timezone.now() - timedelta(days=2)).isoformat()
    first, second = asked(writer, generated(writer, at=old), generated(writer))
    for each in (first, second):
        say(each, mia)

    assert actions.forget_texts() == 1

    assert list(Prediction.objects.order_by("id").values_list("text", "value")) == [
        (None, None),
        (ASKED, {"text": ANSWER}),
    ]
    assert list(Feedback.objects.order_by("id").values_list("right", "value")) == [
        (False, None),
        (False, {"text": RIGHT}),
    ]


def test_the_right_text_is_refused_where_texts_are_not_stored(writer, mia):
    Endpoint.objects.filter(pk=writer.pk).update(keep_text=False)
    (bare,) = asked(writer, generated(writer, keep_text=False))

    with pytest.raises(Refused) as refusal:
        say(bare, mia)

    assert (list(refusal.value.fields), Feedback.objects.count()) == (["value"], 0)
    assert "text" not in page.feedback_form(bare).fields
    say(bare, mia, value=None)
    assert Feedback.objects.get().right is False
