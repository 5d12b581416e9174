"""What gold, the page and the API make of changes where a text may have several classes."""

import pytest
from django.urls import reverse

from datasets_app.quality.queries.gold import gold_lines
from datasets_app.queues.actions import mixing
from datasets_app.queues.queries.gold import draw_gold
from datasets_app.queues.queries.pages import get_queue
from datasets_app.review.queries.moves import touched
from datasets_app.schemas.actions.proposals import decline_proposal, propose_change
from datasets_app.schemas.models import GuidelineProposal, LabelSchema
from datasets_app.schemas.queries.labels import latest_schema, names_in
from datasets_app.schemas.relabeling import ChangeKind, Removed
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.task_types.values import rename, words
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.changing import TEXTS, change, label_all, labels, new_dataset, resolved_labels, sets, spans
from tests.support.gold import know
from tests.support.jobs import run_ok
from tests.support.labeling import make_queue
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def several(project, mia):
    return new_dataset(project, mia, "multi_label")


@pytest.fixture
def marked(project, mia):
    return new_dataset(project, mia, "spans")


# ── Gold ────────────────────────────────────────────────────────────────────
@pytest.mark.postgres
@pytest.mark.parametrize("task", ["multi_label", "spans"])
def test_gold_is_judged_through_merges_and_retirements(project, mia, ravi, ana, task):
    dataset = new_dataset(project, mia, task)
    item = dataset.items.order_by("id").first()
    value = (
        sets("lost", "billing", "transfer")
        if task == "multi_label"
        else spans((0, 2, "billing"), (3, 7, "lost"), (3, 7, "transfer"))
    )
    know(item, ravi, value)
    queue = make_queue(dataset, mia)
    change(dataset, mia, ("lost", "merge", ["card"]), ("transfer", "retire", []), move=[queue.uuid])
    queue = get_queue(mia, queue.uuid)
    ids = {name: str(label.stable_id) for name, label in labels(dataset).items()}
    now = sets("billing", "card") if task == "multi_label" else spans((0, 2, "billing"), (3, 7, "card"))

    known, right = mixing.judge_gold(item, rename(now, ids))

    assert (known.item, right) == (item, True)
    assert draw_gold(queue, ana, 1, 0) == [known]
    line = gold_lines([known], names_in(queue.schema), reads=True)[0]
    assert line.gold.words == words(rename(now, ids), names_in(queue.schema), item.text)


# ── What it touches, on the page and over REST ──────────────────────────────
def test_the_preview_counts_withdrawn_decisions(several, mia, ana):
    label_all(
        make_queue(several, mia),
        ana,
        [sets("lost"), sets("lost", "transfer"), sets("lost", "card"), sets("card")],
    )
    now = labels(several)
    removed = {name: Removed(now[name].stable_id, name, ChangeKind.RETIRE) for name in ("lost", "transfer")}

    alone = touched(several, removed["lost"], [removed["lost"]])
    both = touched(several, removed["lost"], list(removed.values()))
    split = touched(several, Removed(now["lost"].stable_id, "lost", ChangeKind.SPLIT, ("a", "b")), [])

    assert [
        (each.resolved_labels, each.withdrawn, each.annotations, each.queues) for each in (alone, both, split)
    ] == [
        (3, 1, 3, 1),
        (3, 2, 3, 1),
        (3, 3, 3, 1),
    ]


def test_the_page_shows_it_before_anything_is_published(several, mia, ana, client_for):
    label_all(make_queue(several, mia), ana, [sets("lost"), sets("lost", "card")])
    data = {
        "seen": 1,
        "step": "look",
        "class_1": str(labels(several)["lost"].stable_id),
        "kind_1": "retire",
        "into_1": "",
    }

    page = client_for(mia).post(reverse("review:change_labels", args=[several.uuid]), data).content.decode()

    assert 'data-retired="withdraws"' in page
    assert '<td class="num" data-l="resolved labels">2</td><td class="num" data-l="withdrawn">1</td>' in page
    assert (
        LabelSchema.objects.count(),
        Job.objects.count(),
        Event.objects.filter(verb=Verb.LABELS_CHANGED).count(),
    ) == (1, 0, 0)


@pytest.mark.postgres
def test_sets_are_changed_over_rest(several, mia, ana, client_for):
    label_all(make_queue(several, mia), ana, [sets("lost", "card"), sets("lost")])
    client, base = client_for(mia), f"/api/v1/labeling/datasets/{several.uuid}/labels"
    sent = {
        "changes": [{"label": str(labels(several)["lost"].stable_id), "kind": "retire", "into": []}],
        "seen": 1,
    }

    looked = client.post(f"{base}/preview/", sent, content_type="application/json").json()
    made = client.post(f"{base}/change/", sent, content_type="application/json")
    run_ok()

    removed = {
        "name": "lost",
        "kind": "retire",
        "into": [],
        "resolved_labels": 2,
        "withdrawn": 1,
        "annotations": 2,
        "prelabels": 0,
        "queues": 1,
    }
    assert (looked["removed"], made.status_code) == ([removed], 201)
    assert resolved_labels(several) == [(TEXTS[0], sets("card"), "single")]


# ── Proposals that are about it ─────────────────────────────────────────────
@pytest.fixture
def proposal(several, ana) -> GuidelineProposal:
    other = [labels(several)["billing"].stable_id]
    propose_change(dataset_id=several.uuid, actor=ana, text="Say more of bills.", labels=other)
    about = [labels(several)[name].stable_id for name in ("lost", "card")]
    return propose_change(dataset_id=several.uuid, actor=ana, text="Lost is a kind of card.", labels=about)


def sent(dataset, **more):
    return {
        "seen": 1,
        "step": "look",
        "class_1": str(labels(dataset)["lost"].stable_id),
        "kind_1": "merge",
        "into_1": "card",
        **more,
    }


@pytest.mark.postgres
def test_open_proposals_about_a_changed_class_are_offered_and_taken_up(several, proposal, mia, client_for):
    client, url = client_for(mia), reverse("review:change_labels", args=[several.uuid])
    looked = client.post(url, sent(several))
    page = looked.content.decode()
    assert ("Lost is a kind of card." in page, "Say more of bills." in page) == (True, False)

    data = sent(
        several,
        step="publish",
        looked=looked.context["form"].initial["looked"],
        accepting=[str(proposal.uuid)],
    )
    client.post(url, data)

    proposal.refresh_from_db()
    assert (proposal.state, proposal.accepted_in, proposal.closed_by) == (
        "accepted",
        latest_schema(several),
        mia,
    )
    assert GuidelineProposal.objects.filter(state="open").count() == 1
    assert Event.objects.filter(verb=Verb.PROPOSAL_ADOPTED).count() == 1


def test_a_proposal_that_was_answered_meanwhile_stops_the_change(several, proposal, mia):
    decline_proposal(proposal_id=proposal.uuid, actor=mia, reason="It is not.")

    with pytest.raises(Conflict):
        change(several, mia, ("lost", "merge", ["card"]), accepting=[proposal.uuid])

    assert (
        LabelSchema.objects.count(),
        Job.objects.count(),
        Event.objects.filter(verb=Verb.LABELS_CHANGED).count(),
    ) == (1, 0, 0)


def test_a_change_in_which_nothing_differs_takes_up_no_proposal(several, proposal, mia):
    with refused("accepting", match="identical to version 1, so it can't include a proposal"):
        change(several, mia, ("lost", "rename", ["lost"]), accepting=[proposal.uuid])

    proposal.refresh_from_db()
    assert (proposal.state, LabelSchema.objects.count()) == ("open", 1)
