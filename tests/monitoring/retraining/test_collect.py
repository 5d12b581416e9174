"""The wrong and least confident inputs become items and a queue, and feedback never becomes a label."""

import re
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from datasets_app.datasets.models import Item
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models import Decision, Queue
from datasets_app.schemas.models import Label
from lifecycle.ground.notices.models import Notice
from lifecycle.runtime.refusals import Conflict
from monitoring.retraining import actions, rules
from monitoring.retraining.actions import steps
from monitoring.retraining.models import Pick, Proposal
from monitoring.retraining.queries import texts
from monitoring.retraining.rules import Candidate, State
from monitoring.traffic import actions as traffic_actions
from monitoring.traffic.models import Prediction
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from tests.monitoring.retraining.conftest import approve, collect, label_queue
from tests.support.datasets import import_texts
from tests.support.jobs import run_ok
from tests.support.people import make_person
from tests.support.unchanged import refused


@pytest.fixture
def omars(endpoint, traffic, omar) -> Proposal:
    """Omar's, who does not read texts: none were copied."""
    return collect(actions.propose(endpoint_id=endpoint.uuid, actor=omar, queue_items=10))


def figures_in(note):
    return [int(each) for each in re.findall(r"\d+", note)]


def test_a_fifth_is_a_fair_sample_then_the_wrong_then_the_unsure():
    rows = [Candidate(n, f"text {n}", n / 100, n in (3, 4)) for n in range(40)]

    choice = rules.choose(rows, known=frozenset(), limit=10, seed="a")

    kinds = [kind for _, kind in choice.chosen]
    sample = {pk for pk, kind in choice.chosen if kind == "sample"}
    wrong = [pk for pk, kind in choice.chosen if kind == "wrong"]
    unsure = [pk for pk, kind in choice.chosen if kind == "unsure"]
    assert (len(kinds), kinds.count("sample")) == (10, 2)
    assert set(wrong) == {3, 4} - sample
    assert unsure == [n for n in range(40) if n not in sample and n not in (3, 4)][: len(unsure)]
    assert rules.choose(rows, known=frozenset(), limit=10, seed="a") == choice


def test_texts_that_repeat_or_are_known_are_left_out_and_counted():
    rows = [
        Candidate(1, "a", 0.5, False),
        Candidate(2, "a", 0.4, True),
        Candidate(3, "b", 0.1, False),
        Candidate(4, "c", 0.9, False),
    ]

    choice = rules.choose(rows, known=frozenset({"b"}), limit=10, seed="s")

    assert sorted(pk for pk, _ in choice.chosen) == [2, 4]
    assert (choice.repeated, choice.known) == (1, 1)


def test_the_queue_holds_items_that_know_their_predictions(collected, traffic, mia):
    found = collected

    picks = list(Pick.objects.filter(proposal=found).select_related("item", "prediction"))
    assert (found.items, len(picks), found.queue.items_total, found.queue.created_by) == (15, 15, 15, mia)
    assert found.queue.source == Queue.Source.UPLOAD
    for pick in picks:
        assert pick.item.text == pick.prediction.text
        assert pick.item.external_id == str(pick.prediction.uuid)
        assert pick.item.split == ("test" if pick.kind == "sample" else "train")
    assert {pick.kind for pick in picks} == {"wrong", "unsure", "sample"}
    kinds = Counter(pick.kind for pick in picks)
    assert sorted(figures_in(found.collect_note)) == sorted(kinds.values())


def test_feedback_is_no_label(collected):
    found = collected

    items = Item.objects.filter(upload=found.upload)
    assert Pick.objects.filter(proposal=found, kind="wrong", label="refund").exists()
    assert not Decision.objects.filter(item__in=items).exists()
    assert not Suggestion.objects.filter(item__in=items).exists()
    assert set(items.values_list("metadata", flat=True).distinct()[0]) == {"endpoint"}
    assert Label.objects.filter(schema=found.queue.schema).count() == 3


def test_known_and_erased_texts_are_skipped_and_counted(endpoint, traffic, mia, snapshot):
    import_texts(snapshot.dataset, [(traffic[0].text.upper() + "!", "refund")], mia)
    Prediction.objects.filter(pk__in=[each.pk for each in traffic[1:4]]).update(text=None)

    found = collect(actions.propose(endpoint_id=endpoint.uuid, actor=mia, queue_items=100))

    assert found.items == 26
    assert figures_in(found.collect_note)[-2:] == [1, 3]
    assert sum(figures_in(found.collect_note)[:-2]) == 26
    assert (
        Item.objects.filter(
            normal_digest=Item.objects.get(text=traffic[0].text.upper() + "!").normal_digest
        ).count()
        == 1
    )


def test_a_window_without_texts_shows_it_and_stays_open(endpoint, mia):
    found = collect(actions.propose(endpoint_id=endpoint.uuid, actor=mia))

    assert (found.state, found.queue, found.upload) == ("open", None, None)
    assert found.collect_note.startswith("No new texts in the window")


