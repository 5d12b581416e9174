"""Span runs: they memorize the rows, in parts and after a stop too, and their artifact finds those spans."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.classifier import Classifier
from lifecycle.runtime.engine.diagnosis import collapse
from lifecycle.runtime.engine.events import Point, points, read_events
from lifecycle.runtime.engine.losses import CrossEntropy, TokenCrossEntropy, tag_weights
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.strategies import load_tokenizer
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.task_types.by_key.decoding import decoding_of
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.spans import tagging
from lifecycle.runtime.task_types.spans.tagging import Marked, Unit
from tests.engine.inbox import ROWS
from tests.support.by_hand import loading_snippet
from tests.support.spans import spans_in

pytestmark = pytest.mark.engine

TEXTS = [text for text, _ in ROWS]
SPEC = {"task": "spans", "labels": ["thing", "wish"], "epochs": 14, "batch_size": 4}
OWN = Classifier.forward


def write(path, texts, find=spans_in):
    rows = [{"id": f"{number:064x}", "text": text, "spans": find(text)} for number, text in enumerate(texts)]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")


@pytest.fixture
def spans_folder(run_folder):
    """As run_folder, with rows of spans."""

    def make(name="run", texts=TEXTS, **fields):
        folder = run_folder(name, **SPEC | fields)
        for split in ("train", "validation"):
            write(folder / f"{split}.jsonl", texts)
        return folder

    return make


@pytest.mark.parametrize(
    ("strategy", "rate"),
    [
        ({"kind": "full"}, 5e-3),
        ({"kind": "lora", "frozen_layers": 1, "cached": True}, 2e-2),
        ({"kind": "head"}, 0.0),
    ],
)
def test_it_learns_and_its_artifact_predicts_the_spans_of_the_loading_code(
    strategy, rate, spans_folder, train_here, tiny_base
):
    folder = spans_folder(strategy=strategy, learning_rate=rate, head_learning_rate=5e-2)

    result = train_here(folder)

    assert (result["status"], result["best_by"]) == ("succeeded", "micro_f1")
    assert result["metrics"]["micro_f1"] >= (1.0 if strategy["kind"] == "full" else 0.5)
    info = ArtifactInfo.read(folder / "artifact")
    found = decoding_of("spans").predictions(Predictor(folder / "artifact").probabilities(TEXTS), info)
    space = {"artifact": str(folder / "artifact"), "base": str(tiny_base), "texts": TEXTS}
    exec(loading_snippet(info), space)  # noqa: S102  code of our own
    bare = [
        [{name: each[name] for name in ("start", "end", "label")} for each in row["spans"]] for row in found
    ]
    assert bare == space["answers"]
    if strategy["kind"] == "full":
        assert bare == [spans_in(text) for text in TEXTS]
    assert all(0 < each["confidence"] <= 1 for row in found for each in row["spans"])


def test_validation_is_reported_by_the_scores_of_spans(spans_folder, train_here):
    folder = spans_folder(epochs=1)

    train_here(folder)

    last = points(read_events(folder / "events.jsonl")[0])[-1].values
    assert {"micro_precision", "micro_recall", "macro_f1", "exact_texts", "ece", "predicted_spans"} <= set(
        last
    )


def test_a_batch_in_parts_adds_up_to_the_batch_though_texts_have_other_lengths():
    torch.manual_seed(0)
    logits = torch.randn(4, 5, 5)
    labels = torch.tensor(
        [[-100, 1, 2, 0, -100], [-100, 3, -100, -100, -100], [-100, 0, 0, 0, 4], [-100] * 5]
    )
    for inner in (
        CrossEntropy(),
        CrossEntropy(torch.tensor([1.0, 0.5, 0.5, 3.0, 3.0])),
        CrossEntropy(smoothing=0.1),
        CrossEntropy(gamma=2.0),
    ):
        loss = TokenCrossEntropy(inner)

        parts = sum(
            loss(logits[at : at + 1], labels[at : at + 1])
            * loss.weight(labels[at : at + 1])
            / loss.weight(labels)
            for at in range(4)
        )

        assert float(parts) == pytest.approx(float(loss(logits, labels)), abs=1e-6)


def test_the_loss_is_that_of_the_tokens_that_count():
    logits, labels = torch.randn(2, 3, 5), torch.tensor([[-100, 1, 0], [4, -100, -100]])

    wanted = torch.nn.functional.cross_entropy(logits.reshape(-1, 5), labels.reshape(-1), ignore_index=-100)

    assert float(TokenCrossEntropy(CrossEntropy())(logits, labels)) == pytest.approx(float(wanted), abs=1e-6)


def test_class_weights_even_out_classes_and_leave_tokens_outside_alone():
    tags = torch.tensor([0] * 50 + [1, 2, 2] + [3])

    assert tag_weights(tags, 2).tolist() == pytest.approx([1.0, 4 / 6, 4 / 6, 2.0, 2.0])
    assert tag_weights(torch.tensor([0, 0]), 2).tolist() == [1.0] * 5


def test_spans_that_cannot_be_learned_as_annotated_are_reported(spans_folder, train_here):
    folder = spans_folder(epochs=1, max_tokens=8)
    long = "thanks help please thanks help please thanks help my card"
    rows = [
        {
            "id": "a" * 64,
            "text": long,
            "spans": [{"start": long.index("card"), "end": len(long), "label": "thing"}],
        },
        {
            "id": "b" * 64,
            "text": "my card",
            "spans": [{"start": 3, "end": 6, "label": "thing"}, {"start": 0, "end": 7, "label": "wish"}],
        },
        {
            "id": "c" * 64,
            "text": "refund card",
            "spans": [{"start": 0, "end": 5, "label": "wish"}, {"start": 7, "end": 11, "label": "thing"}],
        },
    ]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")

    train_here(folder)

    events = read_events(folder / "events.jsonl")[0]
    (finding,) = [each for each in events if each["kind"] == "finding" and each["code"] == "lost_spans"]
    assert finding["title"] == "3 of 5 training spans can't be used exactly as labeled."
    assert (
        finding["detail"]
        == "1 are beyond the first 8 tokens of their text; 1 don't align with token boundaries; 1 overlap a"
        " longer span and were dropped."
    )
    assert finding["next_step"].startswith("Increase max_tokens, or split long texts.")
    assert Predictor(folder / "artifact").answer(["my card ", long]).logits.cut == (False, True)


def test_a_text_read_to_its_end_needs_no_more_tokens(tiny_base):
    long = "thanks help please thanks help please thanks help my card"
    texts, targets = ("my card ", long), (Marked(((3, 8, 0),)), Marked(((len(long) - 4, len(long), 0),)))

    def noted(some, unit=Unit.PIECE):
        encoded = learner_of("spans").encode(
            load_tokenizer(tiny_base), Rows(("a", "b")[some], texts[some], targets[some]), 2, 8, unit
        )
        return encoded.cut, encoded.notes[0]

    (cut, both), (_, first) = noted(slice(2)), noted(slice(1))
    assert cut == [False, True]
    assert (
        both.detail == "1 are beyond the first 8 tokens of their text; 1 don't align with token boundaries."
    )
    assert first.next_step == "Label whole words without overlaps."
    _, spaced = noted(slice(1), Unit.SPACED)
    assert spaced.next_step == "Label everything between two spaces without overlaps."


def test_a_token_counts_as_much_in_a_batch_of_long_texts_as_in_one_of_short_ones():
    long, short = torch.tensor([[0, 1, 2, 0, 3, 0], [0, 0, 0, 1, 2, 0]]), torch.tensor([[0, 1], [0, -100]])
    loss = TokenCrossEntropy(CrossEntropy(), of_row=15 / 4)

    # of the mean over a batch's tokens
    steps = [loss.weight(each) / loss.usual(each) for each in (long, short)]

    assert steps == [12 / 7.5, 3 / 7.5]
    assert sum(steps) == 2  # two steps of the mean over all tokens


def test_the_loss_that_is_reported_does_not_hang_on_how_long_texts_are(spans_folder, train_here, monkeypatch):
    monkeypatch.setattr("lifecycle.runtime.engine.trainer.LOG_STEPS", 1)
    texts = ["my card"] * 8 + [" ".join(["thanks my card please"] * 10)] * 4 + ["my refund"] * 4
    folder = spans_folder(
        texts=texts, epochs=2, learning_rate=0.0, head_learning_rate=0.0, evaluations_per_epoch=1
    )

    train_here(folder)

    losses = [
        point.values["train_loss"]
        for point in points(read_events(folder / "events.jsonl")[0])
        if "train_loss" in point.values
    ]
    assert len(losses) == 8
    assert max(losses) < 1.5 * min(losses)


@pytest.mark.parametrize("unit", Unit)
def test_a_run_resumes_with_its_initial_settings(unit, pieces_folder, train_here):
    folder = pieces_folder(
        lambda text: [{"start": text.index("cards"), "end": text.index("cards") + 5, "label": "thing"}], CARDS
    )
    (folder / "precision.json").write_text(json.dumps({"precision": "fp32", "unit": unit}))

    train_here(folder)

    assert ArtifactInfo.read(folder / "artifact").unit == unit


def test_batches_of_a_run_over_spans_are_weighed_by_their_tokens(spans_folder):
    spec = TrainSpec.read(spans_folder() / "spec.json")
    labels = [np.array([-100, 0, 1, -100]), np.array([-100, 0, 0, 0, 3, 4, -100])]

    assert learner_of("spans").loss(spec, labels).of_row == 3.5
    weighed = learner_of("spans").loss(replace(spec, class_weights=True), labels)
    assert weighed.of_row == pytest.approx(
        float(weighed.inner.weight(torch.tensor([0, 1, 0, 0, 0, 3, 4]))) / 2
    )


def test_the_predictor_reads_the_places_that_training_read(tiny_base):
    tokenizer = load_tokenizer(tiny_base)
    texts = ("my  card", "", "refund my 👨🏻‍🚒 card")
    encoded = learner_of("spans").encode(
        tokenizer, Rows(("a", "b", "c"), texts, (tagging.Marked(()),) * 3), 2, 32
    )

    for text, ids, offsets in zip(texts, encoded.ids, encoded.offsets, strict=True):
        plain = tokenizer.backend_tokenizer.encode(text)
        assert plain.ids == list(ids)
        assert np.array_equal(tagging.places(text, plain.offsets, plain.special_tokens_mask)[1], offsets)


@pytest.fixture
def pieces_folder(spans_folder, tiny_base, tmp_path):
    """As spans_folder, with a tokenizer that reads cards as card and ##s."""

    def make(find, texts):
        base = tmp_path / "pieces"
        shutil.copytree(tiny_base, base)
        tokenizer = json.loads((base / "tokenizer.json").read_text())
        vocabulary = tokenizer["model"]["vocab"]
        vocabulary["##s"] = vocabulary.pop("late")
        (base / "tokenizer.json").write_text(json.dumps(tokenizer))
        folder = spans_folder(
            base={"path": str(base), "name": "pieces"},
            labels=["thing"],
            learning_rate=5e-3,
            head_learning_rate=5e-2,
        )
        for split in ("train", "validation"):
            write(folder / f"{split}.jsonl", texts, find)
        return folder

    return make


