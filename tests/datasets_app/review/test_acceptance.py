"""Where a reviewer accepts what people agree on: it waits, a sample is looked at, and the others are decided
together.
"""

from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from datasets_app.queues.actions.answers import undo
from datasets_app.queues.models import Agreed, Decision, Dispute, Queue
from datasets_app.review.actions import reviews
from datasets_app.review.actions.checks import accept_check, drop_check, start_check
from datasets_app.review.actions.reviews import return_to_annotators, undo_decision
from datasets_app.review.models import Sampled, SpotCheck
from datasets_app.review.queries.checks import counted_checks, earlier_of, sample_of, to_review
from datasets_app.schemas.queries.labels import labels_by_id, labels_by_name
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.ui.numbers import percent
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.jobs import run_ok
from tests.support.labeling import (
    answer,
    label_items,
    label_value,
    make_annotator,
    make_dataset,
    make_queue,
    queue_items,
)
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


def make(project, mia, count: int = 6, **options) -> Queue:
    options = {"overlap": 2, "acceptance": "reviewer"} | options
    return make_queue(make_dataset(project, mia, [f"text {n}" for n in range(count)]), mia, **options)


def counters(queue: Queue) -> tuple[int, int, int]:
    """(waiting to be accepted, decided, disputed)"""
    queue.refresh_from_db()
    return queue.items_agreed, queue.items_labeled, queue.items_disputed


def decide(queue: Queue, actor, item, label: str, **options) -> Decision:
    value = label_value(labels_by_name(queue.schema)[label])
    return reviews.adjudicate(queue_id=queue.uuid, item_id=item.uuid, actor=actor, value=value, **options)


@pytest.fixture
def bo(project):
    return make_annotator(project, "bo")


@pytest.fixture
def agreed(project, mia, ana, bo) -> Queue:
    """Six items on which Ana and Bo agree."""
    queue = make(project, mia)
    label_items(queue, {ana: ["card"] * 6, bo: ["card"] * 6})
    return queue


@pytest.fixture
def of_the_reviewer(project, mia, ravi, bo) -> Queue:
    """Three items on which two people agree each; Ravi is one of the two on the first."""
    queue = make(project, mia, 3)
    label_items(
        queue, {ravi: ["card"], bo: ["card"] * 3, make_annotator(project, "cleo"): ["", "card", "card"]}
    )
    return queue


def check_all(queue: Queue, ravi, *, size: int = 2, tolerated: int = 0) -> SpotCheck:
    """A sample of which all is found right."""
    check = start_check(queue_id=queue.uuid, actor=ravi, size=size, tolerated=tolerated)
    for row in to_review(check):
        decide(queue, ravi, row.item, "card")
    return check


# ── What waits ──────────────────────────────────────────────────────────────


def test_where_a_rule_accepts_they_are_decided_at_once(project, mia, ana, bo):
    queue = make(project, mia, 1, acceptance="rule")
    label_items(queue, {ana: ["card"], bo: ["card"]})
    assert counters(queue) == (0, 1, 0)


def test_items_on_which_people_differ_go_to_review_as_ever(project, mia, ana, bo):
    queue = make(project, mia, 2)
    label_items(queue, {ana: ["card", "card"], bo: ["card", "billing"]})
    assert counters(queue) == (1, 0, 1)


def test_an_undone_answer_ends_the_waiting_and_the_same_answer_begins_it_again(agreed, bo):
    undo(queue_id=agreed.uuid, actor=bo, client_key=uuid4())
    assert counters(agreed) == (5, 0, 0)
    answer(agreed, bo, queue_items(agreed)[5], "card")
    assert counters(agreed) == (6, 0, 0)


def test_an_item_that_a_reviewer_returns_waits_no_more(agreed, ravi):
    item = queue_items(agreed)[0]
    return_to_annotators(queue_id=agreed.uuid, item_id=item.uuid, actor=ravi, comment="Look at the amount.")
    assert counters(agreed) == (5, 0, 0)


