"""A row's loss is the same from an evaluation and from the verb `losses`, for every task, graph, and
precision.
"""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest

from lifecycle.runtime.engine import row_losses
from lifecycle.runtime.engine.artifact import SERVING, ArtifactInfo
from lifecycle.runtime.engine.events import read_events
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.task_types.by_key.predictions import file_of
from tests.engine.inbox import ROWS, SETS, write_rows
from tests.engine.questions import TALKS, make_run, write_pairs, write_talks
from tests.engine.test_ranking_training import PAIRS, RANKINGS, ranked_folder  # noqa: F401  a fixture
from tests.engine.test_ranking_training import write as write_orders
from tests.engine.test_spans_training import TEXTS, spans_folder  # noqa: F401  a fixture
from tests.engine.test_spans_training import write as write_spans
from tests.support.tiny_decoders import QUESTIONS, make_tiny_decoder

pytestmark = pytest.mark.engine

engine = pytest.mark.engine


# ── Without a model ─────────────────────────────────────────────────────────
def test_rows_without_a_loss_are_left_out(tmp_path):
    row_losses.write(tmp_path / "losses.parquet", ["one", "two", "three"], np.array([0.5, np.nan, 0.0]))

    assert row_losses.read(tmp_path / "losses.parquet") == {"one": 0.5, "three": 0.0}


# ── Tiny models ─────────────────────────────────────────────────────────────
@pytest.fixture
def measure(train_here, tmp_path):
    """Has one verb answer the rows that `write` puts into data.jsonl with an artifact; returns the folder and
    result.json.
    """

    def run(verb, artifact, base, write, cancelled=lambda: False, **fields):
        folder = tmp_path / verb
        folder.mkdir()
        write(folder / "data.jsonl")
        spec = {"artifact": str(artifact), "base": {"path": str(base), "name": "tiny"}, "threads": 1} | fields
        (folder / "spec.json").write_text(json.dumps(spec))
        return folder, train_here(folder, cancelled, verb=verb)

    return run


@pytest.fixture
def both(measure):
    """The losses of rows as their evaluation keeps them and as the verb measures them, which are equal, and
    the evaluation's report.
    """

    def run(artifact, base, write):
        evaluated, report = measure("evaluate", artifact, base, write, bootstrap=50)
        folder, result = measure("losses", artifact, base, write)
        assert result["status"] == report["status"] == "succeeded", (result, report)
        kept, found = (
            file_of(ArtifactInfo.read(artifact).task).losses(evaluated / "predictions.parquet"),
            row_losses.read(folder / "losses.parquet"),
        )
        assert result["rows"] == report["rows"] == len(found)
        assert list(found) == list(kept)
        assert list(found.values()) == pytest.approx(list(kept.values()), rel=1e-5, abs=1e-7)
        events = read_events(folder / "events.jsonl")[0]
        assert [(each["done"], each["total"], each["unit"]) for each in events if each["kind"] == "progress"][
            -1
        ] == (
            len(found),
            len(found),
            "rows",
        )
        return np.array(list(found.values())), report

    return run


@engine
def test_the_loss_of_a_single_label_row_is_that_of_the_true_label(run_folder, train_here, tiny_base, both):
    run = run_folder(epochs=15)
    train_here(run)

    losses, report = both(run / "artifact", tiny_base, lambda path: write_rows(path, ROWS))

    predictor = Predictor(run / "artifact")
    probabilities = predictor.probabilities([text for text, _ in ROWS])
    truth = [predictor.info.labels.index(label) for _, label in ROWS]
    assert losses == pytest.approx(-np.log(probabilities[range(8), truth]), rel=1e-5)
    assert losses.mean() == pytest.approx(report["log_loss"])


@engine
def test_a_model_that_serves_in_int8_is_measured_in_int8(run_folder, train_here, tiny_base, both):
    # a contradiction, so that no probability is 1
    run = run_folder(validation=[*ROWS, (ROWS[0][0], "refund")] * 12)
    train_here(run)

    losses, report = both(run / "artifact", tiny_base, lambda path: write_rows(path, ROWS))

    assert report["graph"] == "int8"
    assert losses.mean() == pytest.approx(report["log_loss"])
    fp32 = Predictor(run / "artifact", graph=run / "artifact" / SERVING)
    rounded = -np.log(
        fp32.probabilities([text for text, _ in ROWS])[
            range(8), [fp32.info.labels.index(label) for _, label in ROWS]
        ]
    )
    assert abs(losses - rounded).max() > 1e-6