CARDS = ["my cards", "cards lost", "lost my cards", "help my cards please"]


@pytest.mark.parametrize(
    ("part", "between", "unit", "format_of", "read"),
    [
        ("cards", " ", "spaced", 3, [[0, 2], [3, 8]]),
        ("cards", "-", "word", 3, [[0, 2], [2, 3], [3, 8]]),
        ("card", " ", "piece", 1, [[0, 2], [3, 7], [7, 8]]),
    ],
)
def test_a_word_is_read_whole_where_spans_keep_to_words_and_by_its_pieces_where_they_do_not(
    part, between, unit, format_of, read, pieces_folder, train_here
):
    texts = [text.replace(" ", between) for text in CARDS]

    def find(text):
        return [{"start": text.index(part), "end": text.index(part) + len(part), "label": "thing"}]

    folder = pieces_folder(find, texts)

    assert train_here(folder)["metrics"]["micro_f1"] == 1.0

    info = ArtifactInfo.read(folder / "artifact")
    assert info.unit == unit
    assert any(each.get("message") == Unit(unit).sentence for each in read_events(folder / "events.jsonl")[0])
    assert json.loads((folder / "artifact" / "lifecycle.json").read_text())["format"] == format_of
    predictor = Predictor(folder / "artifact")
    assert predictor.answer([texts[0]]).logits.offsets[0].tolist() == read
    found = decoding_of("spans").predictions(predictor.probabilities(texts), info)
    space = {"artifact": str(folder / "artifact"), "texts": texts}
    exec(loading_snippet(info), space)
    assert space["answers"] == [
        [{name: each[name] for name in ("start", "end", "label")} for each in row["spans"]] for row in found
    ]
    assert space["answers"] == [find(text) for text in texts]


