"""A threshold for one class, requested with a run or a sweep: offered, refused, carried over, and shown."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.html import escape

from datasets_app.datasets import actions as datasets
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.models import Label
from datasets_app.schemas.rules import LabelSpec
from lifecycle.modeling.training import actions, suggesting
from lifecycle.modeling.training.models import Run, Sweep
from lifecycle.runtime.refusals import Refused
from monitoring.retraining.actions.training import recipe_of
from tests.support.changing import change
from tests.support.jobs import run_ok
from tests.support.snapshots import freeze
from tests.support.training import labeled_dataset, make_base, make_run, make_snapshot, multi_label_snapshot
from tests.support.unchanged import refused

WANTED = {"operating_class": "card", "operating_point": "recall", "operating_target": 0.95}
SPACE = {"epochs": {"choices": [2, 3]}}


@pytest.fixture
def snapshot(project, mia):
    """A dataset version with about 32 validation rows per class."""
    return make_snapshot(project, mia, copies=27)


@pytest.fixture
def form(snapshot, base, mia):
    """The initial launch form."""
    client = Client()
    client.force_login(mia)
    return client.get("/runs/launch/").context["form"]


@pytest.fixture
def shown(form, snapshot, base):
    """The form's data as the browser sends it."""
    values = {
        name: form[name].value()
        for name in form.fields
        if not (form[name].value() is None or form[name].value() is False)
    }
    return {**values, "dataset_version": str(snapshot.uuid), "base": str(base.uuid), "strategy": "lora"}


@pytest.fixture
def run(snapshot, base, mia):
    """A run with its threshold."""
    return make_run(snapshot, mia, base=base, splits=(), **WANTED)


def threshold_of(client, run) -> str | None:
    """The threshold as the page of a run shows it; None if there is none."""
    answer = client.get(f"/runs/{run.uuid}/")
    text = next((each["text"] for each in answer.context["provenance"] if each["label"] == "Threshold"), None)
    assert text is None or f"<bdi>{escape(text)}</bdi>" in answer.content.decode()
    return text


def test_the_form_offers_the_classes_and_a_run_stores_the_choice(form, shown, mia, client_for):
    client = client_for(mia)

    client.post("/runs/launch/", shown | {name: str(value) for name, value in WANTED.items()})

    run = Run.objects.get()
    assert form.fields["operating_class"].choices == [
        ("", "None"),
        ("card", "card"),
        ("login", "login"),
        ("refund", "refund"),
    ]
    assert {name: run.spec[name] for name in WANTED} == WANTED
    shown = threshold_of(client, run)
    assert [word for word in ("card", "recall", "0.95") if word not in shown] == []


def test_the_initial_form_requests_no_threshold(shown, mia, client_for):
    client = client_for(mia)

    client.post("/runs/launch/", shown)

    run = Run.objects.get()
    assert (run.spec["operating_class"], run.spec["operating_point"]) == ("", "f1")
    assert threshold_of(client, run) is None


def test_multi_label_tasks_neither_offer_nor_accept_it(project, mia, client_for):
    snapshot, base = multi_label_snapshot(project, mia), make_base(project, mia)

    with pytest.raises(Refused) as refused:
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options=WANTED)

    assert "operating_class" not in client_for(mia).get("/runs/launch/").context["form"].fields
    assert refused.value.fields == {
        "operating_class": ["Must be empty for multi_label: it applies to single-label classification only."]
    }
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("options", "field", "message"),
    [
        (
            {"operating_class": "spam"},
            "operating_class",
            'Must be empty or one of card, login, refund, got "spam".',
        ),
        (
            {"operating_class": ""},
            "operating_class",
            "Must be the label with the target recall of 0.95: one of card, login, refund.",
        ),
        (
            {"operating_point": "f1"},
            "operating_point",
            'Must be precision or recall if "card" has a threshold.',
        ),
        ({"operating_target": 0}, "operating_target", "Must be from 0.01 to 1, got 0."),
    ],
)
def test_an_impossible_threshold_is_refused_at_its_field_by_page_and_api(
    shown, mia, snapshot, base, client_for, options, field, message
):
    client = client_for(mia)
    body = {
        "dataset_version": str(snapshot.uuid),
        "base": str(base.uuid),
        "strategy": "lora",
        "options": WANTED | options,
    }

    response = client.post("/api/v1/runs/", body, content_type="application/json")
    page = client.post(
        "/runs/launch/", shown | {name: str(each) for name, each in (WANTED | options).items()}
    )

    assert (response.status_code, page.status_code) == (422, 422)
    assert list(response.json()["fields"]) == [field]
    assert message.rstrip(".") in response.json()["fields"][field][0]
    assert field in page.context["form"].errors
    assert not Run.objects.exists()


def test_a_class_with_few_validation_rows_is_refused_and_nothing_is_queued(project, mia):
    few, base = make_snapshot(project, mia), make_base(project, mia)
    rows = few.counts["labels"]["card"]["validation"]

    with pytest.raises(Refused) as run:
        actions.launch(snapshot=few, base=base, strategy="lora", actor=mia, options=WANTED)
    with pytest.raises(Refused) as sweep:
        actions.start_sweep(
            snapshot=few, base=base, strategy="lora", actor=mia, space=SPACE, trials=2, options=WANTED
        )

    assert rows < 20
    assert run.value.message == f"card has {rows} validation rows in {few}; choosing its threshold needs 20."
    assert list(run.value.fields) == list(sweep.value.fields) == ["operating_class"]
    assert not Run.objects.exists()
    assert not Sweep.objects.exists()