@pytest.mark.postgres
def test_a_different_imported_label_is_a_dispute_and_not_accepted(agreed, ravi, ana, bo):
    item = queue_items(agreed)[0]
    labels = labels_by_id(agreed.schema)
    billing = next(label for label in labels.values() if label.name == "billing")
    Decision.objects.create(item=item, label=billing, how="imported", by=ravi, digest="0" * 64)
    answer(agreed, bo, item, "card")

    assert counters(agreed) == (5, 0, 1)
    assert Dispute.objects.get().item == item


# ── The sample ──────────────────────────────────────────────────────────────


def test_a_sample_is_drawn_of_what_waits_and_its_items_are_judged_by_deciding_them(agreed, ravi):
    check = start_check(queue_id=agreed.uuid, actor=ravi, size=3, tolerated=40)
    first, second, third = to_review(check)
    assert {row.item_id for row in (first, second, third)} <= {item.pk for item in queue_items(agreed)}

    decide(agreed, ravi, first.item, "card")
    decide(agreed, ravi, second.item, "billing", reason="It is about an invoice.")
    found = sample_of(check)
    assert (found.size, found.right, found.wrong, found.left, found.share) == (3, 1, 1, 1, 0.5)
    assert [round(edge, 4) for edge in found.interval] == [0.0945, 0.9055]  # Wilson 1927, of 1 in 2
    assert counters(agreed) == (4, 2, 0)


def test_a_returned_item_of_the_sample_counts_as_wrong(agreed, ravi):
    check = start_check(queue_id=agreed.uuid, actor=ravi, size=1, tolerated=0)
    return_to_annotators(
        queue_id=agreed.uuid, item_id=to_review(check)[0].item.uuid, actor=ravi, comment="No."
    )
    assert (sample_of(check).right, sample_of(check).wrong) == (0, 1)


def test_an_undone_decision_is_to_be_looked_at_again(agreed, ravi):
    check = check_all(agreed, ravi, size=2)
    assert sample_of(check).left == 0
    undo_decision(queue_id=agreed.uuid, actor=ravi)
    assert (sample_of(check).right, sample_of(check).left) == (1, 1)
    assert counters(agreed) == (5, 1, 0)


def test_an_item_with_changed_annotations_leaves_the_sample(agreed, ravi, bo):
    check = start_check(queue_id=agreed.uuid, actor=ravi, size=6, tolerated=0)
    answer(agreed, bo, queue_items(agreed)[0], "billing")
    assert sample_of(check).size == 5


def test_a_reviewer_gets_no_item_that_they_labeled_themself(of_the_reviewer, ravi):
    items = queue_items(of_the_reviewer)

    check = start_check(queue_id=of_the_reviewer.uuid, actor=ravi, size=500, tolerated=0)
    assert {row.item_id for row in to_review(check)} == {items[1].pk, items[2].pk}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"size": 0}, "size"),
        ({"size": 501}, "size"),
        ({"tolerated": 51}, "tolerated"),
        ({"tolerated": -1}, "tolerated"),
    ],
)
def test_numbers_out_of_range_are_refused_by_field(agreed, ravi, given, field):
    with pytest.raises(Refused) as refused:
        start_check(queue_id=agreed.uuid, actor=ravi, **({"size": 2, "tolerated": 0} | given))
    assert list(refused.value.fields) == [field]
    assert not SpotCheck.objects.exists()


def test_where_nothing_waits_no_sample_is_drawn(project, mia, ravi):
    queue = make(project, mia, 1)
    with refused():
        start_check(queue_id=queue.uuid, actor=ravi, size=2, tolerated=0)
    assert not SpotCheck.objects.exists()


def test_there_is_one_check_at_a_time(agreed, ravi):
    start_check(queue_id=agreed.uuid, actor=ravi, size=2, tolerated=0)
    with refused(
        by=Conflict,
        naming=(
            str(ravi),
            "Batch 1",
        ),
    ):
        start_check(queue_id=agreed.uuid, actor=ravi, size=2, tolerated=0)
    assert SpotCheck.objects.count() == 1


def test_an_annotator_draws_no_sample(agreed, ana):
    with pytest.raises(PermissionDenied):
        start_check(queue_id=agreed.uuid, actor=ana, size=2, tolerated=0)
    assert not SpotCheck.objects.exists()


# ── Accepting ───────────────────────────────────────────────────────────────


