"""What a model got wrong becomes an item, its right annotation, and a row of the next version, whatever the
task predicts.
"""

from __future__ import annotations

import json

import pytest

from datasets_app.prelabels.models import Suggestion
from datasets_app.snapshots import queries as snapshots
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.inputs import TEXT_LIMIT
from monitoring.retraining import actions
from monitoring.retraining.actions.training import compared_with
from monitoring.retraining.models import Pick
from monitoring.retraining.queries import texts
from monitoring.traffic.actions import Entry, record_many
from monitoring.traffic.models import Prediction
from registry.catalog.models import Endpoint
from tests.monitoring.retraining.conftest import advance, approve, collect
from tests.support import labeling, training
from tests.support.asked import CASES, asked, asked_case, live_of, ranked, spooled


@pytest.fixture
def live(project, mia, ravi, lee, gita, omar) -> dict[str, Endpoint]:
    """An endpoint of each task."""
    return {task: live_of(task) for task in CASES}


@pytest.mark.postgres
@pytest.mark.parametrize("task", CASES)
def test_a_wrong_prediction_becomes_an_item_and_a_row_of_the_next_version(
    task, live, client_for, mia, lee, ana
):
    endpoint, case = live[task], CASES[task]
    first, *others = asked_case(endpoint, task)
    told = client_for(mia).post(
        f"/api/v1/predictions/{first.uuid}/feedback/",
        json.dumps({"right": False, "value": case.right, "kind": "truth"}),
        content_type="application/json",
    )
    assert told.status_code == 201, told.content

    proposal = collect(actions.propose(endpoint_id=endpoint.uuid, actor=mia, min_labels=1, queue_items=10))

    picks = {pick.prediction_uuid: pick for pick in Pick.objects.filter(proposal=proposal)}
    pick = picks[first.uuid]
    assert (len(picks), proposal.items, proposal.queue.items_total) == (len(case.rows),) * 3
    assert (pick.label, [picks[each.uuid].label for each in others]) == (case.words, [""] * len(others))
    assert pick.item.content == case.item
    assert case.item is not None or pick.item.text == case.rows[0]
    assert not Suggestion.objects.filter(item__upload=proposal.upload).exists()

    approve(proposal, lee)
    labeling.annotate(proposal.queue, ana, pick.item, case.right)
    proposal = advance(proposal)

    splits = ("train", "validation", "test")
    rows = [row for split in splits for row in snapshots.rows_of(proposal.snapshot, split)]
    (row,) = [row for row in rows if row.item == pick.item.digest]
    assert {type_of(task).answers.name: json.loads(row.label)} == case.right
    assert row.split == pick.item.split
    assert proposal.run.snapshot == proposal.snapshot


def test_rankings_that_cannot_be_items_are_left_out_and_counted(live, mia):
    endpoint = live["ranking"]
    rows = [
        ("fits", "a", "b"),
        ("one", "a"),
        ("six", *"abcdef"),
        ("long", "a" * TEXT_LIMIT, "b"),
        ("blank", "a", " "),
        ("stored before candidates were", "a", "b"),
        ("erased", "a", "b"),
        ("not wrong, one", "a"),
    ]
    entries = [entry for row in rows for entry in ranked("ranking", [-at for at in range(len(row) - 1)])]
    made = asked(endpoint, spooled(endpoint, "ranking", rows, entries))
    record_many(entries=[Entry(each.uuid, False) for each in made[:-1]], actor=mia)
    Prediction.objects.filter(pk=made[5].pk).update(content=None)
    Prediction.objects.filter(pk=made[6].pk).update(text=None, content=None)

    proposal = actions.propose(endpoint_id=endpoint.uuid, actor=mia, min_labels=1, queue_items=10)
    window = texts.window_texts(proposal)
    proposal = collect(proposal)

    assert [each.kept.uuid for each in window.texts] == [made[0].uuid]
    assert (window.missing, window.unfit, proposal.items) == (2, 4, 1)
    assert proposal.collect_note.count("; left out: ") == 1
    assert [word for word in proposal.collect_note.split() if word.isdecimal()] == ["1", "2", "4"]


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("ranking", ["pair_accuracy", "best_first"]),
        ("multi_label", ["macro_f1", "subset_accuracy", "micro_f1"]),
        ("spans", ["micro_f1", "macro_f1"]),
    ],
)
def test_models_are_compared_by_the_measures_of_their_task(task, names, live, mia):
    old = Evaluation.objects.get(run=live[task].alias.version.run)
    new = Evaluation.objects.get(run=training.make_run(old.snapshot, mia, accuracy=1.0, splits=("test",)))

    found = compared_with(old, new)

    assert list(found["metrics"]) == names
    assert found["metrics"][names[0]]["difference"] >= 0
