"""Blind preference tests of two models on the same prompts, with results at the end."""

from __future__ import annotations

import io
import json
import re
from uuid import uuid4

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied

from datasets_app.datasets import actions as datasets
from datasets_app.datasets.models import Dataset, Item
from datasets_app.queues.actions.answers import submit
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.managing import close_queue
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Queue
from lifecycle.modeling.evaluation import actions, queries, side_by_side, side_by_side_page
from lifecycle.modeling.evaluation.models import SideBySide
from lifecycle.modeling.evaluation.side_by_side import Tally
from lifecycle.runtime.refusals import Conflict, NotReady, Refused
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.statistics.significance import mcnemar
from lifecycle.runtime.task_types.generation.measures import TextAnswers
from registry.ground.ledger.models import Event
from tests.support.generation import generation_snapshot, make_decoder, make_generation_run
from tests.support.jobs import run_ok
from tests.support.training import make_run, make_snapshot
from tests.support.unchanged import refused


def answers(responses: dict[str, str], targets: dict[str, str] | None = None) -> TextAnswers:
    ids = tuple(responses)
    return TextAnswers(
        ids, tuple((targets or {}).get(each, "same") for each in ids), tuple(responses.values()), None, (), ()
    )


@pytest.fixture
def snapshot(project, mia):
    return generation_snapshot(project, mia, copies=40)


@pytest.fixture
def pair(snapshot, project, mia):
    """The test evaluations of two runs."""
    base = make_decoder(project, mia)
    runs = [
        make_generation_run(snapshot, mia, base, quality=quality, seed=seed)
        for quality, seed in ((0.3, 1), (0.9, 2))
    ]
    return [queries.latest_evaluation(run, "test") for run in runs]


@pytest.fixture
def asked(pair, mia) -> SideBySide:
    return actions.ask_people(first=pair[0], second=pair[1], actor=mia, pairs=12, seed=3)


@pytest.fixture
def opened(asked, mia) -> SideBySide:
    run_ok("default")
    return actions.open_side_by_side(side_id=asked.uuid, actor=mia)


def choose(side: SideBySide, person, better: str, *, most: int = 100) -> int:
    """Choose the model `better` in up to `most` pairs, as a person who knows the models."""
    done = 0
    while done < most and (slots := claim(queue_id=side.queue.uuid, actor=person)):
        for slot in slots[: most - done]:
            swapped = slot.item.external_id in side.swapped
            choice = side_by_side.OTHER[better] if swapped and better in side_by_side.OTHER else better
            submit(
                queue_id=side.queue.uuid,
                actor=person,
                slot_id=slot.pk,
                token=slot.lease_token,
                value={"choice": choice},
                client_key=uuid4(),
                seconds=3.0,
            )
            done += 1
    return done


# ── Rules ───────────────────────────────────────────────────────────────────
def test_pairs_are_different_responses_to_the_same_prompt():
    first = answers({"a": "yes", "b": "no ", "c": "so", "d": "one", "only": "x"}, {"d": "another"})
    second = answers({"b": "no", "a": "maybe", "c": "not so", "d": "two", "other": "y"})

    pairs, same = side_by_side.pairs_of(first, second, most=10, seed=1)

    assert [(each.item, each.first, each.second) for each in pairs] == [
        ("a", "yes", "maybe"),
        ("c", "so", "not so"),
    ]
    assert same == 1
    assert side_by_side.pairs_of(first, second, most=10, seed=1) == (pairs, same)


def test_about_half_of_the_pairs_are_swapped():
    many = {f"{at:03d}": "left" for at in range(400)}

    pairs, _ = side_by_side.pairs_of(answers(many), answers(dict.fromkeys(many, "right")), most=400, seed=7)

    swapped = [each for each in pairs if each.swapped]
    assert 150 < len(swapped) < 250
    assert swapped[0].shown == ["right", "left"]
    assert next(each for each in pairs if not each.swapped).shown == ["left", "right"]


