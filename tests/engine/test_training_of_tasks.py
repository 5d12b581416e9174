"""What is true of a run of every task: its best step is kept, it resumes to the same weights, and unusable
rows are reported by line or its field before the first step.
"""

from __future__ import annotations

import json

import pytest

from lifecycle.runtime.engine.events import points, read_events
from lifecycle.runtime.task_types.answers import ItemContent
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.types import TYPES, type_of
from tests.engine.inbox import ROWS, SETS
from tests.engine.questions import TALKS
from tests.engine.test_ranking_training import PAIRS, RANKINGS
from tests.support.spans import spans_in
from tests.support.tiny_decoders import QUESTIONS, make_tiny_decoder
from tests.task_types.examples import EXAMPLES, NAMES

pytestmark = pytest.mark.engine
LABELS = {"single_label": ["card", "refund"], "multi_label": ["card", "refund"], "spans": ["thing", "wish"]}
FIELDS = {
    "single_label": [{"text": text, "label": label} for text, label in ROWS],
    "multi_label": [{"text": text, "labels": labels} for text, labels in SETS],
    "spans": [{"text": text, "spans": spans_in(text)} for text, _ in ROWS],
    "preference": [
        {"text": text, "responses": responses, "ranks": ranks} for text, responses, ranks in PAIRS
    ],
    "ranking": [
        {"text": text, "responses": responses, "ranks": ranks} for text, responses, ranks in RANKINGS
    ],
    "generation": [{"text": text, "answer": answer} for text, answer in QUESTIONS],
    "chat": [
        {"text": talk[-2]["content"], "answer": talk[-1]["content"], "messages": talk} for talk in TALKS
    ],
}


