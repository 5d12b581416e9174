"""Thresholds at a fixed precision or recall: how they are chosen on validation, and that the artifact keeps
them.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from lifecycle.runtime.engine.artifact import ArtifactInfo, Operating
from lifecycle.runtime.engine.events import read_events
from lifecycle.runtime.engine.spec import Base, TrainSpec
from lifecycle.runtime.statistics.operating import choices
from lifecycle.runtime.statistics.operating.choices import Choice, choose_for
from lifecycle.runtime.task_types.by_key.decoding import decoding_of
from tests.support.faults import wrong_setting

pytestmark = pytest.mark.engine

SCORES = np.array([[0.9], [0.8], [0.7], [0.6], [0.5], [0.4]])
TRUTH = np.array([[True], [True], [False], [True], [False], [False]])
INFO = ArtifactInfo(("rare", "odd"), 64, "mean", 1.0, "full", "tiny", "", ("input_ids",), "multi_label")


@pytest.mark.parametrize(
    ("by", "target", "threshold", "reached"),
    [
        ("precision", 1.0, 0.75, True),  # 0.8 and above are right: the middle between 0.7 and 0.8
        ("precision", 0.75, 0.55, True),  # three of four
        ("precision", 0.5, 0.2, True),  # all rows; the middle between 0 and 0.4
        ("recall", 1.0, 0.55, True),
        ("recall", 0.5, 0.75, True),  # two of three, the most precise
    ],
)
def test_a_threshold_has_the_requested_precision_or_recall(by, target, threshold, reached):
    assert choose_for(by, target, SCORES, TRUTH, minimum=1) == [
        Choice(pytest.approx(threshold), reached, promised=False)
    ]


def test_an_unreachable_precision_takes_the_most_precise_threshold_and_reports_it():
    truth = np.array([[False], [True], [True], [False], [False], [False]])

    assert choose_for("precision", 0.9, SCORES, truth, minimum=1) == [
        Choice(pytest.approx(0.65), is_met=False)
    ]


def test_a_label_with_few_rows_keeps_a_threshold_of_a_half():
    assert choose_for("recall", 0.9, SCORES, TRUTH, minimum=4) == [Choice(0.5, is_met=False)]


@pytest.mark.parametrize(("by", "measure"), [("precision", precision_score), ("recall", recall_score)])
@pytest.mark.parametrize("target", [0.3, 0.6, 0.9])
def test_what_scikit_learn_measures_at_the_threshold_reaches_the_target(by, measure, target):
    random = np.random.default_rng(1)
    truth = random.random((500, 1)) < 0.1
    scores = np.clip(random.normal(0.3 + 0.3 * truth, 0.15), 0.001, 0.999)

    ((threshold, reached, _),) = choose_for(by, target, scores, truth)

    assert reached
    assert measure(truth[:, 0], scores[:, 0] >= threshold) >= target


def test_calibration_keeps_the_target_and_what_missed_it():
    truth = np.array([[at % 2 == 0, at == 0] for at in range(60)])
    logits = np.where(truth, 2.0, -2.0)

    info = decoding_of("multi_label").fit(replace(INFO, operating=Operating("recall", 0.8)), logits, truth)

    assert info.operating == Operating("recall", 0.8, ("odd",), ("rare",))
    assert info.thresholds[1] == 0.5
    assert ((logits[:, 0] >= 0) == truth[:, 0]).all()
    assert info.to_json()["operating"] == {
        "by": "recall",
        "target": 0.8,
        "missed": ("odd",),
        "promised": ("rare",),
    }


def test_near_duplicates_promise_no_more_than_their_clusters():
    """60 rows that are all right promise a precision of 0.9, 20 clusters of three do not."""
    truth = np.array([[at % 2 == 0, True] for at in range(60)])
    logits, decoding = np.where(truth, 2.0, -2.0), decoding_of("multi_label")
    wanted = replace(INFO, operating=Operating("precision", 0.9))

    found = [
        decoding.fit(wanted, logits, truth, clusters).operating
        for clusters in (None, np.arange(60), np.arange(60) // 3)
    ]

    assert [each.promised for each in found] == [("rare", "odd"), ("rare", "odd"), ()]


def test_an_artifact_is_read_back_with_its_operating_point_and_without_one(tmp_path):
    plain = replace(INFO, thresholds=(0.2, 0.4))
    for info in (replace(plain, operating=Operating("precision", 0.9, ("odd",), ("rare",))), plain):
        (tmp_path / "lifecycle.json").write_text(json.dumps(info.to_json()))

        assert ArtifactInfo.read(tmp_path) == info


def test_single_label_has_no_threshold_until_a_label_is_named():
    with wrong_setting("operating_class", "precision", "0.9", "a, b"):
        TrainSpec.from_json(
            {**TrainSpec(Base("base", "tiny"), ("a", "b")).to_json(), "operating_point": "precision"}
        )


def test_a_run_leaves_thresholds_of_the_requested_recall(run_folder, train_here, monkeypatch):
    codes, chosen = [], choices.choose_for
    monkeypatch.setattr(
        choices, "choose_for", lambda *given, clusters: (codes.append(clusters.tolist()), chosen(*given))[1]
    )
    folder = run_folder(
        task="multi_label", operating_point="recall", operating_target=1.0, labels=("card", "refund")
    )
    rows = [
        ("card lost", ["card"]),
        ("refund please", ["refund"]),
        ("card refund", ["card", "refund"]),
        ("thanks", []),
    ] * 10
    for name in ("train", "validation"):
        path = folder / f"{name}.jsonl"
        path.write_text(
            "".join(
                json.dumps({"id": str(at), "text": text, "labels": labels, "cluster": f"c{at // 4}"}) + "\n"
                for at, (text, labels) in enumerate(rows)
            )
        )

    result = train_here(folder)

    info = ArtifactInfo.read(folder / "artifact")
    assert (result["status"], info.operating) == ("succeeded", Operating("recall", 1.0))
    assert result["operating"] == {"by": "recall", "target": 1.0, "missed": [], "promised": []}
    assert {tuple(each) for each in codes} == {tuple(at // 4 for at in range(40))}
    assert not [
        each for each in read_events(folder / "events.jsonl")[0] if each.get("code") == "operating_point"
    ]