def test_where_no_one_behind_it_may_read_texts_none_is_copied(omars, mia, lee):
    """Neither on-call, who asks, nor the lead, who approves, reads texts; Mia trained the live version, and
    is asked, not named.
    """
    found = collect(approve(omars, lee))

    assert (found.upload, found.queue, found.collected_by, Pick.objects.count()) == (None, None, None, 0)
    assert not Item.objects.filter(text__contains="new wish").exists()
    assert (
        found.blocked_by
        == "No one responsible for this proposal can both read its texts and open a labeling queue. An ML"
        " engineer can collect the texts here."
    )
    notices = Notice.objects.filter(
        text="Proposal 1 to retrain support-inbox-prod needs someone who can read its texts to collect them."
    )
    assert [row.user for row in notices] == [mia]


@pytest.mark.postgres
@pytest.mark.parametrize("approved", [False, True])
def test_who_may_read_texts_collects_them_in_their_own_name(omars, client_for, omar, mia, lee, approved):
    proposal = omars
    if approved:
        approve(proposal, lee)
    page, address = f"/retraining/{proposal.uuid}/", f"/api/v1/retraining/{proposal.uuid}/collect/"
    form = f'action="/retraining/{proposal.uuid}/collect/"'
    assert form in client_for(mia).get(page).content.decode()

    for each in (omar, lee):
        assert client_for(each).post(address).status_code == 403
    assert Proposal.objects.get().collected_by is None
    for _ in range(2):
        assert client_for(mia).post(address).status_code == 200
    found = collect(proposal)

    assert (found.collected_by, found.upload.uploaded_by, found.items, found.queue.created_by) == (
        mia,
        mia,
        10,
        mia,
    )
    assert [event.actor for event in Event.objects.filter(verb="retraining.collected")] == [str(mia.uuid)]
    assert form not in client_for(mia).get(page).content.decode()


def test_what_someone_behind_it_collects_is_taken_on_by_no_one_else(proposed, project):
    other = make_person("emil", project=project, role=Role.ENGINEER)

    with refused(by=Conflict):
        actions.collect_texts(proposal_id=proposed.uuid, actor=other)


def test_texts_are_read_before_the_proposal_is_locked(proposed, monkeypatch):
    seen = []
    lock, read = steps.lock, texts.window_texts
    monkeypatch.setattr(steps, "lock", lambda uuid: seen.append("lock") or lock(uuid))
    monkeypatch.setattr(texts, "window_texts", lambda proposal: seen.append("read") or read(proposal))

    actions.advance(proposed.uuid)

    assert (seen[:2], seen.count("read")) == (["read", "lock"], 1)


def test_predictions_reported_wrong_are_found_however_many_follow(proposed, traffic, monkeypatch):
    monkeypatch.setattr(texts, "POOL", 10)

    found = texts.window_texts(proposed)

    assert [each.kept.uuid for each in found.texts] == [
        each.uuid for each in [*traffic[:10], *traffic[20:]][::-1]
    ]
    assert {found.texts[each.pk].kept.uuid for each in found.candidates if each.wrong} == {
        each.uuid for each in traffic[:10]
    }
    assert set(found.right.values()) == {"refund"}
    with CaptureQueriesContext(connection) as statements:
        texts.window_texts(proposed)
    assert len(statements) == 4


def test_the_newest_feedback_decides_what_is_wrong(proposed, traffic, ana):
    traffic_actions.record_feedback(prediction_id=traffic[0].uuid, right=True, label="", actor=ana)
    Prediction.objects.filter(pk=traffic[1].pk).update(text=None)

    found = texts.window_texts(proposed)

    assert set(found.right) == {each.uuid for each in traffic[2:10]}
    assert found.missing == 1


@pytest.mark.parametrize("upload", ["failed", "inspected"])
def test_an_import_that_fails_is_reported(proposed, upload):
    from datasets_app.datasets.models import Upload

    actions.advance(proposed.uuid)
    Upload.objects.filter(file_name="retraining-1.jsonl").update(state=upload)

    found = actions.advance(proposed.uuid)
    assert (found.state, found.queue) == ("open", None)
    assert (found.collected_at is None, found.items, found.upload.state) == (False, 0, upload)
    assert Upload(state=upload).get_state_display().lower() in found.collect_note


def test_collecting_twice_makes_one_queue(proposed):
    for _ in range(3):
        actions.advance(proposed.uuid)
        run_ok("default")
        actions.tick()

    assert Queue.objects.filter(name__startswith="Retraining 1").count() == 1
    assert Pick.objects.count() == 15
    assert Proposal.objects.get().items == 15


def test_a_finished_queue_is_enough_with_fewer_labels(endpoint, traffic, mia, lee, ana):
    proposal = actions.propose(endpoint_id=endpoint.uuid, actor=mia, min_labels=500, queue_items=6)
    approve(collect(proposal), lee)
    label_queue(proposal, ana)

    assert actions.advance(proposal.uuid).state == State.RUNNING