def test_what_agreed_after_the_sample_was_drawn_still_waits(project, mia, ravi, ana, bo):
    queue = make(project, mia, 3)
    items = queue_items(queue)
    label_items(queue, {ana: ["card"] * 3, bo: ["card"] * 2})
    check = check_all(queue, ravi, size=1)
    answer(queue, bo, items[2], "card")
    accept_check(check_id=check.uuid, actor=ravi)
    run_ok("default")

    assert counters(queue) == (1, 2, 0)
    assert Agreed.objects.get().item == items[2]


@pytest.mark.parametrize(("own", "other"), [(9, 3), (3, 9)])
def test_items_that_the_reviewer_labeled_are_left_for_another(of_the_reviewer, ravi, monkeypatch, own, other):
    monkeypatch.setattr("datasets_app.review.actions.checks.secrets.randbelow", lambda most: 5)
    queue = of_the_reviewer
    theirs = Agreed.objects.filter(queue=queue, item__in=queue.annotations.filter(user=ravi).values("item"))
    Agreed.objects.filter(queue=queue).update(place=other)
    theirs.update(place=own)
    check = check_all(queue, ravi, size=1)
    accept_check(check_id=check.uuid, actor=ravi)
    run_ok("default")

    check.refresh_from_db()
    assert (check.accepted, check.left_out, counters(queue)) == (1, 1, (1, 2, 0))


def test_a_sample_that_was_not_looked_at_whole_accepts_nothing(agreed, ravi):
    check = start_check(queue_id=agreed.uuid, actor=ravi, size=2, tolerated=50)
    decide(agreed, ravi, to_review(check)[0].item, "card")
    with refused(naming=("1 of the sample's 2 items",)):
        accept_check(check_id=check.uuid, actor=ravi)
    assert (SpotCheck.objects.get().state, Job.objects.filter(kind="review.accept").count()) == ("open", 0)


def test_a_sample_with_more_wrong_than_tolerated_accepts_nothing(agreed, ravi):
    check = start_check(queue_id=agreed.uuid, actor=ravi, size=2, tolerated=49)
    first, second = to_review(check)
    decide(agreed, ravi, first.item, "card")
    decide(agreed, ravi, second.item, "billing", reason="An invoice.")
    with refused(
        naming=(
            "1 of 2",
            "49",
        )
    ):
        accept_check(check_id=check.uuid, actor=ravi)
    assert (SpotCheck.objects.get().state, counters(agreed)) == ("open", (4, 2, 0))


@pytest.mark.postgres
def test_a_dropped_check_accepts_nothing_and_makes_room_for_another(agreed, ravi):
    check = check_all(agreed, ravi)
    drop_check(check_id=check.uuid, actor=ravi)
    with refused(by=Conflict, naming=("dropped",)):
        accept_check(check_id=check.uuid, actor=ravi)
    assert counters(agreed) == (4, 2, 0)
    assert start_check(queue_id=agreed.uuid, actor=ravi, size=9, tolerated=0).sample.count() == 4


def found_wrong(queue: Queue, ravi, *, size: int) -> SpotCheck:
    """A sample of which the first is found wrong, dropped."""
    check = start_check(queue_id=queue.uuid, actor=ravi, size=size, tolerated=0)
    decide(queue, ravi, to_review(check)[0].item, "billing", reason="An invoice.")
    return drop_check(check_id=check.uuid, actor=ravi)


def test_a_rejected_sample_counts_in_the_next_one(agreed, ravi):
    found_wrong(agreed, ravi, size=1)
    check = check_all(agreed, ravi, size=2)

    assert (check.earlier_judged, check.earlier_wrong) == (1, 1)
    with refused(
        naming=(
            "0 of 2",
            "1 of 3",
            "0 %",
        )
    ):
        accept_check(check_id=check.uuid, actor=ravi)
    assert (SpotCheck.objects.get(pk=check.pk).state, counters(agreed)) == ("open", (3, 3, 0))


def test_what_an_earlier_sample_left_unjudged_is_drawn_first(agreed, ravi):
    left = {row.item_id for row in to_review(found_wrong(agreed, ravi, size=4))}

    check = start_check(queue_id=agreed.uuid, actor=ravi, size=3, tolerated=0)

    assert {row.item_id for row in to_review(check)} == left


