"""Single label, where one label is predicted from a threshold on that was chosen on validation."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import precision_score, recall_score

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.events import read_events
from lifecycle.runtime.engine.occlusion import explain
from lifecycle.runtime.engine.spec import Base, TrainSpec
from lifecycle.runtime.statistics import deciding, metrics
from lifecycle.runtime.statistics.deciding import Cut, Deciding
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.task_types.by_key.decoding import decoding_of
from lifecycle.runtime.task_types.single_label import measures as single_label
from lifecycle.runtime.task_types.single_label import predictions
from lifecycle.runtime.task_types.single_label.measures import Predictions
from tests.engine.inbox import write_rows
from tests.support.by_hand import loading_snippet
from tests.support.faults import fault, wrong_setting

pytestmark = pytest.mark.engine

LABELS = ("ham", "offer", "fraud")
SHARES = np.array([[0.5, 0.2, 0.3], [0.5, 0.201, 0.299], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3], [0.6, 0.4, 0.0]])
INFO = ArtifactInfo(LABELS, 64, "mean", 1.0, "full", "tiny", "", ("input_ids",))
WANTED = Deciding("fraud", "recall", 0.9)


def rows(positives, negatives):
    """(probabilities (N, 2), truth (N,)): the second label's probability of rows that have it, and of those
    that do not.
    """
    scores = np.array([*positives, *negatives])
    return np.stack([1 - scores, scores], axis=1), np.array([1] * len(positives) + [0] * len(negatives))


# ── Deciding ────────────────────────────────────────────────────────────────
def test_the_label_is_predicted_from_its_threshold_on_and_below_it_the_likeliest_other():
    decided = deciding.decide(SHARES, Cut(2, 0.3))

    assert decided.tolist() == [2, 0, 2, 2, 0]
    assert deciding.confidence(SHARES, decided).tolist() == [0.3, 0.5, 0.7, 0.3, 0.6]


def test_a_high_threshold_rejects_a_label_although_it_is_the_likeliest():
    assert deciding.decide(SHARES, Cut(2, 0.8)).tolist() == [0, 0, 1, 1, 0]


def test_without_a_threshold_the_likeliest_label_is_predicted():
    assert deciding.decide(SHARES).tolist() == SHARES.argmax(axis=1).tolist()


# ── Choosing ────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("by", "measure"), [("precision", precision_score), ("recall", recall_score)])
@pytest.mark.parametrize("target", [0.3, 0.6, 0.9])
def test_what_scikit_learn_measures_of_the_answers_is_what_is_reported_and_reaches_the_target(
    by, measure, target
):
    random = np.random.default_rng(2)
    truth = (random.random(800) < 0.1).astype(np.int64)
    scores = np.clip(random.normal(0.3 + 0.3 * truth, 0.15), 0.001, 0.999)
    probabilities = np.stack([1 - scores, scores], axis=1)

    found = deciding.choose(Deciding("b", by, target), ("a", "b"), probabilities, truth)

    answers = deciding.decide(probabilities, found.cut(("a", "b")))
    assert found.reached == pytest.approx(measure(truth, answers))
    assert found.is_met
    assert found.reached >= target


def test_the_threshold_of_a_recall_is_the_most_precise_one_in_the_middle_between_two_scores():
    probabilities, truth = rows([0.4] * 19 + [0.2], [0.3] * 10 + [0.1] * 70)

    found = deciding.choose(Deciding("b", "recall", 0.95), ("a", "b"), probabilities, truth)

    assert found == Deciding("b", "recall", 0.95, pytest.approx(0.35), hits=19, called=19, positives=20)


def test_where_no_threshold_has_the_precision_the_most_precise_one_is_chosen_and_reported_to_miss_it():
    probabilities, truth = rows([0.4] * 15 + [0.2] * 5, [0.4] * 5 + [0.3] * 80)

    found = deciding.choose(Deciding("b", "precision", 0.9), ("a", "b"), probabilities, truth)

    assert found == Deciding("b", "precision", 0.9, pytest.approx(0.35), hits=15, called=20, positives=20)
    assert (found.reached, found.is_met) == (0.75, False)


def test_with_few_rows_of_the_label_there_is_no_threshold_and_the_likeliest_label_is_predicted():
    probabilities, truth = rows([0.6] * 11 + [0.4] * 8, [0.1] * 80)

    found = deciding.choose(Deciding("b", "recall", 0.9), ("a", "b"), probabilities, truth)

    assert found == Deciding("b", "recall", 0.9, None, hits=11, called=11, positives=19)
    assert (found.is_met, found.cut(("a", "b"))) == (False, None)


def test_a_recall_is_promised_where_other_rows_reach_it_too_and_the_most_precise_such_threshold_is_chosen():
    probabilities, truth = rows([0.9] * 95 + [0.5] * 5, [0.6] * 10 + [0.1] * 70)

    more, less = (
        deciding.choose(Deciding("b", "recall", target), ("a", "b"), probabilities, truth)
        for target in (0.9, 0.85)
    )

    assert more == Deciding(
        "b", "recall", 0.9, pytest.approx(0.3), hits=100, called=110, positives=100, promised=True
    )
    assert less == Deciding(
        "b", "recall", 0.85, pytest.approx(0.75), hits=95, called=95, positives=100, promised=True
    )
    assert deciding.to_json(more)["promised"] is True


def test_it_is_chosen_on_probabilities_after_temperature():
    random = np.random.default_rng(1)
    truth = random.integers(0, 2, 400)
    logits = np.stack([np.zeros(400), 8 * (truth - 0.5) + random.normal(0, 12, 400)], axis=1)  # far too sure

    info = decoding_of("single_label").fit(
        replace(INFO, labels=("a", "b"), deciding=Deciding("b", "recall", 0.9)), logits, truth
    )

    answers = deciding.decide(decoding_of("single_label").decode(logits, info.temperature), info.cut)
    assert info.temperature > 1.5
    assert recall_score(truth, answers) == info.deciding.reached >= 0.9


def test_near_duplicates_promise_no_more_than_their_clusters():
    truth = np.arange(120) % 2
    logits, wanted = (
        np.stack([np.zeros(120), 8 * (truth - 0.5)], axis=1),
        replace(INFO, labels=("a", "b"), deciding=Deciding("b", "recall", 0.9)),
    )

    found = [
        decoding_of("single_label").fit(wanted, logits, truth, clusters)
        for clusters in (None, np.arange(120) // 6)
    ]

    assert [each.deciding.promised for each in found] == [True, False]


# ── Reports ────────────────────────────────────────────────────────────
def reported(info):
    """The engine's report on five rows that are predicted by an artifact."""
    ids = tuple("abcde")
    return single_label.ENTRY.report(
        decoding_of("single_label").predicted(SHARES, np.array([2, 0, 2, 1, 0]), ids, info), count=0
    )


