"""The quality page of a queue, the items behind its cells, and who sees whose work."""

from importlib import import_module

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets_app.quality.actions.quality import measure_quality
from datasets_app.quality.models import QualityReport
from datasets_app.queues.models import Queue
from datasets_app.schemas.queries.labels import labels_by_name
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.runtime.refusals import Refused
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import label_items, make_annotator, make_dataset, make_queue

pytestmark = pytest.mark.django_db
ANA = ["card"] * 10 + ["billing"] * 14
BEN = ["card"] * 8 + ["billing"] * 15 + ["transfer"]


@pytest.fixture
def queue(project, mia, ana, ben) -> Queue:
    made = make_queue(make_dataset(project, mia, [f"text {n}" for n in range(24)]), mia, overlap=2)
    label_items(made, {ana: ANA, ben: BEN})
    return made


@pytest.fixture
def measured(queue, mia) -> Queue:
    measure(queue, mia)
    return queue


@pytest.fixture
def few_and_many(project, mia, ana, ben) -> list[Queue]:
    """A queue of 3 items that two people answered, and one of 12 that six did; each item has two answers, and
    they differ.
    """
    people, queues = [ana, ben, *(make_annotator(project, f"p{n}") for n in range(4))], []
    for size, who in ((3, people[:2]), (12, people)):
        dataset = make_dataset(
            project, mia, [f"{size} text {n}" for n in range(size)], slug=f"d{size}", name=f"D{size}"
        )
        queue = make_queue(dataset, mia, overlap=2)
        for at, label in ((0, "card"), (1, "billing")):
            takes = [who[(n + at) % len(who)] for n in range(size)]
            label_items(queue, {user: [label if taker == user else "" for taker in takes] for user in who})
        measure(queue, mia)
        queues.append(queue)
    return queues


def measure(queue, actor):
    measure_quality(queue_id=queue.uuid, actor=actor)
    run_ok()


def page(client, queue, query=""):
    return client.get(reverse("quality:quality", args=[queue.uuid]) + query)


def items(client, queue, **given):
    return client.get(reverse("quality:quality_items", args=[queue.uuid]), given)


def pair(queue, one, other):
    labels = labels_by_name(queue.schema)
    return f"{labels[one].stable_id}|{labels[other].stable_id}"


def test_before_the_first_report_the_page_shows_not_measured(queue, mia, client_for):
    answered = page(client_for(mia), queue)

    assert (answered.status_code, answered.context["report"]) == (200, None)
    assert 'class="st off"' in answered.content.decode()
    assert Job.objects.count() == 0


def test_the_button_measures_and_the_page_shows_it(queue, mia, client_for):
    client = client_for(mia)

    sent = client.post(reverse("quality:measure", args=[queue.uuid]), follow=True)
    job = f'id="job-{Job.objects.get().uuid}"'
    assert (sent.status_code, job in sent.content.decode(), sent.context["report"]) == (200, True, None)
    run_ok()

    measured = page(client, queue)
    context = measured.context
    assert 'id="confused"' in measured.content.decode()
    assert [figure.value for figure in context["figures"]][1:] == ["88\u00a0%", "48", "0", "Done"]
    assert [row.name for row in context["coefficients"]] == [
        "Pairwise agreement",
        "Krippendorff's alpha, nominal",
        "Fleiss' kappa",
        "Krippendorff's alpha, ordinal",
    ]
    assert all(row.low < row.value < row.high for row in context["coefficients"])
    assert [(row.name, row.n) for row in context["confused"]] == [
        ("billing / card", 2),
        ("billing / transfer", 1),
    ]


def test_a_failed_measurement_is_shown_with_its_reason(queue, mia, client_for, monkeypatch):
    def refuse(*_):
        raise Refused("The disk is full.", next_step="Make room.")

    monkeypatch.setattr("datasets_app.quality.actions.quality.sent_back", refuse)
    measure_quality(queue_id=queue.uuid, actor=mia)
    [job] = run_jobs()

    assert (job.state, QualityReport.objects.count()) == (State.FAILED, 0)
    assert "The disk is full." in page(client_for(mia), queue).content.decode()


def test_a_cell_of_labels_opens_its_items_with_the_answers_side_by_side(measured, mia, client_for):
    queue, client = measured, client_for(mia)
    cell = page(client, queue).context["confused"][0]

    found = client.get(cell.url).context

    assert [item.text for item, _ in found["lines"]] == ["text 8", "text 9"]
    assert [[each.label.name for _, each in answers] for _, answers in found["lines"]] == [
        ["card", "billing"]
    ] * 2
    assert len(found["lines"]) == cell.n


@pytest.mark.postgres
def test_a_cell_of_people_opens_the_items_on_which_they_differ(measured, lee, client_for):
    queue, client = measured, client_for(lee)
    matrix = page(client, queue).context["matrix"]

    assert (matrix.heads, [[cell.text for cell in row.cells] for row in matrix.rows]) == (
        ["Ana", "Ben"],
        [["", "88"], ["88", ""]],
    )
    found = client.get(matrix.rows[0].cells[1].url).context
    assert [item.text for item, _ in found["lines"]] == ["text 8", "text 9", "text 23"]
    assert found["title"] == "Ana and Ben"


def test_items_are_paged_by_key(measured, mia, ana, ben, client_for, monkeypatch):
    monkeypatch.setattr(import_module("datasets_app.quality.views.quality"), "ITEMS", 1)
    client, seen = client_for(mia), []
    answered = items(
        client, measured, people="|".join(str(seat.pk) for seat in measured.seats.order_by("id"))
    )
    while True:
        seen.append([item.text for item, _ in answered.context["lines"]])
        if not (following := answered.context["page"]["next"]):
            break
        answered = client.get(reverse("quality:quality_items", args=[measured.uuid]) + following)

    assert seen == [["text 8"], ["text 9"], ["text 23"]]


