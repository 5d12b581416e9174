"""Advice on the launch page and over the API: its inputs, its proposal, and that it starts nothing."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions, advising
from lifecycle.modeling.training.advice import Answers, Lengths
from lifecycle.modeling.training.models import Estimate, Run
from lifecycle.runtime.engine.task_types.encoder_settings import tokens_from_characters
from lifecycle.runtime.refusals import Refused
from registry.ground.ledger.models import Event
from tests.support.generation import generation_snapshot, make_decoder
from tests.support.spans import spans_snapshot
from tests.support.training import make_base, multi_label_snapshot, write_base

HTMX = {"HTTP_HX_REQUEST": "true"}


def page(client, path: str, **headers):
    return client.get(path, **headers)


def test_the_page_asks_questions_and_gives_no_advice_before_they_are_sent(client_for, mia, base):
    answer = page(client_for(mia), "/runs/launch/")

    assert (answer.context["advised"], answer.context["ask"].is_bound) == (None, False)
    assert b'name="ask-sensitive"' in answer.content
    assert b"apply=1" not in answer.content


def test_few_sensitive_rows_are_advised_adapters_and_nothing_is_started(client_for, mia, snapshot, base):
    events = Event.objects.count()

    answer = page(client_for(mia), "/runs/launch/?advice=1&ask-sensitive=on")

    text, verdict = answer.content.decode(), answer.context["verdict"]["row"]
    assert verdict.code == "adapters"
    assert re.search(rf"\b{snapshot.counts['splits']['train']}\b.*\b1,000\b", verdict.reason)
    assert escape(verdict.reason) in text
    concerns = {each["row"].code: each["row"].title for each in answer.context["concerns"]}
    assert {"not_scanned", "sensitive"} <= concerns.keys()
    assert [code for code, title in concerns.items() if escape(title) not in text] == []
    assert f'href="{escape(answer.context["apply_url"])}"' in text
    assert "apply=1" in answer.context["apply_url"]
    assert (answer.context["form"]["max_tokens"].value(), answer.context["strategy"]) == (64, "lora")
    assert (
        Run.objects.count(),
        Job.objects.filter(kind__startswith="training").count(),
        Event.objects.count(),
    ) == (0, 0, events)


def test_apply_puts_the_proposal_into_the_form_and_starts_nothing(client_for, mia, snapshot, base):
    client = client_for(mia)
    asked = page(client, "/runs/launch/?advice=1&ask-sensitive=on")

    applied = page(client, asked.context["apply_url"].partition("#")[0])

    form = applied.context["form"]
    assert (applied.context["strategy"], form["patience"].value()) == ("lora", 2)
    assert form.fields["patience"].help_text.startswith("Advised. Sensitive data")
    assert applied.context["applied"]
    assert not Run.objects.exists()


def test_the_applied_settings_start_the_run_that_was_advised(client_for, mia, snapshot, base):
    client = client_for(mia)
    asked = page(client, "/runs/launch/?advice=1&ask-sensitive=on")
    form = page(client, asked.context["apply_url"].partition("#")[0]).context["form"]
    values = {
        name: form[name].value()
        for name in form.fields
        if not (form[name].value() is None or form[name].value() is False)
    }
    chosen = {"dataset_version": str(snapshot.uuid), "base": str(base.uuid), "strategy": "lora"}

    client.post("/runs/launch/", {**values, **chosen, "advice": "1", "ask-sensitive": "on", "apply": "1"})

    run = Run.objects.get()
    assert (run.strategy, run.spec["patience"], run.spec["max_tokens"]) == ("lora", 2, 64)


def test_an_invalid_number_is_an_error_of_its_field(client_for, mia, base):
    answer = page(client_for(mia), "/runs/launch/?advice=1&ask-minutes=soon", **HTMX)

    assert answer.context["advised"] is None
    assert [(name, each[0].code) for name, each in answer.context["ask"].errors.as_data().items()] == [
        ("minutes", "invalid")
    ]
    assert b'role="alert"' in answer.content
    assert b'href="#id_ask-minutes"' in answer.content
    assert b"<html" not in answer.content


def test_a_limit_that_no_base_meets_has_a_warning(client_for, mia, base):
    base.facts |= {"layers": 12, "hidden_size": 768}
    base.save(update_fields=["facts"])

    answer = page(client_for(mia), "/runs/launch/?advice=1&ask-latency_ms=0.001")

    limits = {each["row"].code: each["row"] for each in answer.context["concerns"]}["limits"]
    assert answer.context["advised"].base == base
    assert limits.next_step
    assert escape(limits.next_step) in answer.content.decode()


def test_lengths_are_counted_by_the_tokenizer_of_the_base_once(snapshot, project, mia, tmp_path):
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    words.save(str(write_base(tmp_path / "real") / "tokenizer.json"))
    base = make_base(project, mia, folder=tmp_path / "real", name="real")

    first = advising.lengths_of(snapshot, base)
    with CaptureQueriesContext(connection) as again:
        second = advising.lengths_of(snapshot, base)

    assert (first.counted, len(first.tokens)) == (True, snapshot.counts["splits"]["train"])
    assert set(first.tokens) <= set(range(4, 9))  # two to six words, and two special tokens
    assert (second, len(again)) == (first, 0)


def test_without_a_tokenizer_that_can_be_read_lengths_are_estimated(snapshot, base):
    texts = [row.item.text for row in snapshots.with_items(snapshot, snapshots.rows_of(snapshot, "train"))]

    lengths = advising.lengths_of(snapshot, base)

    assert lengths == Lengths(
        tuple(sorted(tokens_from_characters(len(text)) for text in texts)), counted=False
    )


@pytest.mark.postgres
def test_multi_label_data_gets_advice(project, mia):
    snapshot = multi_label_snapshot(project, mia)
    base = make_base(project, mia)

    found = advising.advise(snapshot, base, [base], Answers())

    assert sorted(found.data.labels) == ["card", "login", "refund"]
    assert found.advice.verdict.code == "head"


def test_the_api_gives_what_a_launch_takes(client_for, mia, snapshot, base):
    client = client_for(mia)

    found = client.get(f"/api/v1/dataset-versions/{snapshot.uuid}/advice/?minutes=60&sensitive=true").json()
    body = {
        "dataset_version": str(snapshot.uuid),
        **{name: found[name] for name in ("base", "strategy", "options")},
    }
    launched = client.post("/api/v1/runs/", body, content_type="application/json")

    assert (found["verdict"]["code"], found["base"], found["strategy"]) == (
        "adapters",
        str(base.uuid),
        "lora",
    )
    assert (found["lengths"]["texts"], found["lengths"]["counted"]) == (
        snapshot.counts["splits"]["train"],
        False,
    )
    assert [each["code"] for each in found["warnings"]] == ["not_scanned", "small_test", "sensitive"]
    assert launched.status_code == 201
    assert launched.json()["spec"]["patience"] == 2


def test_the_api_refuses_nonsense_and_a_foreign_base(client_for, mia, ana, otto, snapshot, base):
    address = f"/api/v1/dataset-versions/{snapshot.uuid}/advice/"

    assert client_for(mia).get(address, {"minutes": "soon"}).json()["fields"] == {
        "minutes": ["A valid number is required."]
    }
    foreign = client_for(mia).get(address, {"base": str(snapshot.uuid)})
    assert (foreign.status_code, list(foreign.json()["fields"])) == (422, ["base"])
    assert [client_for(each).get(address).status_code for each in (ana, otto)] == [403, 404]


@pytest.fixture
def decoder(base, mia):
    return make_decoder(base.project, mia)


@pytest.fixture
def marked(decoder, mia):
    return spans_snapshot(decoder.project, mia)


@pytest.fixture
def written(marked, project, mia):
    return generation_snapshot(project, mia)


def test_advice_is_refused_and_not_offered_for_tasks_without_labels(
    client_for, mia, marked, written, base, decoder
):
    for snapshot, fitting in {marked: base, written: decoder}.items():
        client, address = client_for(mia), f"/api/v1/dataset-versions/{snapshot.uuid}/advice/"
        shown = client.get(f"/runs/launch/?dataset_version={snapshot.uuid}&advice=1")
        refused = client.get(address)

        assert (shown.status_code, shown.context["base"], b'id="advice"' in shown.content) == (
            200,
            fitting,
            False,
        )
        assert (refused.status_code, refused.json()["code"]) == (422, "refused")


def test_ten_steps_of_a_base_that_does_not_fit_are_refused_and_nothing_is_queued(
    mia, marked, written, base, decoder
):
    for snapshot, other in ((marked, decoder), (written, base)):
        with pytest.raises(Refused) as refusal:
            actions.estimate(snapshot=snapshot, base=other, strategy="lora", actor=mia)
        assert list(refusal.value.fields) == ["base"]

    assert not Estimate.objects.exists()
