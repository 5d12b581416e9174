"""A model that was trained here is where another run begins: its weights, its head, rows that it was trained
on, and what it forgets.
"""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lifecycle.runtime.engine import continuing
from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.base import open_base
from lifecycle.runtime.engine.batches import Collate
from lifecycle.runtime.engine.events import read_events
from lifecycle.runtime.engine.export import load_classifier
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.engine.strategies import load_tokenizer
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from lifecycle.runtime.task_types.rows import Rows
from tests.engine.inbox import ROWS, SETS, write_rows
from tests.engine.questions import make_run as make_generation_run
from tests.engine.test_spans_training import SPEC as SPANS
from tests.engine.test_spans_training import TEXTS, write
from tests.support.tiny_decoders import QUESTIONS, make_tiny_decoder

pytestmark = pytest.mark.engine
HELP = [
    ("please help again", "help"),
    ("thanks help", "help"),
    ("help me please", "help"),
    ("help late again", "help"),
]
LEARNS = {"epochs": 20, "learning_rate": 5e-3, "head_learning_rate": 2e-2}


def merged(tmp_path, train_here, artifact, base, name="merged"):
    """The folder of a base that the verb merge makes of an artifact."""
    folder = tmp_path / name
    folder.mkdir()
    spec = {"artifact": str(artifact), "base": {"path": str(base), "name": "tiny"}}
    (folder / "spec.json").write_text(json.dumps(spec))
    result = train_here(folder, verb="merge")
    assert result["status"] == "succeeded", result
    return folder / "model"


@pytest.fixture
def known(run_folder, once, tmp_path, tiny_base):
    """A base that separates cards from refunds."""
    (tmp_path / "known").mkdir()
    run = run_folder(
        "known/run", strategy={"kind": "lora", "rank": 4, "dropout": 0.0}, **LEARNS | {"learning_rate": 3e-2}
    )
    assert once(run)["metrics"]["accuracy"] == 1.0
    spec = {"artifact": "run/artifact", "base": {"path": str(tiny_base), "name": "tiny"}}
    (tmp_path / "known" / "spec.json").write_text(json.dumps(spec))
    once(tmp_path / "known", "merge")
    return tmp_path / "known" / "model"


def on(base, **fields):
    return {
        "base": {"path": str(base), "name": "Run 1"},
        "labels": ["refund", "help", "card"],
        "keep_head": True,
        "seed": 5,
    } | fields


def logged(folder, kind, name):
    return [event[name] for event in read_events(folder / "events.jsonl")[0] if event["kind"] == kind]


@pytest.mark.parametrize(
    "strategy",
    [{"kind": "full"}, {"kind": "lora", "rank": 4, "dora": True}, {"kind": "ia3"}, {"kind": "head"}],
    ids=lambda each: each["kind"],
)
def test_a_merged_base_answers_as_its_artifact_does(strategy, run_folder, train_here, tmp_path, tiny_base):
    run = run_folder(strategy=strategy, epochs=3)
    train_here(run)

    model = merged(tmp_path, train_here, run / "artifact", tiny_base)

    texts, info = [text for text, _ in ROWS], ArtifactInfo.read(model)
    encoded = learner_of("single_label").encode(
        load_tokenizer(model), Rows(tuple(texts), tuple(texts), (0,) * 8), 2, info.max_tokens
    )
    with torch.no_grad():
        batch = Collate(0, True)([{"input_ids": ids, "labels": np.int64(0)} for ids in encoded.ids])
        logits = load_classifier(model, None)(
            **{name: value for name, value in batch.items() if name != "labels"}
        )["logits"].numpy()
    assert np.abs(logits - Predictor(run / "artifact").answer(texts).logits).max() < 1e-4
    assert (info.strategy, info.labels, open_base(model).model_type) == ("full", ("card", "refund"), "bert")
    assert {each.suffix for each in model.iterdir()} == {".json", ".safetensors"}


def test_what_is_kept_beside_the_weights_is_not_merged(run_folder, train_here, tmp_path, tiny_base):
    run = run_folder(strategy={"kind": "adapter", "width": 4}, epochs=1)
    train_here(run)
    folder = tmp_path / "merged"
    folder.mkdir()
    (folder / "spec.json").write_text(
        json.dumps({"artifact": str(run / "artifact"), "base": {"path": str(tiny_base), "name": "tiny"}})
    )

    error = train_here(folder, verb="merge")["error"]

    assert error["code"] == "bad_spec"
    assert error["message"] == "adapter weights can't be merged into the base model."
    assert not (folder / "model").exists()