@pytest.mark.postgres
def test_annotators_do_not_see_annotations_of_items_they_may_still_get(
    project, mia, ana, ben, ravi, client_for
):
    queue = make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=3)
    label_items(queue, {ana: ["card", "card"], ben: ["billing", "billing"], mia: ["card", ""]})
    measure(queue, mia)

    def shown(who):
        lines = items(client_for(who), queue, labels=pair(queue, "card", "billing")).context["lines"]
        return [None if answers is None else len(answers) for _, answers in lines]

    # both may give the answer that is still needed
    assert (shown(mia), shown(ravi)) == ([3, None], [3, None])

    label_items(queue, {mia: ["card", "card"]})
    assert (shown(mia), shown(ravi)) == ([3, 3], [3, 3])


@pytest.mark.parametrize(
    "given", [{}, {"labels": "x|y"}, {"labels": "same"}, {"people": "1|999999"}, {"people": "a|b"}]
)
def test_an_address_that_names_no_cell_is_not_found(measured, mia, client_for, given):
    assert items(client_for(mia), measured, **given).status_code == 404


def test_the_lead_sees_everybody_by_name_and_no_text(measured, lee, client_for):
    queue, client = measured, client_for(lee)

    context = page(client, queue).context
    listed = items(client, queue, labels=pair(queue, "card", "billing"))

    assert [row.name for row in context["people"]] == ["Ana", "Ben"]
    assert (
        b"text 8" in listed.content,
        b'data-texts="hidden"' in listed.content,
        b"Ana" in listed.content,
    ) == (False, True, True)


@pytest.mark.parametrize("name", ["mia", "ravi"])
def test_engineers_and_adjudicators_see_letters_and_no_rows(measured, name, client_for, request):
    queue, client = measured, client_for(request.getfixturevalue(name))

    answered = page(client, queue)
    listed = items(client, queue, labels=pair(queue, "card", "billing"))

    assert (answered.context["people"], answered.context["matrix"].heads) == ([], ["A", "B"])
    for content in (answered.content.decode(), listed.content.decode()):
        assert "Ana" not in content
        assert "Ben" not in content
    assert b"text 8" in listed.content
    assert b"data-texts" not in listed.content


def test_who_manages_and_labels_sees_their_own_row_alone(project, mia, ravi, ana, client_for):
    queue = make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=2)
    label_items(queue, {ana: ["card"] * 2, ravi: ["card"] * 2})
    measure(queue, mia)

    context = page(client_for(ravi), queue).context

    assert ([(row.name, row.done, row.is_self) for row in context["people"]], context["matrix"].heads) == (
        [("Ravi", 2, True)],
        ["A", "Ravi"],
    )


def test_an_annotator_sees_only_their_own_row_on_the_queue_page(measured, ana, ben, project, client_for):
    address = reverse("queues:queue", args=[measured.uuid])

    for who, share in ((ana, 21), (ben, 21)):
        answered = client_for(who).get(address)
        [row] = answered.context["own"]
        assert (row.name, row.done, row.right[3]) == (str(who), 24, share)
        assert str(ben if who == ana else ana) not in answered.content.decode()
    assert client_for(make_annotator(project, "cleo")).get(address).context["own"] == []


@pytest.mark.parametrize(
    ("name", "status"), [("ana", 403), ("gita", 403), ("omar", 403), ("aida", 403), ("otto", 404)]
)
def test_others_are_refused_and_nothing_is_measured(queue, name, status, client_for, request):
    client = client_for(request.getfixturevalue(name))

    assert page(client, queue).status_code == status
    assert items(client, queue, labels=pair(queue, "card", "billing")).status_code == status
    assert client.post(reverse("quality:measure", args=[queue.uuid])).status_code == status
    assert (Job.objects.count(), QualityReport.objects.count()) == (0, 0)


def test_a_queue_without_annotations_cannot_be_measured(project, mia, client_for):
    queue = make_queue(make_dataset(project, mia, ["one"]), mia)

    assert client_for(mia).post(reverse("quality:measure", args=[queue.uuid])).status_code == 409
    assert Job.objects.count() == 0


@pytest.mark.parametrize("name", ["lee", "ravi"])
def test_the_pages_take_the_same_statements_for_few_and_many(few_and_many, name, client_for, request):
    client, taken = client_for(request.getfixturevalue(name)), []
    for queue in few_and_many:
        for ask in (
            lambda q=queue: page(client, q, "?people=all"),
            lambda q=queue: items(client, q, labels=pair(q, "card", "billing")),
        ):
            ask()
            with CaptureQueriesContext(connection) as captured:
                assert ask().status_code == 200
            taken.append(len(captured))

    assert taken[:2] == taken[2:]


def test_the_page_is_a_fragment_for_htmx(measured, mia, client_for):
    part = client_for(mia).get(
        reverse("quality:quality", args=[measured.uuid]), headers={"HX-Request": "true"}
    )

    assert part.content.lstrip().startswith(b'<div id="quality"')


def test_estimated_accuracy_of_two_people_is_not_measured(measured, lee, client_for):
    answer = client_for(lee).get(reverse("quality:quality", args=[measured.uuid]))

    assert [
        (row.estimated_accuracy, row.estimated_accuracy_interval) for row in answer.context["people"]
    ] == [(None, None)] * 2
    assert answer.content.decode().count('data-likely="unknown"') == 2