def test_earlier_samples_count_no_more_when_nothing_that_waited_then_still_waits(agreed, ravi, ana, bo):
    found_wrong(agreed, ravi, size=1)
    for row in list(Agreed.objects.select_related("item")):
        answer(agreed, bo, row.item, "billing")
        answer(agreed, ana, row.item, "billing")

    check = start_check(queue_id=agreed.uuid, actor=ravi, size=2, tolerated=0)

    assert (check.waiting, check.earlier_judged) == (5, 0)


def test_earlier_samples_count_no_more_after_an_acceptance(of_the_reviewer, ravi):
    queue = of_the_reviewer
    found_wrong(queue, ravi, size=1)
    check = start_check(queue_id=queue.uuid, actor=ravi, size=1, tolerated=50)
    decide(queue, ravi, to_review(check)[0].item, "card")
    check.refresh_from_db()
    SpotCheck.objects.filter(pk=check.pk).update(state="accepted")

    assert earlier_of(counted_checks(queue)) == (0, 0)


def test_the_page_shows_which_lots_a_sample_accepts(agreed, ravi, client_for):
    url = reverse("queues:queue", args=[agreed.uuid])
    before = client_for(ravi).get(url)
    found_wrong(agreed, ravi, size=1)
    again = client_for(ravi).get(url)
    start_check(queue_id=agreed.uuid, actor=ravi, size=3, tolerated=40)
    judged = client_for(ravi).get(url)

    assert [(size, round(100 * cells[2].in_10, 1)) for size, cells in before.context["plans"]] == [
        (50, 7.6),
        (100, 5.2),
        (200, 4.0),
        (500, 3.1),
    ]
    assert again.context["earlier"] == (1, 1)
    assert ["data-earlier" in each.content.decode() for each in (before, again)] == [False, True]
    assert again.context["plans"][0][1][0].in_95 is None
    sample, page = judged.context["sample"], judged.content.decode()
    assert (sample.allowed, sample.earlier) == (0, (1, 1))
    assert [round(100 * share, 1) for share in (sample.passing.in_95, sample.passing.in_10)] == [1.7, 53.6]
    passing = page.partition("data-passing>")[2].partition("</p>")[0]
    assert all(percent(share, 1) in passing for share in (sample.passing.in_95, sample.passing.in_10))
    later = page.partition('data-chances="later">')[2].partition("</tr>")[0]
    assert all(f">{percent(each.accepted_later)}</td>" in later for each in sample.chances)


def test_an_accepted_item_is_settled_so_a_second_answer_is_refused(agreed, ravi, bo):
    check = check_all(agreed, ravi)
    accept_check(check_id=check.uuid, actor=ravi)
    run_ok("default")
    item = Decision.objects.filter(how="accepted").first().item
    with pytest.raises(Conflict):
        answer(agreed, bo, item, "billing")
    assert counters(agreed) == (0, 6, 0)


def test_items_labeled_differently_in_the_meantime_are_disputed(agreed, ravi):
    check = check_all(agreed, ravi, size=1)
    item = Agreed.objects.first().item
    billing = agreed.schema.labels.get(name="billing")
    Decision.objects.create(item=item, label=billing, how="imported", by=ravi, digest="0" * 64)
    accept_check(check_id=check.uuid, actor=ravi)
    run_ok("default")

    assert counters(agreed) == (0, 5, 1)
    assert (Dispute.objects.get().item, Decision.objects.get(item=item).how) == (item, "imported")


def test_the_job_run_again_decides_nothing_twice(agreed, ravi, monkeypatch):
    from datasets_app.review.actions import checks

    monkeypatch.setattr(checks, "BATCH", 3)
    check = check_all(agreed, ravi, size=1)
    job = accept_check(check_id=check.uuid, actor=ravi)
    run_ok("default")
    Job.objects.filter(pk=job.pk).update(state="queued", checkpoint={}, finished_at=None)
    run_ok("default")

    check.refresh_from_db()
    assert (check.accepted, counters(agreed)) == (5, (0, 6, 0))
    assert Event.objects.filter(verb=Verb.LABELS_ACCEPTED).count() == 2


# ── Pages and API ───────────────────────────────────────────────────────────