def test_scores_count_the_answers_that_the_threshold_gives():
    report = reported(
        replace(INFO, deciding=replace(WANTED, threshold=0.3, hits=19, called=38, positives=20))
    )

    assert report["confusion"]["counts"] == [[2, 0, 0], [0, 0, 1], [0, 0, 2]]
    assert report["accuracy"] == 0.8
    assert report["deciding"]["validation"] == {
        "value": 0.95,
        "low": wilson(19, 20)[0],
        "high": wilson(19, 20)[1],
        "hits": 19,
        "of": 20,
    }
    assert report["deciding"]["measured"] == {
        "precision": {"value": 2 / 3, "low": wilson(2, 3)[0], "high": wilson(2, 3)[1]},
        "recall": {"value": 1.0, "low": wilson(2, 2)[0], "high": wilson(2, 2)[1]},
    }


def test_a_report_without_a_requested_label_omits_it():
    assert "deciding" not in reported(INFO)


def test_int8_is_compared_by_the_answers_that_are_given():
    info = replace(INFO, labels=("a", "b"), deciding=Deciding("b", "recall", 0.9, 0.25))
    one = np.log([[0.74, 0.26], [0.9, 0.1]])
    # the likeliest label is the same, the first prediction is not
    two = np.log([[0.76, 0.24], [0.9, 0.1]])

    assert decoding_of("single_label").agree(one, two, info) == 0.5
    assert decoding_of("single_label").agree(one, two, replace(info, deciding=None)) == 1.0


