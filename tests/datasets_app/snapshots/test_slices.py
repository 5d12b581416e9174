"""A snapshot of a slice contains its labeled items, constrained by all other labeled items."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest
from django.urls import reverse
from django.utils.html import escape

from datasets_app.datasets import actions as datasets
from datasets_app.snapshots import actions, queries
from datasets_app.snapshots.actions import freezing
from datasets_app.snapshots.dividing import divide
from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.rules import Anchor, Row, digests
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Refused
from registry.ground.artifacts.actions import local_copy
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import digest_of
from tests.support.datasets import import_texts, make_dataset
from tests.support.jobs import run_jobs, run_ok
from tests.support.snapshots import freeze

SHARES = {"train": 60, "validation": 20, "test": 20}
ROWS = [
    (f"{word} {label} number {n}", label)
    for word in ("mail", "chat")
    for label in ("card", "cash")
    for n in range(10)
]


# ── The rules ───────────────────────────────────────────────────────────────
def row(text, label="card", *, group="", kept="", declared=""):
    item = f"{text}-{label}"
    return Row(item, f"uuid-{item}", f"d-{item}", f"decision-{item}", label, text, group, kept, declared)


def splits(division):
    return {placed.row.item: placed.split for placed in division.placed}


def test_rows_outside_are_never_placed_and_count_in_no_quota():
    inside, outside = [row(f"a{n}") for n in range(10)], [row(f"b{n}") for n in range(50)]
    division = divide(inside, seed=1, shares=SHARES, beside=outside)

    assert Counter(splits(division).values()) == {"train": 6, "validation": 2, "test": 2}
    assert set(splits(division)) == {each.item for each in inside}
    assert splits(division) == splits(divide(inside, seed=1, shares=SHARES))


def test_a_row_outside_links_rows_inside_that_nothing_else_links():
    one, other = row("one"), row("other", group="g")
    link = row("between", group="g")
    for seed in range(20):
        near = [("n", "one"), ("n", "between")]
        division = divide(
            [one, other, *(row(f"x{n}") for n in range(8))],
            seed=seed,
            shares=SHARES,
            beside=[link],
            near=near,
        )
        assert splits(division)[one.item] == splits(division)[other.item]


@pytest.mark.parametrize(("kept", "declared"), [("test", ""), ("", "test")])
def test_a_test_text_outside_the_slice_is_not_in_train_inside(kept, declared):
    twin = row("same", group="g", kept=kept, declared=declared)
    division = divide(
        [row("mine", group="g"), row("fixed", group="g", kept="train")], seed=1, shares=SHARES, beside=[twin]
    )

    assert splits(division) == {"mine-card": "test"}
    assert division.left_out == {"leak": 1}


def test_a_label_outside_contradicts_one_inside():
    division = divide(
        [row("same"), row("alone")],
        seed=1,
        shares={"train": 100, "validation": 0, "test": 0},
        beside=[row("same", "cash")],
    )

    assert set(splits(division)) == {"alone-card"}
    assert division.left_out == {"contradiction": 1}
    assert [(case.item_uuid, case.against) for case in division.cases] == [
        ("uuid-same-card", "uuid-same-cash")
    ]


def test_anchors_constrain_a_slice_too():
    division = divide(
        [row("mine", group="g")],
        seed=1,
        shares=SHARES,
        beside=[row("x")],
        anchors=[Anchor("gone", "g", "validation")],
    )
    assert splits(division) == {"mine-card": "validation"}


def test_filters_are_in_the_digest_but_not_in_the_test_digest():
    placed = divide([row(f"a{n}") for n in range(10)], seed=1, shares=SHARES).placed
    whole, test = digests(placed, "schema")
    assert digests(placed, "schema", "filters") != (whole, test)
    assert digests(placed, "schema", "filters")[1] == test


# ── The freeze ──────────────────────────────────────────────────────────────
@pytest.fixture
def dataset(project, mia):
    made = make_dataset(project, mia, "Inbox")
    import_texts(made, ROWS, mia)
    import_texts(made, ["mail unlabeled"], mia)
    return made


@pytest.fixture
def mails(dataset, mia):
    return datasets.save_slice(
        dataset_id=dataset.uuid, actor=mia, name="Mails", filters={"q": "mail"}, shared=True
    )


def texts(snapshot):
    return {item.text for _, item in queries.with_items(snapshot, queries.open_snapshot(snapshot))}


@pytest.mark.django_db
def test_it_contains_the_labeled_items_of_the_slice_and_shows_its_filters(dataset, mails, mia):
    snapshot = freeze(dataset, mia, shares=SHARES, slice_id=mails.uuid)

    assert texts(snapshot) == {text for text, _ in ROWS if text.startswith("mail")}
    assert snapshot.counts["splits"] == {"train": 12, "validation": 4, "test": 4}
    assert (snapshot.filters, snapshot.leakage["unlabeled"]) == ({"q": "mail"}, 1)
    with local_copy(snapshot.manifest.digest) as path:
        assert pq.ParquetFile(path).schema_arrow.metadata == {b"filters": digest_of({"q": "mail"}).encode()}
    frozen, asked = (
        json.loads(Event.objects.get(verb=f"snapshots.{verb}").canonical)["payload"]
        for verb in ("created", "requested")
    )
    assert frozen["filters"] == asked["filters"] == snapshot.filters_digest == digest_of({"q": "mail"})
    assert asked["slice"] == str(mails.uuid)
    assert "mail" not in json.dumps([frozen, asked])


@pytest.mark.django_db
def test_splits_of_a_slice_stay_in_the_snapshot_of_everything(dataset, mails, mia):
    small, whole = (
        freeze(dataset, mia, shares=SHARES, slice_id=mails.uuid),
        freeze(dataset, mia, shares=SHARES),
    )

    before = {row.item: row.split for row in queries.open_snapshot(small)}
    after = {row.item: row.split for row in queries.open_snapshot(whole)}
    assert len(after) == 40
    assert {item: after[item] for item in before} == before
    assert (whole.filters, whole.filters_digest) == (None, "")


@pytest.mark.django_db
def test_a_slice_of_everything_has_another_digest_than_no_slice(dataset, mia):
    every = datasets.save_slice(
        dataset_id=dataset.uuid, actor=mia, name="Every", filters={"length_from": "1"}
    )
    whole, small = freeze(dataset, mia), freeze(dataset, mia, slice_id=every.uuid)

    assert [row.item for row in queries.open_snapshot(whole)] == [
        row.item for row in queries.open_snapshot(small)
    ]
    assert whole.digest != small.digest
    assert whole.test_digest == small.test_digest


@pytest.mark.django_db
def test_a_rerun_job_takes_the_items_selected_first(dataset, mails, mia, monkeypatch):
    actions.freeze(dataset=dataset, actor=mia, shares=SHARES, slice_id=mails.uuid)
    read_rows = freezing.read_rows

    def dying(*args):
        monkeypatch.setattr(freezing, "read_rows", read_rows)
        raise ConnectionError("the worker is gone")

    monkeypatch.setattr(freezing, "read_rows", dying)
    calls = []
    choose = freezing.choose
    monkeypatch.setattr(freezing, "choose", lambda *args: calls.append(1) or choose(*args))
    run_jobs("default")

    assert Snapshot.objects.get().counts["rows"] == 20
    assert calls == [1]


@pytest.mark.django_db
def test_an_unknown_or_invalid_slice_is_refused_and_nothing_is_requested(dataset, mails, mia, ravi, lee):
    own = datasets.save_slice(dataset_id=dataset.uuid, actor=ravi, name="Mine", filters={"q": "mail"})
    # owned by another person; only for people who read texts
    for actor, chosen in ((mia, own), (lee, mails)):
        with pytest.raises(Refused) as refusal:
            actions.freeze(dataset=dataset, actor=actor, slice_id=chosen.uuid)
        assert list(refusal.value.fields) == ["slice"]
    assert not Job.objects.filter(kind="snapshots.create").exists()
    assert not Event.objects.filter(verb="snapshots.requested").exists()


@pytest.mark.django_db
def test_a_slice_without_matches_makes_no_snapshot(dataset, mia):
    none = datasets.save_slice(dataset_id=dataset.uuid, actor=mia, name="None", filters={"q": "nowhere"})
    actions.freeze(dataset=dataset, actor=mia, slice_id=none.uuid)
    (job,) = run_jobs("default")

    assert (job.state, job.error) == ("failed", "The version wasn't created. The slice matches no items now.")
    assert not Snapshot.objects.exists()


# ── Pages and API ───────────────────────────────────────────────────────────
@pytest.mark.postgres
@pytest.mark.django_db
def test_the_slice_links_to_the_form_and_filters_are_shown_to_people_who_read_texts(
    dataset, mails, mia, lee, client_for
):
    client, url = client_for(mia), reverse("snapshots:dataset", args=[dataset.uuid])
    assert (
        f'href="{url}?slice={mails.uuid}"'
        in client.get(reverse("datasets:slice", args=[mails.uuid])).content.decode()
    )
    assert (
        f'<option value="{mails.uuid}" selected>Mails</option>'
        in client.get(url, {"slice": str(mails.uuid)}).content.decode()
    )

    posted = {**SHARES, "seed": "13", "note": "", "after": "0", "slice": str(mails.uuid)}
    assert client.post(reverse("snapshots:freeze", args=[dataset.uuid]), posted).status_code == 302
    run_ok("default")
    snapshot = Snapshot.objects.get()
    page = reverse("snapshots:detail", args=[snapshot.uuid])
    for reader, may in ((mia, True), (lee, False)):
        shown = client_for(reader).get(page)
        assert ("mail" in shown.context["of_slice"]) is may
        assert escape(shown.context["of_slice"]) in shown.content.decode()
    assert "data-slice" in client.get(url).content.decode()


@pytest.mark.django_db
def test_the_api_freezes_a_slice_and_names_its_filters_by_digest(dataset, mails, mia, client_for):
    body = {"shares": SHARES, "slice": str(mails.uuid)}
    asked = client_for(mia).post(
        f"/api/v1/datasets/{dataset.uuid}/dataset-versions/", body, content_type="application/json"
    )
    assert asked.status_code == 202
    run_ok("default")

    found = client_for(mia).get(f"/api/v1/dataset-versions/{Snapshot.objects.get().uuid}/").json()
    assert (found["counts"]["rows"], found["filters_digest"]) == (20, digest_of({"q": "mail"}))
    refused = client_for(mia).post(
        f"/api/v1/datasets/{dataset.uuid}/dataset-versions/",
        {"slice": str(dataset.uuid)},
        content_type="application/json",
    )
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["slice"])