def test_choices_are_counted_by_model_in_either_order():
    choices = [
        ("a", "first"),
        ("b", "first"),
        ("c", "second"),
        ("d", "second"),
        ("e", "tie"),
        ("f", "neither"),
    ]

    found = side_by_side.tally(choices, ["b", "c"])

    assert (found.first, found.second, found.tie, found.neither) == (2, 2, 1, 1)
    assert (found.share, found.low, found.high, found.p) == (0.5, *wilson(2, 4), mcnemar(2, 2))
    assert found.verdict == "unclear"


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [(2, 18, "second"), (18, 2, "first"), (8, 12, "unclear"), (0, 0, "unclear")],
)
def test_a_model_is_preferred_only_if_significant(first, second, verdict):
    found = side_by_side.tally(
        [(str(at), "first" if at < first else "second") for at in range(first + second)], []
    )

    assert found.verdict == verdict
    fact = side_by_side.summary_of(found, "Run 1", "Run 2")["fact"]
    assert {"second": "Annotators prefer Run 2.", "first": "Annotators prefer Run 1."}.get(
        verdict, fact
    ) == fact


def test_ties_alone_are_inconclusive():
    found = side_by_side.tally([("a", "tie"), ("b", "neither")], [])

    assert found == Tally(0, 0, 1, 1, None, 0.0, 1.0, 1.0)
    assert side_by_side.summary_of(found, "Run 1", "Run 2") == {
        "fact": "Neither was preferred in any pair.",
        "text": "1 about the same, 1 both bad.",
    }


# ── From start to result ────────────────────────────────────────────────────
def test_the_pair_dataset_does_not_reveal_the_models(opened, pair, project):
    side = opened

    assert (side.dataset.task, side.dataset.project) == ("preference", project)
    items = {item.external_id: item for item in Item.objects.filter(dataset=side.dataset)}
    texts = [dict(zip(each.ids, each.answers, strict=True)) for each in map(queries.rows_of, pair)]
    assert len(items) == side.pairs == 12
    for digest, item in items.items():
        shown = [each if isinstance(each, str) else each[-1]["content"] for each in item.content["responses"]]
        wanted = [texts[0][digest], texts[1][digest]]
        assert shown == (wanted[::-1] if digest in side.swapped else wanted)
        assert shown[0] != shown[1]
        assert item.metadata == {}
    event = json.loads(Event.objects.get(verb="evaluation.side_by_side_started").canonical)["payload"]
    assert (event["pairs"], event["first"], event["second"]) == (12, str(pair[0].uuid), str(pair[1].uuid))


def test_the_result_is_shown_once_every_pair_is_resolved(opened, mia, ana, client_for):
    choose(opened, ana, "second", most=11)
    early = client_for(mia).get(f"/evaluations/side-by-side/{opened.uuid}/")
    assert (early.context["resolved"], early.context["ended"], early.context["tally"]) == (11, False, None)
    assert early.context["summary"] is None
    assert b'<progress value="11" max="12"' in early.content
    assert b'<th scope="row">' not in early.content

    choose(opened, ana, "tie")

    answer = client_for(mia).get(f"/evaluations/side-by-side/{opened.uuid}/")
    page, tally = answer.content.decode(), answer.context["tally"]
    assert (tally.verdict, tally.first, tally.second, tally.tie, tally.neither) == ("second", 0, 11, 1, 0)
    assert "Run 2" in answer.context["summary"]["fact"]
    assert f'<div class="note ok"><strong>{answer.context["summary"]["fact"]}</strong>' in page
    assert re.findall(r'<th scope="row">([^<]+)</th><td class="num">(\d+)</td>', page)[1] == ("Run 2", "11")
    assert re.findall(r'<td class="num">(\d+)</td>', page) == ["0", "11", "1", "0"]