def test_answers_are_kept_with_the_threshold_and_compared_by_it_in_another_order_of_the_labels(tmp_path):
    truth, ids = np.array([2, 0, 2, 1, 0]), tuple("abcde")
    order = [2, 0, 1]
    first = Predictions(LABELS, ids, truth, SHARES)
    second = Predictions(
        tuple(LABELS[at] for at in order),
        ids,
        np.array([order.index(at) for at in truth]),
        SHARES[:, order],
        cut=Cut(0, 0.3),
    )
    predictions.ENTRY.write(tmp_path / "predictions.parquet", second, "test")

    kept = predictions.ENTRY.read(tmp_path / "predictions.parquet")
    compared = single_label.ENTRY.compare(first, kept, count=5)["metrics"]["accuracy"]

    assert kept.cut == Cut(0, 0.3)
    for at, label in enumerate(kept.labels):
        found = predictions.ENTRY.scores(tmp_path / "predictions.parquet", label)
        assert (found.score == kept.probabilities[:, at]).all()
        assert (found.positive.tolist(), found.called.tolist()) == (
            (kept.truth == at).tolist(),
            (kept.predicted == at).tolist(),
        )
    assert pq.read_table(tmp_path / "predictions.parquet")["predicted"].to_pylist() == [
        "fraud",
        "ham",
        "fraud",
        "fraud",
        "ham",
    ]
    assert (compared["baseline"], compared["candidate"]) == (0.8, 0.8)
    assert [kept.labels[at] for at in kept.predicted] == ["fraud", "ham", "fraud", "fraud", "ham"]


def test_the_answer_that_is_given_is_the_one_that_is_explained():
    def logits(texts):
        return np.log(np.tile(SHARES[0], (len(texts), 1)))

    assert LABELS[explain(logits, "win now").answer] == "ham"
    assert LABELS[explain(logits, "win now", cut=Cut(2, 0.3)).answer] == "fraud"


# ── The artifact and the spec ───────────────────────────────────────────────
def test_only_an_artifact_with_a_threshold_has_the_format_that_readers_without_it_refuse(tmp_path):
    chosen = replace(INFO, deciding=replace(WANTED, threshold=0.31, hits=19, called=30, positives=20))
    for info, number in ((chosen, 2), (replace(INFO, deciding=WANTED), 1), (INFO, 1)):
        (tmp_path / "lifecycle.json").write_text(json.dumps(info.to_json()))

        assert info.to_json()["format"] == number
        assert ArtifactInfo.read(tmp_path) == info

    (tmp_path / "lifecycle.json").write_text(json.dumps(chosen.to_json() | {"format": 4}))
    with fault("bad_spec", "format 4"):
        ArtifactInfo.read(tmp_path)


def test_the_threshold_follows_its_label_into_another_order_and_is_none_without_it():
    info = replace(INFO, deciding=replace(WANTED, threshold=0.31))

    assert info.cut == Cut(2, 0.31)
    assert info.over(("fraud", "ham")).cut == Cut(0, 0.31)
    assert info.over(("ham", "offer")).cut is None
    assert replace(INFO, task="multi_label", thresholds=(0.2, 0.3, 0.4)).over(
        ("fraud", "new")
    ).thresholds == (0.4, 0.5)


@pytest.mark.parametrize(
    ("fields", "field", "named"),
    [
        (
            {"operating_class": "spam", "operating_point": "recall"},
            "operating_class",
            '"spam"',
        ),
        (
            {"operating_class": "fraud"},
            "operating_point",
            '"fraud"',
        ),
        (
            {"operating_point": "recall"},
            "operating_class",
            "recall of 0.9",
        ),
        (
            {"operating_class": "fraud", "operating_point": "recall", "operating_target": 1.5},
            "operating_target",
            "0.01",
        ),
        (
            {"operating_class": "fraud", "operating_point": "recall", "task": "multi_label"},
            "operating_class",
            "multi_label",
        ),
    ],
)
def test_a_threshold_that_no_answer_could_have_is_refused_by_its_field(fields, field, named):
    with wrong_setting(field, named):
        TrainSpec.from_json(TrainSpec(Base("base", "tiny"), LABELS).to_json() | fields)


def test_a_label_with_a_threshold_is_accepted():
    asked = {"operating_class": "fraud", "operating_point": "recall", "operating_target": 0.95}

    assert (
        TrainSpec.from_json(TrainSpec(Base("base", "tiny"), LABELS).to_json() | asked).operating_class
        == "fraud"
    )