@engine
def test_of_several_classes_it_is_the_mean_of_their_cross_entropies(run_folder, train_here, tiny_base, both):
    import torch

    run = run_folder(rows=SETS, task="multi_label", epochs=5)
    train_here(run)

    losses, report = both(run / "artifact", tiny_base, lambda path: write_rows(path, SETS))

    predictor = Predictor(run / "artifact")
    probabilities = torch.tensor(predictor.probabilities([text for text, _ in SETS]))
    truth = torch.tensor(
        [[float(label in wanted) for label in predictor.info.labels] for _, wanted in SETS],
        dtype=torch.float64,
    )
    wanted = torch.nn.functional.binary_cross_entropy(probabilities, truth, reduction="none").mean(dim=1)
    assert losses == pytest.approx(wanted.numpy(), rel=1e-5)
    assert losses.mean() == pytest.approx(report["log_loss"])


@engine
def test_the_loss_of_a_row_with_spans_is_the_mean_over_tokens(spans_folder, train_here, tiny_base, both):  # noqa: F811
    run = spans_folder(epochs=5)
    train_here(run)

    losses, report = both(run / "artifact", tiny_base, lambda path: write_spans(path, TEXTS))

    tokens = [len(text.split()) for text in TEXTS]
    assert np.average(losses, weights=tokens) == pytest.approx(report["log_loss"])


@engine
@pytest.mark.parametrize(("task", "rows"), [("preference", PAIRS), ("ranking", RANKINGS)])
def test_the_loss_of_a_ranking_is_the_mean_over_pairs(task, rows, ranked_folder, train_here, tiny_base, both):  # noqa: F811
    run = ranked_folder(rows=rows, task=task, epochs=5)
    train_here(run)

    losses, report = both(run / "artifact", tiny_base, lambda path: write_orders(path, rows))

    predictor = Predictor(run / "artifact")
    wanted = []
    for text, responses, ranks in rows:
        strengths = (
            predictor.answer([(text, each) for each in responses]).logits[:, 0].astype(np.float64)
            / predictor.info.temperature
        )
        nats = []
        for one, two in combinations(range(len(ranks)), 2):
            first = 1 / (1 + np.exp(strengths[two] - strengths[one]))
            better = 0.5 if ranks[one] == ranks[two] else float(ranks[one] < ranks[two])
            nats.append(-better * np.log(first) - (1 - better) * np.log(1 - first))
        wanted.append(np.mean(nats))
    assert losses == pytest.approx(wanted, rel=1e-5)
    pairs = [len(ranks) * (len(ranks) - 1) / 2 for _, _, ranks in rows]
    assert np.average(losses, weights=pairs) == pytest.approx(report["log_loss"])


@engine
@pytest.mark.parametrize("strategy", ["full", "lora"])
def test_for_generated_texts_it_equals_the_published_library(strategy, train_here, tmp_path, both):
    import torch
    from transformers import AutoTokenizer

    from lifecycle.runtime.engine.decoders import open_decoder
    from lifecycle.runtime.engine.task_types.generation.prompts import encode_examples, find_frame

    base = make_tiny_decoder(tmp_path / "base")
    run = make_run(tmp_path / "run", base, epochs=5, strategy={"kind": strategy})
    train_here(run)

    losses, report = both(run / "artifact", base, lambda path: write_pairs(path, QUESTIONS))

    model = open_decoder(run / "artifact", base, ArtifactInfo.read(run / "artifact"))
    tokenizer = AutoTokenizer.from_pretrained(run / "artifact")
    prompts, answers = zip(*QUESTIONS, strict=True)
    examples = encode_examples(
        tokenizer, find_frame(tokenizer), list(prompts), list(answers), 64, [""] * len(prompts)
    )
    with torch.no_grad():
        wanted = [
            model(input_ids=torch.tensor([each.ids]), labels=torch.tensor([each.labels])).loss.item()
            for each in examples
        ]
    assert losses == pytest.approx(wanted, rel=1e-4)
    tokens = [sum(label != -100 for label in each.labels) for each in examples]
    assert np.average(losses, weights=tokens) == pytest.approx(report["loss"])


@engine
def test_of_dialogues_it_is_that_of_the_last_answer(train_here, tmp_path, both):
    base = make_tiny_decoder(tmp_path / "base")
    run = make_run(tmp_path / "run", base, epochs=2)
    for name in ("train.jsonl", "validation.jsonl"):
        write_talks(run / name, TALKS)
    train_here(run)

    losses, report = both(run / "artifact", base, lambda path: write_talks(path, TALKS, ["with tool calls"]))

    tokens = [len(talk[-1]["content"].split()) + 1 for talk in TALKS]  # and its end
    assert np.average(losses, weights=tokens) == pytest.approx(report["loss"])


@engine
def test_it_stops_between_batches_on_request_and_leaves_no_losses(run_folder, train_here, tiny_base, measure):
    run = run_folder(epochs=1)
    train_here(run)

    folder, result = measure(
        "losses", run / "artifact", tiny_base, lambda path: write_rows(path, ROWS), cancelled=lambda: True
    )

    assert result == {"format": 1, "status": "cancelled", "error": None}
    assert not (folder / "losses.parquet").exists()