def test_the_head_begins_with_the_labels_that_both_know(known, run_folder, train_here):
    folder = run_folder(
        rows=HELP + ROWS[:4],
        validation=ROWS,
        **on(known, learning_rate=0.0, head_learning_rate=0.0, epochs=1),
    )

    train_here(folder)

    old, new = load_file(known / "head.safetensors"), load_file(folder / "artifact" / "head.safetensors")
    assert torch.equal(new["weight"][[2, 0]], old["weight"])
    assert torch.equal(new["bias"][[2, 0]], old["bias"])
    assert not torch.equal(new["weight"][1], old["weight"][0])
    assert "The head reuses 2 of 3 outputs of Run 1." in logged(folder, "log", "message")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"task": "multi_label"},
            "spec.json: keep_head needs a base of the same task; Run 1 was trained for single_label.",
        ),
        ({"pooling": "cls"}, "spec.json: keep_head must be mean, the pooling that the head of Run 1 uses."),
    ],
)
def test_a_head_of_another_kind_is_not_reused(fields, message, known, run_folder, train_here):
    rows = SETS if "task" in fields else ROWS
    folder = run_folder(rows=rows, **on(known, labels=["card", "refund"], **fields))

    assert train_here(folder)["error"]["message"] == message
    assert not (folder / "artifact").exists()


def test_a_base_without_a_head_gives_none(run_folder, train_here):
    assert (
        train_here(run_folder(keep_head=True))["error"]["message"]
        == "spec.json: keep_head needs a base with a head; tiny has none."
    )


def test_earlier_rows_are_rehearsed_up_to_their_share(known, run_folder, train_here):
    folder = run_folder(rows=HELP, validation=HELP + ROWS, **on(known, rehearsal=0.6, epochs=1))
    write_rows(folder / "rehearsal.jsonl", ROWS)

    result = train_here(folder)

    assert result["rehearsed"] == 6  # 4 new rows are 40 % of 10
    assert "Training on 4 new rows and 6 rehearsal rows of Run 1." in logged(folder, "log", "message")
    assert logged(folder, "metric", "total_steps")[0] == 3  # of 4, 4 and 2 rows


def test_a_share_that_needs_more_rows_than_there_are_takes_all(known, run_folder, train_here):
    folder = run_folder(rows=HELP, validation=HELP + ROWS, **on(known, rehearsal=0.9, epochs=1))
    write_rows(folder / "rehearsal.jsonl", ROWS)

    assert train_here(folder)["rehearsed"] == 8


def test_rehearsal_keeps_what_is_lost_without_it(known, run_folder, train_here):
    found = {}
    for name, share in (("without", 0.0), ("with", 0.6)):
        folder = run_folder(
            name,
            rows=[*HELP, ("money back please", "refund")],
            validation=HELP,
            **on(known, rehearsal=share, **LEARNS),
        )
        write_rows(folder / "rehearsal.jsonl", ROWS)
        write_rows(folder / "earlier.jsonl", ROWS * 8)
        result = train_here(folder)
        assert result["status"] == "succeeded", result
        found[name] = result["forgetting"]
        codes = logged(folder, "finding", "code")
        assert ("forgetting" in codes) is (name == "without")

    lost, kept = (found[name]["metrics"]["macro_f1"] for name in ("without", "with"))
    assert (lost["baseline"], lost["verdict"]) == (1.0, "worse")
    assert lost["high"] < 0
    assert kept["candidate"] == 1.0
    assert (kept["difference"], kept["verdict"]) == (0.0, "unclear")
    assert found["without"]["rows"] == 64
    assert found["without"]["labels"] == 2
    assert found["without"]["per_class"]["card"]["verdict"] == "worse"
    assert set(found["without"]["per_class"]) == {"card", "refund"}


def test_label_sets_are_compared_on_the_shared_labels(run_folder, train_here, tmp_path, tiny_base):
    fast = {"task": "multi_label", "learning_rate": 5e-3, "head_learning_rate": 5e-2, "epochs": 30}
    first = run_folder("first", rows=SETS, **fast)
    train_here(first)
    base = merged(tmp_path, train_here, first / "artifact", tiny_base)
    new = [(text, [*labels, "help"] if "help" in text else labels) for text, labels in SETS]
    folder = run_folder(
        "second",
        rows=new,
        **fast | {"base": {"path": str(base), "name": "Run 1"}, "labels": ["help", "refund", "card"]},
    )
    write_rows(folder / "earlier.jsonl", SETS)

    result = train_here(folder)

    assert result["status"] == "succeeded", result
    assert set(result["forgetting"]["per_class"]) == {"card", "refund"}
    assert result["forgetting"]["metrics"]["macro_f1"]["baseline"] >= 0.85
    assert result["forgetting"]["labels"] == 2