# ── From training to every answer ───────────────────────────────────────────
TRAIN = (
    [("card lost", "card")] * 24
    + [("refund please", "refund")] * 6
    + [("money back", "card")] * 9
    + [("money back", "refund")] * 5
)
HELD = (
    [("card lost", "card")] * 40
    + [("refund please", "refund")] * 12
    + [("money back", "card")] * 20
    + [("money back", "refund")] * 12
)


@pytest.fixture
def trained(run_folder, train_here):
    """A run that is to reach every refund; "money back" is seldom one, so that card is likelier there."""
    folder = run_folder(
        rows=TRAIN, validation=HELD, operating_class="refund", operating_point="recall", operating_target=1.0
    )
    return folder, train_here(folder)


def test_a_run_answers_by_the_threshold_wherever_it_answers(trained, train_here, tiny_base, tmp_path):
    folder, result = trained
    info = ArtifactInfo.read(folder / "artifact")
    shares = SharesOf(folder / "artifact")
    texts = ["card lost", "refund please", "money back"]
    expected = deciding.decide(shares(texts), info.cut).tolist()

    assert result["status"] == "succeeded"
    assert asdict(info.deciding) == asdict(
        Deciding("refund", "recall", 1.0, info.deciding.threshold, hits=24, called=44, positives=24)
    )
    assert result["deciding"] == deciding.to_json(info.deciding)
    assert shares(texts).argmax(axis=1).tolist() == [0, 1, 0]
    assert expected == [0, 1, 1]

    evaluated = tmp_path / "evaluate"
    evaluated.mkdir()
    write_rows(evaluated / "data.jsonl", HELD[30:])
    (evaluated / "spec.json").write_text(json.dumps({"artifact": str(folder / "artifact"), "bootstrap": 0}))
    report = train_here(evaluated, verb="evaluate")
    assert report["confusion"]["counts"] == [[10, 20], [0, 24]]
    assert report["deciding"]["measured"]["recall"]["value"] == 1.0
    assert report["deciding"]["measured"]["precision"]["value"] == 24 / 44
    assert predictions.ENTRY.read(evaluated / "predictions.parquet").cut == info.cut

    asked = tmp_path / "predict"
    asked.mkdir()
    (asked / "data.jsonl").write_text(
        "".join(json.dumps({"id": text, "text": text}) + "\n" for text in texts)
    )
    (asked / "spec.json").write_text(json.dumps({"artifact": str(folder / "artifact")}))
    train_here(asked, verb="predict")
    assert pq.read_table(asked / "answers.parquet")["predicted"].to_pylist() == ["card", "refund", "refund"]

    names = {"artifact": str(folder / "artifact"), "base": str(tiny_base), "texts": texts}
    exec(loading_snippet(info), names)  # noqa: S102  code of our own
    assert names["answers"] == ["card", "refund", "refund"]


def test_a_label_too_rare_on_validation_is_reported_and_has_no_threshold(run_folder, train_here):
    folder = run_folder(operating_class="refund", operating_point="precision", operating_target=0.9)

    result = train_here(folder)

    found = [
        each for each in read_events(folder / "events.jsonl")[0] if each.get("code") == "operating_point"
    ]
    info = ArtifactInfo.read(folder / "artifact")
    assert (info.cut, info.to_json()["format"], result["deciding"]["threshold"]) == (None, 1, None)
    assert [each["title"] for each in found] == [
        "refund has no threshold: 4 validation rows have it; choosing one needs 20."
    ]


class SharesOf:
    """Calibrated probabilities (N, C) of texts, by an artifact's own graph."""

    def __init__(self, artifact):
        from lifecycle.runtime.engine.predictor import Predictor

        self.predictor = Predictor(artifact)

    def __call__(self, texts):
        return self.predictor.probabilities(texts)


def test_scores_without_a_threshold_are_those_of_the_likeliest_label():
    rows = metrics.score_rows(SHARES, np.array([2, 0, 2, 1, 0]))

    assert rows.predicted.tolist() == [0, 0, 2, 1, 0]
    assert rows.confidence.tolist() == [0.5, 0.5, 0.7, 0.5, 0.6]
