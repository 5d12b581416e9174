"""Launching a run on chats, and which turns it reads."""

from __future__ import annotations

import json

import pytest

from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions, folders
from lifecycle.modeling.training.models import Estimate, Run
from lifecycle.runtime.task_types.answers import ItemContent
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.formats import Unlearnable
from tests.support.generation import (
    chat_snapshot,
    generation_snapshot,
    make_decoder,
    make_generation_run,
    write_decoder,
)
from tests.support.unchanged import refused

CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "1", "function": {"name": "look", "arguments": "{}"}}],
}
SPLITS = ("train", "validation", "test")
ASKED = {"role": "user", "content": "where is it"}
TOOLS = [
    ASKED,
    CALL,
    {"role": "tool", "tool_call_id": "1", "content": "there"},
    {"role": "assistant", "content": "there"},
]


@pytest.fixture
def snapshot(project, mia):
    return chat_snapshot(project, mia)


@pytest.fixture
def base(snapshot, project, mia):
    return make_decoder(project, mia)


def rows_in(snapshot, split, folder):
    count = snapshots.write_split(snapshot, split, folder / "rows.jsonl")
    return count, [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]


def nothing_was_queued():
    return not Run.objects.exists() and not Job.objects.filter(kind="training.train").exists()


def test_chats_with_tool_calls_are_excluded_with_the_reason(project, mia, tmp_path):
    image = [{"role": "user", "content": "look"}, {"role": "assistant", "content": "there", "weight": 0}]
    snapshot = chat_snapshot(project, mia, more=[TOOLS, image])

    found = {}
    for split in SPLITS:
        count, rows = rows_in(snapshot, split, tmp_path)
        assert count == sum("left_out" not in row for row in rows)
        found |= {row["id"]: row.get("left_out") for row in rows}

    assert sorted(each for each in found.values() if each) == [
        "with tool calls",
        "with weight 0 for every response",
    ]
    assert len(found) == 34
    assert set(snapshots.learned_rows_of(snapshot, list(found))) == {
        item for item, reason in found.items() if not reason
    }


def test_a_developer_turn_becomes_a_system_turn_and_a_weight_of_0_is_kept(project, mia, tmp_path):
    talk = [
        {"role": "developer", "content": "please"},
        ASKED,
        {"role": "assistant", "content": "no", "weight": 0},
        ASKED,
        {"role": "assistant", "content": "there", "weight": 1, "name": "anna"},
    ]
    snapshot = chat_snapshot(project, mia, more=[talk])

    rows = [row for split in SPLITS for row in rows_in(snapshot, split, tmp_path)[1]]

    (row,) = [row for row in rows if row["messages"][0]["role"] == "system" and row["answer"] == "there"]
    assert row["messages"] == [
        {"role": "system", "content": "please"},
        ASKED,
        {"role": "assistant", "content": "no", "weight": 0},
        ASKED,
        {"role": "assistant", "content": "there"},
    ]


def test_a_version_with_nothing_to_train_on_is_refused(project, base, mia):
    snapshot = chat_snapshot(
        project,
        mia,
        copies=0,
        more=[[{"role": "user", "content": f"where {n}"}, *TOOLS[1:]] for n in range(12)],
    )

    with refused("dataset_version") as refusal:
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert set(refusal.value.fields) == {"dataset_version"}
    assert nothing_was_queued()


def test_an_erased_chat_is_excluded(snapshot, monkeypatch):
    row, item = next(snapshots.with_items(snapshot, snapshots.rows_of(snapshot, "train")))
    monkeypatch.setattr(snapshots, "with_values", lambda *_: [(row, item, None)])

    assert list(snapshots.engine_rows(snapshot, "train")) == []


def test_a_dry_run_of_chats_is_measured(snapshot, base, mia):
    actions.estimate(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert Estimate.objects.get().spec["task"] == "generation"


def test_advice_is_refused_with_a_message(snapshot, base, mia, client_for):
    refused = client_for(mia).get(f"/api/v1/dataset-versions/{snapshot.uuid}/advice/")

    assert (refused.status_code, refused.json()["code"]) == (422, "refused")


def test_a_chat_run_continues_from_a_prompt_run_and_rehearses_its_rows(
    snapshot, base, project, mia, tmp_path
):
    before = make_generation_run(generation_snapshot(project, mia), mia, base, splits=())
    decoder = actions.keep_base(
        actions.add_run_base(run=before, actor=mia), write_decoder(tmp_path / "again")
    )

    run = actions.launch(
        snapshot=snapshot, base=decoder, strategy="lora", actor=mia, options={"rehearsal": 0.2}
    )

    folders.prepare_earlier(before, run.snapshot, folders.TrainSpec.from_json(run.spec), tmp_path)
    rehearsed = [json.loads(line) for line in (tmp_path / "rehearsal.jsonl").read_text().splitlines()]
    assert rehearsed
    assert all("messages" not in row and row["answer"] for row in rehearsed)


def test_a_chat_with_too_many_turns_is_excluded_with_the_reason():
    turns = [{"role": role, "content": "card"} for role in ("user", "assistant") * 101]

    def content(messages):
        return formats_of("chat").engine_row(ItemContent(), {"messages": messages})

    assert content(turns[:200])["answer"] == "card"
    with pytest.raises(Unlearnable, match="with more than 200 turns"):
        content(turns)