def test_pairs_that_others_add_to_the_dataset_do_not_count(opened, mia, ana):
    body = json.dumps(
        {"id": "more", "content": json.dumps({"prompt": "p", "responses": ["a", "b"]})}
    ).encode()
    upload = datasets.receive_upload(
        dataset=opened.dataset, actor=mia, file=io.BytesIO(body), file_name="more.jsonl"
    )
    datasets.inspect(upload_id=upload.uuid, actor=mia, encoding="utf-8", parser="jsonl")
    datasets.set_mapping(upload_id=upload.uuid, actor=mia, mapping={"id": "id", "content": "content"})
    datasets.accept_upload(upload_id=upload.uuid, actor=mia)
    run_ok("default")
    queue = open_queue(
        dataset_id=opened.dataset.uuid, actor=mia, name="More", source="upload", upload_id=upload.uuid
    )
    (slot,) = claim(queue_id=queue.uuid, actor=ana)
    submit(
        queue_id=queue.uuid,
        actor=ana,
        slot_id=slot.pk,
        token=slot.lease_token,
        value={"choice": "first"},
        client_key=uuid4(),
        seconds=3.0,
    )

    assert queries.choices_of(queries.get_side(mia, opened.uuid)) == []


def test_a_queue_closed_early_shows_partial_results(opened, mia, ana):
    choose(opened, ana, "first", most=6)
    close_queue(queue_id=opened.queue.uuid, actor=mia)

    found = side_by_side_page.shown(mia, queries.get_side(mia, opened.uuid))

    assert (found["ended"], found["resolved"], found["tally"].first, found["tally"].verdict) == (
        True,
        6,
        6,
        "first",
    )


def test_opening_needs_imported_pairs_and_happens_once(asked, mia):
    with refused(by=NotReady):
        actions.open_side_by_side(side_id=asked.uuid, actor=mia)
    assert not Queue.objects.filter(dataset=asked.dataset).exists()

    run_ok("default")
    actions.open_side_by_side(side_id=asked.uuid, actor=mia, overlap=2)
    with refused(by=Conflict):
        actions.open_side_by_side(side_id=asked.uuid, actor=mia)

    assert Queue.objects.get(dataset=asked.dataset).overlap == 2


# ── Errors ──────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("pairs", [9, 501])
def test_a_number_of_pairs_out_of_range_is_refused_by_its_field(pair, mia, pairs):
    with pytest.raises(Refused) as refused:
        actions.ask_people(first=pair[0], second=pair[1], actor=mia, pairs=pairs)

    assert refused.value.fields == {"pairs": [f"Must be from 10 to 500, got {pairs}."]}
    assert not Dataset.objects.filter(task="preference").exists()


def test_models_with_the_same_responses_are_refused(pair, mia):
    with refused(naming=("0",)):
        actions.ask_people(first=pair[0], second=pair[0], actor=mia)

    assert not Dataset.objects.filter(task="preference").exists()


def test_classification_models_are_refused(project, mia):
    snapshot = make_snapshot(project, mia)
    first, second = (queries.latest_evaluation(make_run(snapshot, mia, seed=seed), "test") for seed in (1, 2))

    with refused(match="generates no responses"):
        actions.ask_people(first=first, second=second, actor=mia)

    assert not SideBySide.objects.exists()
    assert not Dataset.objects.filter(task="preference").exists()


def test_models_of_different_data_are_refused(pair, project, mia):
    other = make_generation_run(
        generation_snapshot(project, mia, name="other"), mia, make_decoder(project, mia, name="second")
    )

    with refused(match="different datasets"):
        actions.ask_people(first=pair[0], second=queries.latest_evaluation(other, "test"), actor=mia)

    assert not Dataset.objects.filter(task="preference").exists()


def test_the_same_form_sent_twice_starts_one_test(pair, mia, client_for):
    client, form = client_for(mia), {"key": uuid4(), "a": pair[0].uuid, "b": pair[1].uuid, "pairs": 10}

    one, two = (client.post("/evaluations/side-by-side/", form) for _ in range(2))

    assert one.url == two.url
    assert (SideBySide.objects.count(), Dataset.objects.filter(task="preference").count()) == (1, 1)
    assert (
        client.post("/evaluations/side-by-side/", form | {"a": pair[1].uuid, "b": pair[0].uuid}).status_code
        == 409
    )
    assert SideBySide.objects.count() == 1