def test_nothing_is_measured_without_a_common_label(run_folder, train_here, tmp_path, tiny_base):
    first = run_folder("first", rows=SETS, task="multi_label", epochs=1)
    train_here(first)
    base = merged(tmp_path, train_here, first / "artifact", tiny_base)
    rows = [(text, ["help"] if "help" in text else []) for text, _ in SETS]
    folder = run_folder(
        "second",
        rows=rows,
        task="multi_label",
        epochs=1,
        base={"path": str(base), "name": "Run 1"},
        labels=["help"],
    )
    write_rows(folder / "earlier.jsonl", [("where is my order", [])])

    result = train_here(folder)

    assert (result["status"], "forgetting" in result) == ("succeeded", False)


def test_a_span_model_keeps_its_head_and_is_measured(run_folder, train_here, tmp_path, tiny_base):
    first = run_folder("first", **SPANS)
    for split in ("train", "validation"):
        write(first / f"{split}.jsonl", TEXTS)
    train_here(first)
    base = merged(tmp_path, train_here, first / "artifact", tiny_base)
    still = {
        "learning_rate": 0.0,
        "head_learning_rate": 0.0,
        "weight_decay": 0.0,
        "epochs": 1,
        "keep_head": True,
    }
    folder = run_folder(
        "second",
        **SPANS | still | {"base": {"path": str(base), "name": "Run 1"}, "labels": ["wish", "thing"]},
    )
    for split in ("train", "validation", "earlier"):
        write(folder / f"{split}.jsonl", TEXTS)

    result = train_here(folder)

    score = result["forgetting"]["metrics"]["micro_f1"]
    assert result["forgetting"]["by"] == "micro_f1"
    assert score["baseline"] == score["candidate"] > 0.9
    assert "The head reuses 5 of 5 outputs of Run 1." in logged(folder, "log", "message")


def test_a_writer_is_measured_by_the_perplexity_of_earlier_answers(train_here, tmp_path):
    base = make_tiny_decoder(tmp_path / "tiny")
    first = make_generation_run(tmp_path / "first", base, epochs=6)
    train_here(first)
    model = merged(tmp_path, train_here, first / "artifact", base)
    folder = make_generation_run(
        tmp_path / "second", model, epochs=1, learning_rate=0.0, weight_decay=0.0, rehearsal=0.5
    )
    for name in ("rehearsal", "earlier"):
        shutil.copy(folder / "validation.jsonl", folder / f"{name}.jsonl")

    result = train_here(folder)

    assert result["status"] == "succeeded", result
    score = result["forgetting"]["metrics"]["perplexity"]
    assert score["baseline"] == pytest.approx(score["candidate"], rel=1e-6)
    assert score["verdict"] == "unclear"
    assert result["forgetting"]["rows"] == len((folder / "earlier.jsonl").read_text().splitlines())
    assert 0 < result["rehearsed"] <= len(QUESTIONS)


def test_a_head_is_no_setting_of_a_writer(train_here, tmp_path):
    base = make_tiny_decoder(tmp_path / "tiny")

    error = train_here(make_generation_run(tmp_path / "run", base, keep_head=True))["error"]

    assert (
        error["message"]
        == "spec.json: keep_head applies to labels only; keep the default where the task is generation."
    )


def test_what_is_forgotten_is_reported_with_the_classes_that_fell_most():
    def score(before, after, verdict):
        return {"baseline": before, "candidate": after, "difference": after - before, "verdict": verdict}

    found = {
        "rows": 1200,
        "by": "macro_f1",
        "metrics": {"macro_f1": score(0.91, 0.88, "worse")},
        "per_class": {
            "card": score(0.9, 0.8, "worse"),
            "login": score(0.9, 0.6, "worse"),
            "other": score(0.9, 0.5, "unclear"),
        },
    }

    mild = continuing.finding(found, metrics_of("single_label").listed, "Run 3")
    much = continuing.finding(
        found | {"metrics": {"macro_f1": score(0.91, 0.80, "worse")}},
        metrics_of("single_label").listed,
        "Run 3",
    )
    none = continuing.finding(
        found | {"metrics": {"macro_f1": score(0.91, 0.80, "unclear")}},
        metrics_of("single_label").listed,
        "Run 3",
    )

    assert (mild.code, mild.severity, mild.title) == (
        "forgetting",
        "watch",
        "Forgetting: the run is worse than Run 3 on earlier rows.",
    )
    assert (
        mild.detail == "On 1,200 earlier rows macro-F1 went from 0.910 to 0.880. Largest drop: login, card."
    )
    assert (much.severity, none) == ("bad", None)
