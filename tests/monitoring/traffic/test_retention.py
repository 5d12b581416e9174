"""Old predictions are deleted with their feedback; what is still linked, and all figures, stay."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from monitoring.traffic import actions, queries
from monitoring.traffic.models import Feedback, Prediction, ShadowAnswer
from tests.support import endpoints
from tests.support.unchanged import append_only


@pytest.fixture
def old_and_new(answered, live_endpoint):
    now = timezone.now()
    ages = (now - timedelta(days=100), now - timedelta(days=95), now - timedelta(days=40))
    return answered(*(endpoints.spool_line(live_endpoint, at=at.isoformat()) for at in ages))


@pytest.mark.postgres
def test_old_predictions_go_with_their_feedback_and_the_counts_stay(
    old_and_new, live_endpoint, ana, monkeypatch
):
    import importlib

    monkeypatch.setattr(importlib.import_module("monitoring.traffic.actions.retention"), "BATCH", 1)
    actions.record_feedback(prediction_id=old_and_new[0].uuid, right=True, label="", actor=ana)
    actions.build_rollups()

    actions.clear_old()

    assert [row.pk for row in Prediction.objects.all()] == [old_and_new[2].pk]
    assert not Feedback.objects.exists()
    total = queries.total(live_endpoint, timezone.now() - timedelta(days=120), timezone.now())
    assert (total.requests, total.right) == (3, 1)


def test_texts_are_forgotten_endpoint_by_endpoint(old_and_new, live_endpoint, settings):
    with CaptureQueriesContext(connection) as statements:
        assert actions.forget_texts() == 3
    assert not Prediction.objects.exclude(text=None).exists()
    asked = [
        each["sql"]
        for each in statements
        if each["sql"].startswith("SELECT") and "traffic_prediction" in each["sql"]
    ]
    assert len(asked) == 2
    assert all('"endpoint_id" = ' in sql for sql in asked)


def test_what_a_trace_holds_on_to_stays(old_and_new, live_endpoint):
    from datasets_app.queues.models import Decision
    from lifecycle.roof.trace.models import Neighbour

    decision = Decision.objects.first()
    fields = {field.name for field in Neighbour._meta.concrete_fields}
    given = {
        "prediction": old_and_new[0],
        "item": decision.item,
        "decision": decision,
        "rank": 1,
        "similarity": 0.9,
        "position": 0,
    }
    Neighbour.objects.create(**{name: value for name, value in given.items() if name in fields})

    actions.clear_old()

    assert [row.pk for row in Prediction.objects.order_by("id")] == [old_and_new[0].pk, old_and_new[2].pk]


def test_shadow_answers_go_too(live_endpoint):
    for days in (100, 10):
        ShadowAnswer.objects.create(
            endpoint=live_endpoint,
            prediction_uuid="11111111-0000-4000-8000-000000000001",
            code=200,
            latency_ms=1.0,
            at=timezone.now() - timedelta(days=days),
        )

    actions.clear_old()

    assert ShadowAnswer.objects.count() == 1


@pytest.mark.postgres
def test_the_database_refuses_to_delete_young_ones(old_and_new):
    young = Prediction.objects.filter(pk=old_and_new[2].pk)
    Prediction.objects.filter(pk=old_and_new[0].pk).delete()
    endpoints_now = Prediction.objects.create(
        endpoint=old_and_new[2].endpoint, at=timezone.now() - timedelta(days=29), code=200, latency_ms=1.0
    )

    with append_only(Prediction):
        Prediction.objects.filter(pk=endpoints_now.pk).delete()
    with append_only(Prediction):
        young.update(label="other")
    assert (Prediction.objects.filter(pk=endpoints_now.pk).exists(), young.get().label) == (
        True,
        old_and_new[2].label,
    )