def rows_of(task):
    """Eight rows as train.jsonl has them; of other types those of their example."""
    if task in FIELDS:
        return FIELDS[task]
    example, answers = EXAMPLES[task], type_of(task).answers
    values = [answers.rename(value, NAMES) for _, value in example.good]
    return [
        dict(formats_of(task).engine_row(ItemContent(example.row(at)["text"]), value))
        for at, value in enumerate(values)
    ]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    return make_tiny_decoder(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def folder_of(run_folder, decoder):
    """Makes a run folder of a task. rows: of training, by default also of validation; {"id"} is added to
    each.
    """

    def make(task, name="run", rows=None, validation=None, **fields):
        own = (
            {"base": {"path": str(decoder), "name": "tiny"}, "max_new_tokens": 12}
            if type_of(task).writes_text
            else {}
        )
        spec = {"task": type_of(task).learns_as or task, "labels": LABELS.get(task, [])} | own | fields
        folder = run_folder(name, **({} if task == "single_label" else spec) | fields)
        rows = rows_of(task) if rows is None else rows
        for split, some in (("train", rows), ("validation", rows if validation is None else validation)):
            lines = (json.dumps({"id": f"{at:064x}"} | row) + "\n" for at, row in enumerate(some))
            (folder / f"{split}.jsonl").write_text("".join(lines))
        return folder

    return make


def weights(folder):
    kept = sorted(
        path
        for path in (folder / "artifact").rglob("*")
        if path.suffix in (".safetensors", ".onnx") or path.name == "lifecycle.json"
    )
    return [each.read_bytes() for each in kept]


@pytest.mark.parametrize("task", TYPES)
def test_the_best_step_is_kept_and_its_artifact_gives_its_score(task, folder_of, train_here):
    folder, best_by = folder_of(task, epochs=6, evaluations_per_epoch=2), measures_of(task).metrics.trained

    result = train_here(folder)

    events = read_events(folder / "events.jsonl")[0]
    sign, name = 1 if best_by.lower_is_better else -1, best_by.name
    scores = [
        (sign * at.values[name], at.values["validation_loss"], at.step)
        for at in points(events)
        if name in at.values
    ]
    score, loss, step = min(scores)
    assert (result["status"], result["error"], result["best_by"], result["best_step"]) == (
        "succeeded",
        None,
        best_by.name,
        step,
    )
    assert result["metrics"][best_by.name] == pytest.approx(sign * score, rel=1e-4)
    assert result["metrics"]["validation_loss"] == pytest.approx(loss, rel=1e-4, abs=1e-4)
    samples = [event for event in events if event["kind"] == "samples"]
    assert [event["step"] for event in samples] == [
        at for _, _, at in sorted(scores, key=lambda each: each[2])
    ]
    assert len({tuple(row["id"] for row in event["rows"]) for event in samples}) == 1
    written = (folder / "events.jsonl").read_text()
    assert type_of(task).writes_text or not any(row["text"] in written for row in rows_of(task))


@pytest.mark.parametrize(
    ("task", "fields"),
    [
        *((task, {}) for task in TYPES if task != "preference"),
        ("multi_label", {"strategy": {"kind": "lora"}, "class_weights": True}),
        (
            "multi_label",
            {"strategy": {"kind": "full", "frozen_layers": 1, "cached": True}, "class_weights": True},
        ),
        ("multi_label", {"strategy": {"kind": "head"}, "class_weights": True}),
        ("generation", {"strategy": {"kind": "lora"}}),
    ],
)
def test_a_stopped_run_resumes_to_the_same_weights(task, fields, folder_of, train_here):
    calm, stopped = (folder_of(task, name, epochs=4, **fields) for name in ("calm", "stopped"))
    train_here(calm)
    asked = iter([False] * 5)

    assert train_here(stopped, cancelled=lambda: next(asked, True))["status"] == "cancelled"
    assert train_here(stopped)["status"] == "succeeded"

    assert weights(stopped) == weights(calm)


NO_LIST, NO_RANK = (
    "it has no list of two or more texts under 'responses'.",
    "it has no rank of 0 or more for each response under 'ranks'.",
)
NO_MESSAGES, NO_TURN = (
    "it has no list of two or more under 'messages'",
    "turn 1 isn't a system, user, or assistant message with text.",
)
UNREAD = [  # task, row, the message after its line
    ("single_label", {"labels": ["card"]}, "label null isn't among the spec's labels."),
    ("multi_label", {"label": "card"}, "it has no list under 'labels'."),
    ("multi_label", {"labels": ["card", "other"]}, "label \"other\" isn't among the spec's labels."),
    ("spans", {"spans": None}, "it has no list under 'spans'."),
    (
        "spans",
        {"spans": [{"start": 0, "end": 99, "label": "thing"}]},
        "span 0–99 is outside the text, which has 7 characters.",
    ),
    (
        "spans",
        {"spans": [{"start": 0, "end": 2, "label": "other"}]},
        "label \"other\" isn't among the spec's labels.",
    ),
    ("spans", {"spans": [{"start": 0}]}, "a span is an object with start, end and label."),
    ("preference", {"responses": ["card"], "ranks": [0]}, NO_LIST),
    ("preference", {"responses": ["card", 3], "ranks": [0, 1]}, NO_LIST),
    *(
        ("ranking", {"responses": ["card", "refund"], "ranks": ranks}, NO_RANK)
        for ranks in ([0], [0, True], [0, -1])
    ),
    ("generation", {}, "it has no text under 'answer'"),
    ("generation", {"answer": 3}, "it has no text under 'answer'"),
    ("chat", {"messages": "where"}, NO_MESSAGES),
    ("chat", {"messages": [{"role": "user", "content": "where"}]}, NO_MESSAGES),
    ("chat", {"messages": [{"role": "tool", "content": "3"}, TALKS[0][2]]}, NO_TURN),
    ("chat", {"messages": [{"role": "user", "content": [{"type": "image"}]}, TALKS[0][2]]}, NO_TURN),
    ("chat", {"messages": TALKS[0][:2]}, "the dialogue ends with user instead of assistant."),
]


@pytest.mark.parametrize(("task", "row", "message"), UNREAD)
def test_a_row_that_cannot_be_read_is_reported_by_its_line(task, row, message, folder_of, train_here):
    error = train_here(folder_of(task, rows=[*rows_of(task), {"text": "my card"} | row]))["error"]

    assert error["code"] == "bad_data"
    assert error["message"].startswith(f"train.jsonl, line {len(rows_of(task)) + 1}: {message}")
    assert "my card" not in error["message"]


EVEN = [row | {"ranks": [0, 0]} for row in FIELDS["preference"]]
UNTRAINABLE = [  # task, rows of training, fields of the spec, the message
    (
        "multi_label",
        None,
        {"labels": ["card", "refund", "login"]},
        "No training row has 'login'; a label needs training rows with and without it.",
    ),
    (
        "multi_label",
        [row | {"labels": [*row["labels"], "card"]} for row in FIELDS["multi_label"]],
        {},
        "Every training row has 'card'",
    ),
    ("spans", FIELDS["spans"][:1], {}, "No training row has a span of 'wish'; a label needs training spans."),
    ("preference", EVEN, {}, "None of the 8 rows has a preferred response"),
    (
        "generation",
        [row | {"answer": " " * (at % 2)} for at, row in enumerate(FIELDS["generation"])],
        {},
        "All training responses are empty.",
    ),
]


@pytest.mark.parametrize(("task", "rows", "fields", "message"), UNTRAINABLE)
def test_rows_of_which_nothing_can_be_learned_are_refused(task, rows, fields, message, folder_of, train_here):
    error = train_here(folder_of(task, rows=rows, **fields))["error"]

    assert error["code"] == ("bad_data" if task == "generation" else "one_class")
    assert message in error["message"]


def test_validation_rows_without_an_order_are_refused_before_the_first_step(folder_of, train_here):
    folder = folder_of("preference", validation=EVEN)

    assert train_here(folder)["error"]["code"] == "one_class"
    assert not (folder / "checkpoints").exists()


CACHED = {"strategy": {"kind": "lora", "frozen_layers": 1, "cached": True}}
MEANINGLESS = [  # task, fields of the spec, the message about the first of them
    ("spans", {"pooling": "cls"}, "pooling must be mean for spans"),
    ("preference", {"labels": ["a", "b"]}, "labels must be empty where the task is ranking, got 2 names."),
    ("preference", {"class_weights": True}, "class_weights applies to labels only"),
    ("preference", {"focal_gamma": 2.0}, "focal_gamma applies to labels only"),
    ("preference", CACHED, "strategy.cached must be false where the task is ranking"),
    (
        "preference",
        {"strategy": {"kind": "prefix"}},
        "strategy.kind prefix is only available for generation.",
    ),
    (
        "preference",
        {"operating_point": "precision"},
        "operating_point must be f1 for preference",
    ),
]


@pytest.mark.parametrize(("task", "fields", "message"), MEANINGLESS)
def test_what_has_no_meaning_is_refused_by_its_field(task, fields, message, folder_of, train_here):
    assert train_here(folder_of(task, **fields))["error"]["message"].startswith(f"spec.json: {message}")


def test_an_encoder_is_refused_for_generation(folder_of, train_here, tiny_base):
    error = train_here(folder_of("generation", base={"path": str(tiny_base), "name": "tiny"}))["error"]

    assert (
        error["message"]
        == "spec.json: base is bert, which can't generate text; choose a decoder, such as SmolLM2."
    )
