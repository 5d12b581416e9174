"""Writing texts: a run trains, logs samples and what was cut, and its artifact is measured beside
baselines.
"""

import json

import pytest

from tests.engine.questions import make_evaluation, make_run
from tests.support.tiny_decoders import QUESTIONS, make_tiny_decoder

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_tiny_decoder(tmp_path_factory.mktemp("base") / "tiny")


def events_of(folder, kind):
    return [
        event
        for line in (folder / "events.jsonl").read_text().splitlines()
        if (event := json.loads(line))["kind"] == kind
    ]


def test_the_same_run_twice_gives_the_same_weights_and_answers(base, tmp_path, train_here):
    from safetensors.numpy import load_file

    folders = [
        make_run(tmp_path / name, base, epochs=2, strategy={"kind": "lora"}) for name in ("one", "two")
    ]
    for folder in folders:
        train_here(folder)

    one, two = (load_file(folder / "artifact" / "adapter_model.safetensors") for folder in folders)
    assert one.keys() == two.keys()
    assert all((one[name] == two[name]).all() for name in one)
    assert [event["rows"] for event in events_of(folders[0], "samples")] == [
        event["rows"] for event in events_of(folders[1], "samples")
    ]


def test_a_batch_in_parts_makes_the_same_steps(base, tmp_path, train_here):
    from lifecycle.runtime.engine import memory
    from lifecycle.runtime.engine.events import write_json

    losses = []
    for name, rows in (("whole", 8), ("parts", 2)):
        folder = make_run(tmp_path / name, base, epochs=3, batch_size=8)
        if rows < 8:
            write_json(folder / memory.FILE, {"batch": 8, "rows": rows, "step": 0})
        losses.append(train_here(folder)["metrics"]["validation_loss"])

    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_rows_that_do_not_fit_are_reported_as_a_finding(base, tmp_path, train_here):
    folder = make_run(tmp_path / "run", base, epochs=1, max_tokens=13)

    train_here(folder)

    (finding,) = [event for event in events_of(folder, "finding") if event["code"] == "cut_texts"]
    assert "training prompts are truncated." in finding["title"]
    assert finding["severity"] == "watch"
    assert (
        "tokens (a context at its end, a prompt without one at its beginning): a row has up to 13 tokens."
        in finding["detail"]
    )


def test_an_artifact_is_measured_beside_what_it_must_beat(base, tmp_path, train_here):
    run = make_run(tmp_path / "run", base, epochs=20)
    trained = train_here(run)
    samples = events_of(run, "samples")[-1]["rows"]
    assert [row["id"] for row in samples] == [f"{number:064x}" for number in range(4)]
    assert all(isinstance(row["answer"], str) and row["truth"] is None for row in samples)
    assert json.loads((run / "artifact" / "lifecycle.json").read_text())["max_new_tokens"] == 12
    assert not list((run / "artifact").rglob("*.onnx"))
    held_out = [(f"{question} please", answer, f"{answer} 1 2 3") for question, answer in QUESTIONS]
    folder = make_evaluation(tmp_path / "evaluation", run / "artifact", base, rows=held_out)

    report = train_here(folder, verb="evaluate")

    assert report["status"] == "succeeded", report
    assert set(report["baselines"]) == set(report["against"]) == {"prompted_base", "nearest", "frequent"}
    assert report["baselines"]["nearest"]["exact_match"] == 1.0  # each question's own answer is in training
    assert report["baselines"]["frequent"]["exact_match"] == pytest.approx(1 / 8)
    assert "perplexity" not in report["baselines"]["nearest"]
    assert report["perplexity"] < report["baselines"]["prompted_base"]["perplexity"]
    assert report["against"]["prompted_base"]["rouge_l"]["candidate"] == report["rouge_l"]
    assert (report["with_context"], report["references"]["groundedness"]) == (8, 1.0)
    assert trained["metrics"]["perplexity"] < 30
    from lifecycle.runtime.task_types.generation import measures as text_scores
    from lifecycle.runtime.task_types.generation import predictions as text_answers

    kept = text_answers.ENTRY.read(folder / "predictions.parquet")
    cut = report["cut_answers"]
    assert (cut["rows"], cut["share"]) == (sum(kept.cut), sum(kept.cut) / 8)
    assert cut["base_rows"] > cut["rows"]  # random weights do not stop
    assert len(kept) == 8
    assert kept.scored.rouge_l.mean() == pytest.approx(report["rouge_l"])
    compared = text_scores.ENTRY.compare(kept, kept, count=50)
    assert (compared["rows"], compared["left_out"], compared["metrics"]["rouge_l"]["difference"]) == (
        8,
        0,
        0.0,
    )


def test_labels_are_not_requested_from_it(base, tmp_path, train_here):
    run = make_run(tmp_path / "run", base, epochs=1)
    train_here(run)
    folder = make_evaluation(tmp_path / "predict", run / "artifact", base)
    (folder / "spec.json").write_text(
        json.dumps({"artifact": str(run / "artifact"), "base": {"path": str(base), "name": "tiny"}})
    )

    result = train_here(folder, verb="predict")

    assert result["error"]["message"] == "This is a generation model; it returns no label or embedding."
