"""Reviewers settle disagreements, never their own answers, and their decisions are in the trail."""

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from datasets_app.prelabels.actions.suggestions import suggest
from datasets_app.queues.actions.managing import prefer
from datasets_app.queues.models import Decision, Dispute, Queue
from datasets_app.queues.queries.decisions import current_decision
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.review.queries.review import case, pair_history
from datasets_app.schemas.queries.labels import names_in
from tests.support.labeling import label_items, label_value, make_dataset, make_queue, queue_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia, ana, lee) -> Queue:
    queue = make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=2)
    label_items(queue, {ana: ["card", "card"], lee: ["billing", "card"]})
    return queue


def label(queue, name):
    return queue.schema.labels.get(name=name)


def settle(queue, actor, name="card", **options):
    item = queue_items(queue)[0]
    return adjudicate(
        queue_id=queue.uuid, item_id=item.uuid, actor=actor, value=label_value(label(queue, name)), **options
    )


@pytest.mark.parametrize("person", ["ana", "mia", "lee", "gita", "otto", "omar"])
def test_only_adjudicators_settle(queue, person, request):
    with pytest.raises(PermissionDenied):
        settle(queue, request.getfixturevalue(person))

    assert Decision.objects.filter(how="adjudicated").count() == 0


def test_the_pair_remembers_how_it_was_settled(queue, ravi):
    settle(queue, ravi)
    history = pair_history(queue, Dispute.objects.get().pair, names_in(queue.schema))

    assert (history.total, history.settled, history.leading, history.leading_count) == (1, 1, "card", 1)


def test_an_unknown_typed_label_is_a_field_error(queue, ravi, client_for):
    item = queue_items(queue)[0]
    answer_ = client_for(ravi).post(
        reverse("review:adjudicate", args=[queue.uuid]), {"item": item.uuid, "other": "crad", "reason": "x"}
    )

    assert (answer_.status_code, list(answer_.context["form"].errors)) == (422, ["other"])
    assert current_decision(item) is None


def test_an_analyst_gets_403_and_a_stranger_404(queue, ana, otto, client_for):
    url = reverse("review:review", args=[queue.uuid])

    assert client_for(ana).get(url).status_code == 403
    assert client_for(otto).get(url).status_code == 404


@pytest.mark.postgres
def test_a_reviewer_sees_first_what_the_queue_wants_shown_first(queue, mia, ravi):
    item = queue_items(queue)[0]
    for at, (source, name, suggested) in enumerate(
        (("run", "Run 7", "card"), ("model", "Model 2", "billing"))
    ):
        suggest(
            dataset=queue.dataset,
            rows=[(item.pk, suggested, 0.9)],
            source=source,
            source_digest=str(at) * 64,
            source_name=name,
        )

    shown = [case(queue, item, ravi).source]
    queue = prefer(queue_id=queue.uuid, actor=mia, source="run")
    shown.append(case(queue, item, ravi).source)

    assert shown == ["Model 2", "Run 7"]
