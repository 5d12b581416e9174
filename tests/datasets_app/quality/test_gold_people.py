"""Gold accuracy of annotators, shown to themselves and to the lead, with an interval; and the hold below a
queue's minimum.
"""

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.html import escape

from datasets_app.datasets.models import Dataset
from datasets_app.quality.actions.quality import measure_quality
from datasets_app.quality.queries.quality import quality_document
from datasets_app.queues import rules
from datasets_app.queues.actions.claims import claim, release
from datasets_app.queues.actions.mixing import mix_gold, reinstate
from datasets_app.queues.models import Queue, Seat
from lifecycle.ground.notices.models import Notice
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access.models import User
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.gold import gold_at, known_dataset, mixed_queue, take, work_off
from tests.support.jobs import run_ok
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
GOLD = 26


@pytest.fixture
def dataset(project, mia, ravi) -> Dataset:
    return known_dataset(project, mia, ravi, ["card"] * GOLD, [f"text {n}" for n in range(20)])


@pytest.fixture
def queue(dataset, mia) -> Queue:
    return mixed_queue(dataset, mia)


@pytest.fixture
def strict(dataset, mia) -> Queue:
    """A queue in which people should get 90 % of the gold right."""
    return mixed_queue(dataset, mia, gold_minimum=90)


@pytest.fixture
def holding(dataset, mia) -> Queue:
    """One that also holds those who are below."""
    return mixed_queue(dataset, mia, gold_minimum=90, gold_holds=True)


@pytest.fixture
def judged(queue, mia, ana, ben) -> Queue:
    """Measured after Ana answered 22 items of gold, 18 of them rightly, and three others, and Ben three of
    gold.
    """
    answer_gold(queue, ana, right=18, wrong=4)
    answer_gold(queue, ben, right=3, wrong=0)
    with gold_at():
        work_off(queue, ana, lambda slot: "transfer", most=3)
    measure(queue, mia)
    return queue


def has_answered(queue: Queue, user: User, *, right: int, wrong: int) -> None:
    """Set this person's gold counts."""
    Seat.objects.create(queue=queue, user=user, gold_done=right + wrong, gold_right=right)


def answer_gold(queue, user, *, right: int, wrong: int, keep: bool = False) -> None:
    """So many right and then so many wrong answers to gold; what is left in hand is given back unless it is
    kept.
    """
    if not keep:
        release(queue_id=queue.uuid, actor=user)
    labels = ["card"] * right + ["billing"] * wrong
    for label in labels:
        with gold_at(*range(10_000)):
            slot = next(slot for slot in claim(queue_id=queue.uuid, actor=user, k=2) if slot.is_gold)
        take(queue, user, slot, {"label": label})
    if not keep:
        release(queue_id=queue.uuid, actor=user)


def measure(queue, mia) -> None:
    queue.refresh_from_db()
    measure_quality(queue_id=queue.uuid, actor=mia)
    run_ok()


def test_the_report_has_gold_results_by_person_and_label(judged, ana, ben, lee):
    people = {row["user"]: row for row in quality_document(judged, lee)["people"]}

    card = str(judged.schema.labels.get(name="card").stable_id)
    of_ana, of_ben = people[ana.uuid], people[ben.uuid]
    assert (of_ana["gold_done"], of_ana["gold_right"], of_ana["gold_labels"]) == (22, 18, {card: [22, 18]})
    assert [round(end, 3) for end in of_ana["gold_interval"]] == [0.501, 0.975]
    assert (of_ben["gold_done"], of_ben["gold_interval"]) == (3, None)
    assert (of_ana["annotations"], of_ana["done"]) == (3, 25)
    (of_card,) = quality_document(judged, lee)["gold"]
    assert (of_card.stable_id, of_card.name, of_card.done, of_card.right) == (card, "card", 25, 21)


def test_a_person_sees_their_own_and_the_lead_everybodys(judged, ana, lee, ravi, client_for):
    own = client_for(ana).get(reverse("queues:queue", args=[judged.uuid])).context["own"]
    led = client_for(lee).get(reverse("quality:quality", args=[judged.uuid]))
    others = client_for(ravi).get(reverse("quality:quality", args=[judged.uuid])).context["people"]

    known = (22, rules.gold_accuracy(18, 22))
    assert [row.gold for row in own] == [known]
    assert [(row.name, row.gold) for row in led.context["people"]] == [("Ana", known), ("Ben", (3, None))]
    assert others == []
    assert led.content.decode().count('data-gold="few"') == 1
    assert [(row.name, row.done, row.right) for row in led.context["golds"]] == [("card", 25, 21)]


