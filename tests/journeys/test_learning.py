"""The main job against real processes, first half: from an uploaded file to two runs that are compared.

Tests stand in the order of the story; each does what it needs of the steps before it, so that one alone
passes too.
"""

from __future__ import annotations

import pytest

from tests.support.product import until
from tests.support.story import SHARES, Story
from tests.support.visitors import accept, looked_through, plain

pytestmark = pytest.mark.journey


# ── 1 Data and labels ───────────────────────────────────────────────────────
def test_the_dry_run_names_lines_and_fixes_and_nothing_appears_before_acceptance(story: Story):
    found = looked_through(story["ana"], story.dry_run)
    page = plain(story["ana"].page(f"/datasets/uploads/{story.dry_run}/"))

    assert found["state"] == "inspected"
    assert found["mapping"] == {"id": "id", "text": "text", "label": "label"}
    assert [(each["line"], each["code"]) for each in found["report"]["dry_run"]["problems"]] == [
        (3, "empty_text"),
        (5, "ragged"),
    ]
    for problem in found["report"]["dry_run"]["problems"]:
        assert problem["sentence"] in page
        assert problem["fix"] in page
    assert story["ana"].api("GET", f"datasets/{story.dataset}/items/")["results"] == []


def test_an_accepted_file_appears_at_once_and_the_same_file_again_adds_nothing(story: Story):
    assert (story.history["rows_new"], story.history["rows_failed"]) == (400, 2)
    assert story["ana"].api("GET", f"datasets/{story.dataset}/")["items"] == 400

    ana = story["ana"]
    content = "id,text,label\n" + "\n".join(
        f'h-{at},"{row.text}",{row.label}'
        for at, row in enumerate(story.corpus.history[:20])
        if '"' not in row.text
    )
    again = ana.api(
        "POST", f"datasets/{story.dataset}/uploads/?name=again.csv", status=201, content=content.encode()
    )
    ana.job(accept(ana, again["uuid"]))

    assert ana.api("GET", f"uploads/{again['uuid']}/")["rows_new"] == 0
    assert ana.api("GET", f"datasets/{story.dataset}/")["items"] == 400


def test_a_program_imports_json_lines_with_a_token(story: Story):
    assert (story.inbox["parser"], story.inbox["rows_new"]) == ("jsonl", 24)
    assert story["ana"].api("GET", f"datasets/{story.dataset}/")["items"] == 424


def test_strangers_find_nothing(story: Story):
    otto = story["otto"]
    for path in (
        f"/datasets/{story.dataset}/",
        f"/datasets/uploads/{story.dry_run}/",
        f"/labeling/{story.queue}/",
    ):
        otto.page(path, status=404)
    otto.api("GET", f"datasets/{story.dataset}/", status=404)


def test_three_annotators_answer_everything_on_the_bench(story: Story):
    assert story.annotated == 3 * 24

    queue = story.queue_now()
    assert (queue["slots_done"], queue["slots_total"]) == (72, 72)
    assert queue["items_labeled"] + queue["items_disputed"] == 24


# ── 2 Adjudication ──────────────────────────────────────────────────────────
def test_an_adjudicator_settles_what_they_do_not_agree_on(story: Story):
    divided = sum(
        len({story.corpus.label_by(name, at) for name in ("ana", "ben", "chloe")}) > 1 for at in range(24)
    )

    assert story.adjudicated == divided > 0
    assert (story.queue_now()["items_labeled"], story.queue_now()["items_disputed"]) == (24, 0)


# ── 3 Dataset version, runs, evaluations ───────────────────────────────────────
def test_a_dataset_version_counts_every_item_once(story: Story):
    splits = story.snapshot["counts"]["splits"]

    assert sum(splits.values()) == 424
    assert splits["test"] / 424 == pytest.approx(SHARES["test"] / 100, abs=0.02)
    assert set(story.snapshot["counts"]["labels"]) == set(story.corpus.labels)


def test_curves_of_a_lora_run_arrive_while_it_trains(story: Story):
    mia, run = story["mia"], story.lora_started["uuid"]
    assert story.head_started

    def first_points() -> dict:
        found = mia.client.get(f"/runs/{run}/points/?chart=loss&after=-1").json()
        return found if found["x"][0] else {}

    points = until(first_points, "the first points of the loss")
    assert points["next"] is not None  # it trains still
    page = mia.page(f"/runs/{run}/")
    assert 'id="loss"' in page

    assert story.lora["metrics"]["macro_f1"] > 0.5
    everything = mia.api("GET", f"runs/{run}/points/?chart=loss")
    assert everything["next"] is None
    assert len(everything["x"][1]) == 6  # two evaluations an epoch
    assert story.lora["step"] == everything["x"][0][-1]


def test_an_evaluation_reports_its_uncertainty(story: Story):
    report = story.evaluation(story.lora)["report"]

    assert report["rows"] == story.snapshot["counts"]["splits"]["test"]
    low, high = (report["intervals"]["macro_f1"][end] for end in ("low", "high"))
    assert low <= report["macro_f1"] <= high
    assert sum(sum(row) for row in report["confusion"]["counts"]) == report["rows"]
    assert set(report["baselines"]) == {"majority", "tfidf_logreg", "frozen_base_logreg"}
    assert report["macro_f1"] > report["baselines"]["majority"]["macro_f1"]


def test_two_runs_are_compared_on_the_same_items(story: Story):
    a, b = story.evaluation(story.head), story.evaluation(story.lora)

    found = story["mia"].api("GET", f"evaluations/compare/?a={a['uuid']}&b={b['uuid']}")

    assert (found["rows"], found["left_out"], found["same_items"]) == (a["rows"], 0, True)
    difference = b["report"]["macro_f1"] - a["report"]["macro_f1"]
    assert found["metrics"]["macro_f1"]["difference"] == pytest.approx(difference, abs=1e-9)
    story["mia"].page(f"/evaluations/compare/?a={a['uuid']}&b={b['uuid']}")