def test_a_model_that_finds_nothing_is_reported_as_such():
    curve = [Point(10, 1.0, {"predicted_spans": 3.0}), Point(20, 2.0, {"predicted_spans": 0.0})]

    assert collapse(curve, 2).title == "The model predicts no spans."
    assert collapse(curve[:1], 2) is None


# ── What it must beat ───────────────────────────────────────────────────────
def test_the_frozen_base_reads_the_given_texts(tiny_base, tmp_path):
    """And not those that it was trained on, whose vectors are in a file too."""
    from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
    from lifecycle.runtime.task_types.spans.baselines import frozen_base_logreg

    targets = tuple(
        tagging.without_overlap(
            [(each["start"], each["end"], ("thing", "wish").index(each["label"])) for each in spans_in(text)]
        )
        for text in TEXTS
    )
    train = Rows(tuple(map(str, range(len(TEXTS)))), tuple(TEXTS), targets)
    answer = frozen_base_logreg(
        train, 2, 1, learner_of("spans").vectors(tiny_base, "mean", 16, Unit.WORD, tmp_path)
    )

    def spans_of(texts):
        asked = Rows(tuple(map(str, range(len(texts)))), tuple(texts), (Marked(()),) * len(texts))
        return [[each.span for each in some] for some in answer(asked)]

    found, turned, twice = map(spans_of, (TEXTS, TEXTS[::-1], TEXTS + TEXTS))

    assert found == [list(each.spans) for each in targets]
    assert turned == found[::-1]
    assert twice == found + found
    assert not list(tmp_path.iterdir())