def test_own_figures_are_from_the_report_so_that_no_result_is_revealed(queue, mia, ana, client_for):
    answer_gold(queue, ana, right=2, wrong=0)
    with gold_at():
        work_off(queue, ana, lambda slot: "card", most=1)
    measure(queue, mia)
    answer_gold(queue, ana, right=2, wrong=0)

    own = client_for(ana).get(reverse("queues:queue", args=[queue.uuid])).context["own"]

    assert [row.gold[0] for row in own] == [2]
    assert Seat.objects.get().gold_done == 4


def test_leads_are_notified_once_of_an_annotator_below_the_minimum(strict, ana, lee):
    queue = strict
    has_answered(queue, ana, right=8, wrong=10)

    answer_gold(queue, ana, right=0, wrong=1)
    assert Notice.objects.count() == 0
    answer_gold(queue, ana, right=0, wrong=3)

    notice = Notice.objects.get()
    assert (notice.user, notice.text) == (
        lee,
        "Ana got 8 of 20 gold items in Mixed right, significantly below 90 %.",
    )
    assert notice.url == f"{reverse('quality:quality', args=[queue.uuid])}#gold"
    assert Seat.objects.get().held_at is None


def test_no_one_is_below_while_the_interval_reaches_the_minimum(strict, ana):
    has_answered(strict, ana, right=18, wrong=2)

    answer_gold(strict, ana, right=0, wrong=2)

    assert (Notice.objects.count(), Seat.objects.get().below_at) == (0, None)


@pytest.mark.postgres
def test_an_annotator_below_is_on_hold_until_reinstated(holding, ana, lee, client_for):
    queue = holding
    has_answered(queue, ana, right=0, wrong=18)
    answer_gold(queue, ana, right=0, wrong=2, keep=True)
    seat = Seat.objects.get()
    assert seat.held_at is not None
    assert Event.objects.filter(verb=Verb.ANNOTATOR_PAUSED).count() == 1

    held = claim(queue_id=queue.uuid, actor=ana)
    assert len(held) == 1  # what was on their screen stays, and nothing new comes
    take(queue, ana, held[0], {"label": "card"})
    with refused(by=Conflict, naming=("Mixed",)) as refusal:
        claim(queue_id=queue.uuid, actor=ana)
    page = client_for(ana).get(reverse("queues:bench", args=[queue.uuid])).content.decode()
    assert 'data-state="closed"' in page
    assert escape(refusal.value.next_step) in page

    page, reinstate_url = (
        client_for(lee).get(reverse("quality:quality", args=[queue.uuid])),
        reverse("quality:reinstate", args=[queue.uuid]),
    )
    assert [each.seat for each in page.context["below"]] == [seat]
    assert page.content.decode().count(f'action="{reinstate_url}"') == 1
    answered = client_for(lee).post(reinstate_url, {"seat": seat.pk})
    assert answered.status_code == 302
    with gold_at():
        assert len(claim(queue_id=queue.uuid, actor=ana)) == 5
        release(queue_id=queue.uuid, actor=ana)
    assert Event.objects.filter(verb=Verb.ANNOTATOR_REINSTATED).count() == 1
    answer_gold(queue, ana, right=0, wrong=4)
    assert Seat.objects.get().held_at is None


@pytest.mark.postgres
def test_only_leads_reinstate_and_only_annotators_below(holding, ana, ravi, lee):
    queue = holding
    answer_gold(queue, ana, right=2, wrong=0)
    seat = Seat.objects.get()

    with pytest.raises(PermissionDenied):
        reinstate(queue_id=queue.uuid, seat_id=seat.pk, actor=ravi)
    with refused(
        by=Conflict,
        naming=(
            "Ana",
            queue.name,
        ),
    ):
        reinstate(queue_id=queue.uuid, seat_id=seat.pk, actor=lee)
    with refused():
        reinstate(queue_id=queue.uuid, seat_id=0, actor=lee)

    assert Event.objects.filter(verb=Verb.ANNOTATOR_REINSTATED).count() == 0


def test_turning_holds_off_frees_all(holding, mia, ana):
    queue = holding
    has_answered(queue, ana, right=0, wrong=19)
    answer_gold(queue, ana, right=0, wrong=1)
    assert Seat.objects.get().held_at is not None

    mix_gold(queue_id=queue.uuid, actor=mia, rate=30, minimum=90)

    assert Seat.objects.get().held_at is None
    assert Queue.objects.get().gold_holds is False


def test_a_hold_without_a_minimum_is_refused(queue, mia):
    with pytest.raises(Refused) as refusal:
        mix_gold(queue_id=queue.uuid, actor=mia, rate=30, holds=True)

    assert refusal.value.fields == {
        "gold_minimum": ["Pausing annotators below the minimum needs a minimum accuracy. Enter one."]
    }
    assert Queue.objects.get().gold_holds is False