def test_copying_samples_needs_permission_to_read_them(pair, lee, ana):
    for person in (lee, ana):
        with pytest.raises(PermissionDenied):
            actions.ask_people(first=pair[0], second=pair[1], actor=person)

    assert not SideBySide.objects.exists()


# ── Pages and API ───────────────────────────────────────────────────────────
@pytest.mark.postgres
def test_a_preference_test_starts_from_the_comparison(pair, mia, client_for):
    client, address = client_for(mia), f"/evaluations/compare/?a={pair[0].uuid}&b={pair[1].uuid}"
    assert 'action="/evaluations/side-by-side/"' in client.get(address).content.decode()

    sent = client.post(
        "/evaluations/side-by-side/", {"key": uuid4(), "a": pair[0].uuid, "b": pair[1].uuid, "pairs": 15}
    )

    side = SideBySide.objects.get()
    assert sent.url == f"/evaluations/side-by-side/{side.uuid}/"
    importing = client.get(sent.url)
    assert (importing.context["importing"], importing.context["imported"]) == (True, False)
    assert b'role="status"' in importing.content.partition(b'id="side"')[2]
    run_ok("default")
    ready = client.get(sent.url)
    assert (ready.context["importing"], ready.context["imported"], side.queue) == (False, True, None)
    assert f'action="{sent.url}open/"' not in importing.content.decode()
    assert f'action="{sent.url}open/"' in ready.content.decode()
    assert client.post(f"{sent.url}open/", {"overlap": 1}).status_code == 302
    assert b'<progress value="0" max="15"' in client.get(sent.url).content
    for listed in (address, f"/evaluations/compare/?a={pair[1].uuid}&b={pair[0].uuid}"):
        page = client.get(listed)
        assert page.context["sides"] == [side]
        assert re.search(rf'<a href="{sent.url}">15 pairs?, [^<]*\bMia</a>', page.content.decode())


def test_an_empty_form_starts_no_test(pair, mia, client_for):
    given = {"key": uuid4(), "a": pair[0].uuid, "b": pair[1].uuid, "pairs": "many"}
    answer = client_for(mia).post("/evaluations/side-by-side/", given)

    assert answer.status_code == 422
    assert not SideBySide.objects.exists()


@pytest.mark.postgres
def test_the_api_starts_opens_and_reports_a_test(pair, mia, ana, client_for):
    client = client_for(mia)
    body = {"first": str(pair[0].uuid), "second": str(pair[1].uuid), "pairs": 10}

    made = client.post("/api/v1/side-by-side/", body, content_type="application/json").json()
    run_ok("default")
    opened = client.post(
        f"/api/v1/side-by-side/{made['uuid']}/open/", {"overlap": 1}, content_type="application/json"
    ).json()
    assert (made["queue"], opened["chosen"], opened["resolved"]) == (None, None, 0)
    choose(queries.get_side(mia, made["uuid"]), ana, "second")
    side = client.get(f"/api/v1/side-by-side/{made['uuid']}/").json()

    assert side["chosen"]["second"] == side["resolved"] == 10
    assert side["chosen"]["p"] == pytest.approx(2 / 2**10)


def test_strangers_find_nothing(asked, otto, client_for):
    client = client_for(otto)

    assert client.get(f"/evaluations/side-by-side/{asked.uuid}/").status_code == 404
    assert client.post(f"/evaluations/side-by-side/{asked.uuid}/open/", {"overlap": 1}).status_code == 404
    assert client.get(f"/api/v1/side-by-side/{asked.uuid}/").status_code == 404


def test_seeds_draw_different_pairs():
    many = {f"{at:03d}": "left" for at in range(100)}
    drawn = [
        tuple(
            each.item
            for each in side_by_side.pairs_of(
                answers(many), answers(dict.fromkeys(many, "right")), most=20, seed=seed
            )[0]
        )
        for seed in (1, 1, 2)
    ]

    assert drawn[0] == drawn[1] != drawn[2]
    assert np.unique(drawn[0]).size == 20
