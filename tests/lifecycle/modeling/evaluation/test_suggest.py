"""A run or a registered version pre-labels texts that aren't annotated yet."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from datasets_app.prelabels.actions.suggestions import suggest_values
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.managing import close_queue
from datasets_app.queues.queries.bench import bench_items
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from datasets_app.schemas.rules import LabelSpec
from lifecycle.ground.compute import warm
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions, suggested, suggesters
from lifecycle.runtime.refusals import Conflict
from registry.ground.ledger.models import Event
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import add_items, answer, make_dataset, make_queue, make_schema, queue_items
from tests.support.registry import make_version
from tests.support.training import make_run
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
FRESH = ["my card is gone", "give me the money back", "the password is wrong"]
# card, login, refund
SURE = {"card": [0.9, 0.06, 0.04], "money": [0.02, 0.38, 0.6], "password": [0.32, 0.28, 0.4]}


@pytest.fixture
def run(snapshot, mia):
    return make_run(snapshot, mia, splits=())


@pytest.fixture
def queue(snapshot, mia):
    add_items(snapshot.dataset, mia, FRESH)
    return make_queue(snapshot.dataset, mia)


@pytest.fixture
def engine(monkeypatch):
    """An engine with confidences from SURE; its inputs are recorded."""
    asked: list[list[str]] = []

    def predict(folder, texts, timeout_seconds=0.0):
        assert (folder / "lifecycle.json").is_file()
        asked.append(texts)
        rows = [
            next((shares for word, shares in SURE.items() if word in text), [0.34, 0.33, 0.33])
            for text in texts
        ]
        return {"labels": ["card", "login", "refund"], "answers": [{"probabilities": row} for row in rows]}

    monkeypatch.setattr(warm, "predict", predict)
    return asked


def model_of(run, user, kind="run"):
    return suggesters.get_model(user, kind, run.uuid)


def suggestions_in(queue) -> list[tuple[str, str, float, str]]:
    rows = Suggestion.objects.filter(item__in=queue_items(queue)).order_by("item", "source_name", "-score")
    return list(rows.values_list("item__text", "label__name", "score", "source_name"))


def test_a_run_pre_labels_the_open_items_of_a_queue(queue, run, engine, mia, ana):
    first = queue_items(queue)[0]
    answer(queue, ana, first, "card")

    job = actions.suggest(dataset=queue.dataset, model=model_of(run, mia), actor=mia, queue=queue)
    run_ok("default")

    assert suggestions_in(queue) == [
        ("give me the money back", "refund", 0.6, "Run 1"),
        ("give me the money back", "login", 0.38, "Run 1"),
        ("the password is wrong", "refund", 0.4, "Run 1"),
        ("the password is wrong", "card", 0.32, "Run 1"),
        ("the password is wrong", "login", 0.28, "Run 1"),
    ]
    row = Suggestion.objects.filter(item__in=queue_items(queue)).first()
    assert (row.source, row.source_digest) == ("run", run.artifact.root_digest)
    event = Event.objects.get(verb="evaluation.prelabels_requested")
    assert run.artifact.root_digest in event.canonical
    assert str(queue.uuid) in event.canonical
    job.refresh_from_db()
    assert (job.done, job.unit) == (2, "texts")


def test_all_items_of_a_dataset_can_be_pre_labeled(queue, run, engine, mia):
    actions.suggest(dataset=queue.dataset, model=model_of(run, mia), actor=mia)
    run_ok("default")

    items = Suggestion.objects.filter(source="run").values("item").distinct().count()
    assert items == queue.dataset.items.count() == 75


def test_pre_labeled_items_are_not_predicted_again(queue, run, engine, mia):
    for _ in range(2):
        actions.suggest(dataset=queue.dataset, model=model_of(run, mia), actor=mia, queue=queue)
        run_ok("default")

    assert engine == [FRESH]
    assert len(suggestions_in(queue)) == 7


def test_pre_labels_of_several_models_are_stored_and_the_newest_is_shown(
    queue, snapshot, run, engine, mia, ana
):
    close_queue(queue_id=queue.uuid, actor=mia)
    queue = make_queue(queue.dataset, mia, name="all seen", hidden_share=0)
    other = make_run(snapshot, mia, splits=(), seed=2)
    for each in (other, run):
        actions.suggest(dataset=queue.dataset, model=model_of(each, mia), actor=mia, queue=queue)
        run_ok("default")

    assert {row[3] for row in suggestions_in(queue)} == {"Run 1", "Run 2"}
    slots = claim(queue_id=queue.uuid, actor=ana, k=3)
    shown = bench_items(queue, slots, ana)
    assert [each["source"] for each in shown] == ["Run 1"] * 3
    assert [score for _, score in shown[1]["ranks"]] == [0.6, 0.38]


@pytest.mark.postgres
def test_a_registered_version_suggests_after_its_bytes_were_verified(project, mia, lee, engine, monkeypatch):
    version = make_version(project, mia, lee)
    dataset = version.run.snapshot.dataset
    names = [label.name for label in latest_schema(dataset).labels.all()][:3]
    type(version.run).objects.filter(pk=version.run_id).update(spec={"labels": names})
    monkeypatch.setattr(
        warm,
        "predict",
        lambda folder, texts, _: {
            "labels": names,
            "answers": (
                [{"probabilities": [0.7, 0.2, 0.1]} for _ in texts]
                if (folder / "model.sig").is_file()
                else []
            ),
        },
    )
    add_items(dataset, mia, FRESH)
    queue = make_queue(dataset, mia)

    actions.suggest(dataset=dataset, model=model_of(version, mia, "version"), actor=mia, queue=queue)
    run_ok("default")

    assert {(row[1], row[2], row[3]) for row in suggestions_in(queue) if row[2] > 0.5} == {
        (names[0], 0.7, str(version))
    }
    assert Suggestion.objects.filter(item__in=queue_items(queue)).first().source_digest == version.root_digest


def test_a_queue_ordered_by_pre_labels_is_reordered(queue, run, engine, mia, ana):
    queue = make_queue(queue.dataset, mia, name="unsure first", order="uncertain")

    actions.suggest(dataset=queue.dataset, model=model_of(run, mia), actor=mia, queue=queue)
    run_ok("default")

    found = [slot.item.text for slot in claim(queue_id=queue.uuid, actor=ana, k=3)]
    assert found == ["the password is wrong", "give me the money back", "my card is gone"]


def test_a_cancelled_job_keeps_its_progress_and_continues(queue, run, engine, mia, monkeypatch):
    monkeypatch.setattr("lifecycle.modeling.evaluation.actions.suggesting.ASKED", 1)

    def stopped(**given):
        jobs.cancel(Job.objects.get(kind="evaluation.suggest").uuid, mia)
        return suggest_values(**given)

    monkeypatch.setattr("lifecycle.modeling.evaluation.actions.suggesting.suggest_values", stopped)
    actions.suggest(dataset=queue.dataset, model=model_of(run, mia), actor=mia, queue=queue)
    assert [job.state for job in run_jobs("default")] == ["cancelled"]
    assert {row[0] for row in suggestions_in(queue)} == {FRESH[0]}
    monkeypatch.setattr("lifecycle.modeling.evaluation.actions.suggesting.suggest_values", suggest_values)

    actions.suggest(dataset=queue.dataset, model=model_of(run, mia), actor=mia, queue=queue)
    run_ok("default")

    assert engine == [[text] for text in FRESH]
    assert {row[0] for row in suggestions_in(queue)} == set(FRESH)


# ── Labels that don't match ─────────────────────────────────────────────────
def test_labels_match_by_stable_id_through_merges_and_otherwise_by_name():
    card, login, refund, other = (uuid4() for _ in range(4))
    classes = {card: "Card", login: "login", other: "other"}

    matched = suggested.match(
        ["card", "refund", "gone"],
        {"card": card, "refund": refund, "gone": uuid4()},
        classes,
        {refund: login},
    )
    elsewhere = suggested.match(["card", "login"], {}, classes, {})

    assert matched == suggested.Match({"card": "Card", "refund": "login"}, ("gone",), ("other",))
    assert elsewhere == suggested.Match({"login": "login"}, ("card",), ("Card", "other"))


def test_labels_that_do_not_match_are_shown(queue, snapshot, run, mia, client_for):
    dataset = queue.dataset
    names = labels_by_name(latest_schema(dataset))
    specs = [
        LabelSpec("Cards", stable_id=names["card"].stable_id),
        LabelSpec("refund", stable_id=names["refund"].stable_id),
    ]
    publish_schema(dataset_id=dataset.uuid, actor=mia, labels=[*specs, LabelSpec("fraud")])

    answer = client_for(mia).get(f"/evaluations/pre-label/{dataset.uuid}/")

    ((_, (line,)),) = answer.context["groups"]
    page = answer.content.decode()
    assert (line.unknown, line.never, line.match.fits) == ("login", "fraud", True)
    assert re.search(r'<td data-l="labels"><p>[^<]*: login\.</p><p>[^<]*: fraud\.</p></td>', page)


def test_a_renamed_class_is_suggested_by_its_new_name(queue, run, engine, mia):
    dataset = queue.dataset
    names = labels_by_name(latest_schema(dataset))
    renamed = {"card": "Cards", "login": "login", "refund": "refund"}
    publish_schema(
        dataset_id=dataset.uuid,
        actor=mia,
        labels=[LabelSpec(new, stable_id=names[old].stable_id) for old, new in renamed.items()],
    )

    actions.suggest(dataset=dataset, model=model_of(run, mia), actor=mia, queue=queue)
    run_ok("default")

    assert ("my card is gone", "Cards", 0.9, "Run 1") in suggestions_in(queue)


def test_a_model_without_a_class_in_common_is_refused(project, run, mia, client_for):
    dataset = make_dataset(project, mia, FRESH, name="Other", slug="other")
    make_schema(dataset, mia, ("spam", "ham"))

    with refused(
        "model",
        naming=(
            "Run 1",
            "Other",
        ),
    ):
        actions.suggest(dataset=dataset, model=model_of(run, mia), actor=mia)

    assert not Job.objects.filter(kind="evaluation.suggest").exists()
    answer = client_for(mia).get(f"/evaluations/pre-label/{dataset.uuid}/")
    page = answer.content.decode()
    assert (answer.context["may_send"], f'value="run:{run.uuid}" disabled' in page) == (False, True)
    assert 'class="btn primary" type="button" aria-disabled="true"' in page


def test_other_tasks_are_refused_with_an_alternative(project, run, mia, client_for):
    for task in ("generation", "chat", "preference", "ranking"):
        dataset = make_dataset(project, mia, (), name=task, slug=task.replace("_", "-"), task=task)

        with refused() as refusal:
            actions.suggest(dataset=dataset, model=model_of(run, mia), actor=mia)

        page = client_for(mia).get(f"/evaluations/pre-label/{dataset.uuid}/")
        assert (
            page.context["able"],
            b"<form" in page.content.partition(b'id="suggest"')[2].partition(b"</main>")[0],
        ) == (
            False,
            False,
        )
        assert escape(refusal.value.message) in page.content.decode()
    assert not Job.objects.filter(kind="evaluation.suggest").exists()


def test_a_queue_without_open_items_is_refused(queue, run, mia):
    close_queue(queue_id=queue.uuid, actor=mia)
    queue.refresh_from_db()

    with refused(by=Conflict, naming=("Batch 1",)):
        actions.suggest(dataset=queue.dataset, model=model_of(run, mia), actor=mia, queue=queue)


def test_an_unfinished_or_hidden_run_is_refused(snapshot, mia, otto):
    waiting = make_run(snapshot, mia, succeeded=False)

    with refused(
        "model",
        naming=(
            "Run 1",
            "queued",
        ),
    ):
        model_of(waiting, mia)
    with refused("model", match="Run not found"):
        model_of(waiting, otto)
    with refused("model"):
        model_of(waiting, mia, "oracle")


def test_pre_labeling_needs_permission_to_manage_labeling(queue, run, mia, ana, gita, omar, aida):
    model = model_of(run, mia)

    for person in (ana, gita, omar, aida):
        with pytest.raises(PermissionDenied):
            actions.suggest(dataset=queue.dataset, model=model, actor=person, queue=queue)

    assert not Job.objects.filter(kind="evaluation.suggest").exists()


# ── Pages and the API ───────────────────────────────────────────────────────
@pytest.mark.postgres
def test_the_page_offers_models_and_starts_the_job(queue, run, engine, mia, client_for):
    client, url = client_for(mia), f"/evaluations/pre-label/{queue.dataset.uuid}/"
    answer = client.get(f"{url}?queue={queue.uuid}")
    ((_, (line,)),), page = answer.context["groups"], answer.content.decode()
    assert f'value="run:{run.uuid}" checked' in page
    assert (line.unknown, line.never) == ("", "")
    assert '<td data-l="labels"><span class="st ok">' in page
    assert f'value="{queue.uuid}" selected' in page

    answer = client.post(url, {"model": f"run:{run.uuid}", "queue": str(queue.uuid)})

    assert answer.status_code == 302
    assert Job.objects.get(kind="evaluation.suggest").args["queue"] == str(queue.uuid)
    run_ok("default")
    after = client.get(url)
    assert (after.context["job"].state, after.context["working"]) == ("succeeded", False)
    assert b'class="note ok"' in after.content


def test_an_unknown_model_is_refused_on_the_page(queue, mia, client_for):
    unknown = "00000000-0000-4000-8000-000000000000"
    for model in ("", "run", "run:7", f"oracle:{unknown}", f"run:{unknown}", f"version:{unknown}"):
        answer = client_for(mia).post(f"/evaluations/pre-label/{queue.dataset.uuid}/", {"model": model})

        assert answer.status_code == 422

    assert not Job.objects.filter(kind="evaluation.suggest").exists()


def test_the_query_count_does_not_grow_with_models(
    queue, snapshot, run, mia, client_for, django_assert_max_num_queries
):
    client, url = client_for(mia), f"/evaluations/pre-label/{queue.dataset.uuid}/"
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for seed in (2, 3):
        make_run(snapshot, mia, splits=(), seed=seed)

    with django_assert_max_num_queries(len(few)):
        client.get(url)


@pytest.mark.postgres
def test_the_api_lists_models_and_pre_labels_with_one(queue, run, engine, mia, client_for):
    client, url = client_for(mia), f"/api/v1/datasets/{queue.dataset.uuid}/pre-label/"

    found = client.get(url).json()
    started = client.post(
        url,
        {"kind": "run", "model": str(run.uuid), "queue": str(queue.uuid)},
        content_type="application/json",
    )

    assert found == [
        {
            "kind": "run",
            "model": str(run.uuid),
            "name": "Run 1",
            "digest": run.artifact.root_digest,
            "fits": True,
            "unknown": [],
            "never": [],
        }
    ]
    assert started.status_code == 202
    run_ok("default")
    assert len(suggestions_in(queue)) == 7