@pytest.mark.postgres
def test_a_reviewer_draws_looks_and_accepts_on_the_pages(agreed, ravi, client_for):
    client = client_for(ravi)
    page = client.get(reverse("queues:queue", args=[agreed.uuid])).content.decode()
    assert '<p data-count="6">' in page

    start_url = reverse("review:start_check", args=[agreed.uuid])
    assert f'action="{start_url}"' in page
    answer_ = client.post(start_url, {"size": "2", "tolerated": "0"})
    assert answer_.url == f"/labeling/{agreed.uuid}/review/?order=sample"
    for left in (2, 1):
        page = client.get(answer_.url)
        assert page.context["sample"].left == len(page.context["lines"]) == left
        assert page.content.decode().count("&amp;order=sample") == left
        case = page.context["case"]
        client.post(
            reverse("review:adjudicate", args=[agreed.uuid]),
            {
                "item": str(case.item.uuid),
                "seen": case.seen,
                "order": "sample",
                "value": case.columns[0].posted,
                "reason": "",
            },
        )
    done = client.get(answer_.url)
    sample = done.context["sample"]
    assert (sample.right, sample.wrong, sample.left) == (2, 0, 0)
    assert 'data-state="reviewed"' in done.content.decode()
    check = SpotCheck.objects.get()
    accept_url = reverse("review:accept_check", args=[check.uuid])
    assert f'action="{accept_url}"' in done.content.decode()
    assert client.post(accept_url).status_code == 302
    run_ok("default")
    assert counters(agreed) == (0, 6, 0)


def test_a_sample_with_too_many_errors_offers_no_acceptance(agreed, ravi, client_for):
    check = start_check(queue_id=agreed.uuid, actor=ravi, size=2, tolerated=0)
    url = reverse("review:review", args=[agreed.uuid]) + "?order=sample"
    for row in to_review(check):
        decide(agreed, ravi, row.item, "billing", reason="The guideline says so.")

    page = client_for(ravi).get(url).content.decode()

    assert 'data-state="too-wrong"' in page
    assert reverse("review:accept_check", args=[check.uuid]) not in page
    assert reverse("review:drop_check", args=[check.uuid]) in page


@pytest.mark.postgres
def test_the_api_draws_and_accepts(agreed, ravi, client_for):
    client = client_for(ravi)
    made = client.post(
        f"/api/v1/labeling/queues/{agreed.uuid}/checks/", {"size": 1, "tolerated": 0}, "application/json"
    )
    assert made.status_code == 201
    check, (item,) = made.json()["uuid"], made.json()["to_review"]
    assert made.json() | {"uuid": "", "to_review": []} == {
        "uuid": "",
        "queue": str(agreed.uuid),
        "state": "open",
        "waiting": 6,
        "tolerated": 0,
        "right": 0,
        "wrong": 0,
        "to_review": [],
        "accepted": 0,
        "left_out": 0,
        "earlier_judged": 0,
        "earlier_wrong": 0,
        "allowed": 0,
        "accepted_in_95": pytest.approx(0.05),
        "accepted_in_10": pytest.approx(0.9),
        "chances": [
            {"wrong": share, "accepted": pytest.approx(1 - share), "accepted_later": pytest.approx(1 - share)}
            for share in (0.01, 0.02, 0.04, 0.08)
        ],
    }
    decide(agreed, ravi, Sampled.objects.get(item__uuid=item).item, "card")
    assert client.get(f"/api/v1/labeling/checks/{check}/").json()["right"] == 1
    assert client.post(f"/api/v1/labeling/checks/{check}/accept/").status_code == 202
    run_ok("default")
    assert counters(agreed) == (0, 6, 0)


def test_the_pages_of_an_annotator_offer_no_acceptance(agreed, ana, client_for):
    client, start_url = client_for(ana), reverse("review:start_check", args=[agreed.uuid])
    page = client.get(reverse("queues:queue", args=[agreed.uuid])).content.decode()
    # a reviewer's page has the form: test_a_reviewer_draws_looks_and_accepts_on_the_pages
    assert ('<p data-count="6">' in page, start_url in page) == (True, False)
    assert client.post(start_url, {"size": "2", "tolerated": "0"}).status_code == 403
    assert not SpotCheck.objects.exists()