def test_a_sweep_keeps_it_the_same_in_every_trial(mia, snapshot, base):
    sweep = actions.start_sweep(
        snapshot=snapshot, base=base, strategy="lora", actor=mia, space=SPACE, trials=2, options=WANTED
    )

    assert {name: sweep.options[name] for name in WANTED} == WANTED


def test_a_trained_run_shows_its_threshold_and_its_validation_result(run, mia, client_for):
    chosen = run.result["deciding"]

    shown, reached = threshold_of(client_for(mia), run), chosen["validation"]
    figures = (
        f"{chosen['threshold']:.3f}",
        f"{reached['value']:.3f}",
        f"{reached['hits']} of {reached['of']} ",
    )
    assert chosen["is_met"]
    assert shown.startswith("card ")
    assert [each for each in figures if each not in shown] == []


# ── The class in other versions ─────────────────────────────────────────────
def later(snapshot, mia, **names):
    """The dataset's next version, with these class names; an empty name retires the class."""
    known = dict(Label.objects.filter(schema=snapshot.schema).values_list("name", "stable_id"))
    specs = [LabelSpec(names.get(name, name), stable_id=known[name]) for name in ("card", "refund", "login")]
    publish_schema(dataset_id=snapshot.dataset.uuid, actor=mia, labels=specs)
    return freeze(snapshot.dataset, mia, shares={"train": 60, "validation": 20, "test": 20})


def test_a_class_that_was_renamed_is_followed_by_retraining_and_by_the_form(run, mia, snapshot, client_for):
    renamed = later(snapshot, mia, card="Cards")

    form = (
        client_for(mia)
        .get("/runs/launch/", {"like": run.uuid, "dataset_version": renamed.uuid})
        .context["form"]
    )

    assert suggesting.threshold_settings(run.spec, snapshot, renamed) == {"operating_class": "Cards"}
    assert {name: recipe_of(run, renamed)[name] for name in WANTED} == WANTED | {"operating_class": "Cards"}
    assert (
        form["operating_class"].value(),
        form["operating_point"].value(),
        form["operating_target"].value(),
    ) == ("Cards", "recall", 0.95)
    assert (
        make_run(renamed, mia, splits=(), **WANTED | {"operating_class": "Cards"}).result["deciding"]["label"]
        == "Cards"
    )


def test_a_merged_class_is_followed_to_its_target(run, mia, ravi, snapshot):
    change(snapshot.dataset, ravi, ("card", "merge", ["refund"]))
    change(snapshot.dataset, ravi, ("refund", "rename", ["Money"]))
    run_ok("default")
    merged = freeze(snapshot.dataset, mia, shares={"train": 60, "validation": 20, "test": 20})

    options = recipe_of(run, merged)
    again = actions.launch(snapshot=merged, base=run.base, strategy=run.strategy, actor=mia, options=options)

    assert sorted(merged.counts["labels"]) == ["Money", "login"]
    assert suggesting.threshold_settings(run.spec, snapshot, merged) == {"operating_class": "Money"}
    assert {name: again.spec[name] for name in WANTED} == WANTED | {"operating_class": "Money"}


@pytest.mark.postgres
def test_a_retraining_with_too_few_rows_of_the_class_has_no_threshold(run, project, mia, snapshot):
    mine = datasets.save_slice(dataset_id=snapshot.dataset.uuid, actor=mia, name="Mine", filters={"q": "my"})
    few = freeze(snapshot.dataset, mia, slice_id=mine.uuid)

    options = recipe_of(run, few)
    again = actions.launch(snapshot=few, base=run.base, strategy=run.strategy, actor=mia, options=options)

    assert few.dataset == snapshot.dataset
    assert 0 < few.counts["labels"]["card"]["validation"] < 20
    assert (again.spec["operating_class"], again.spec["operating_point"]) == ("", "f1")
    with refused("operating_class"):
        actions.launch(
            snapshot=few, base=run.base, strategy=run.strategy, actor=mia, options=options | WANTED
        )


def test_data_without_the_class_uses_the_most_likely_class(run, project, mia, snapshot):
    texts = {"bill": ["the bill is wrong", "a bill late"], "other": ["hello there", "good day"]}
    other = freeze(
        labeled_dataset(project, mia, texts=texts, name="Other"),
        mia,
        shares={"train": 60, "validation": 20, "test": 20},
    )

    assert suggesting.threshold_settings(run.spec, snapshot, other) == {
        "operating_class": "",
        "operating_point": "f1",
    }
    assert suggesting.threshold_settings(run.spec | {"operating_class": ""}, snapshot, other) == {}


@pytest.mark.postgres
def test_the_form_of_a_sweep_offers_it_too(mia, snapshot, base, client_for):
    client = client_for(mia)
    form = client.get("/runs/sweeps/new/", {"dataset_version": snapshot.uuid}).context["form"]
    shown = {
        name: value
        for name in form.fields
        if (value := form[name].value()) is not None and value is not False
    }
    asked = {"dataset_version": snapshot.uuid, "base": base.uuid, "strategy": "lora", **shown, "trials": 2}

    refused = client.post("/runs/sweeps/new/", asked | WANTED | {"operating_class": "spam"})
    client.post("/runs/sweeps/new/", asked | WANTED)

    assert refused.status_code == 422
    assert "operating_class" in refused.context["form"].errors
    assert {name: Sweep.objects.get().options[name] for name in WANTED} == WANTED
