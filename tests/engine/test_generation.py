"""Writing texts: a run learns, tells samples and what was cut, and its artifact is measured beside baselines."""

import json

import pytest

from tests.engine.questions import make_evaluation, make_run
from tests.support.tiny_decoders import QUESTIONS, make_tiny_decoder

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_tiny_decoder(tmp_path_factory.mktemp("base") / "tiny")


def events_of(folder, kind):
    return [event for line in (folder / "events.jsonl").read_text().splitlines() if (event := json.loads(line))["kind"] == kind]


def test_a_run_keeps_the_step_of_least_loss_and_its_artifact_gives_that_loss(base, tmp_path, train_here):
    folder = make_run(tmp_path / "run", base, epochs=6)

    result = train_here(folder)

    losses = {
        event["step"]: event["values"]["validation_loss"] for event in events_of(folder, "metric") if "validation_loss" in event["values"]
    }
    assert result["status"] == "succeeded", result
    assert result["best_by"] == "validation_loss"
    assert result["best_step"] == min(losses, key=losses.get)
    assert result["metrics"]["validation_loss"] == pytest.approx(losses[result["best_step"]], rel=1e-5)
    samples = events_of(folder, "samples")
    assert [event["step"] for event in samples] == sorted(losses)
    assert [row["id"] for row in samples[-1]["rows"]] == [f"{number:064x}" for number in range(4)]
    assert all(isinstance(row["answer"], str) and row["truth"] is None for row in samples[-1]["rows"])
    assert json.loads((folder / "artifact" / "lifecycle.json").read_text())["max_new_tokens"] == 12
    assert not list((folder / "artifact").rglob("*.onnx"))


def test_the_same_run_twice_gives_the_same_weights_and_answers(base, tmp_path, train_here):
    from safetensors.numpy import load_file

    folders = [make_run(tmp_path / name, base, epochs=2, strategy={"kind": "lora"}) for name in ("one", "two")]
    for folder in folders:
        train_here(folder)

    one, two = (load_file(folder / "artifact" / "adapter_model.safetensors") for folder in folders)
    assert one.keys() == two.keys()
    assert all((one[name] == two[name]).all() for name in one)
    assert [event["rows"] for event in events_of(folders[0], "samples")] == [event["rows"] for event in events_of(folders[1], "samples")]


def test_a_batch_in_parts_makes_the_same_steps(base, tmp_path, train_here):
    from lifecycle.engine import memory
    from lifecycle.engine.events import write_json

    losses = []
    for name, rows in (("whole", 8), ("parts", 2)):
        folder = make_run(tmp_path / name, base, epochs=3, batch_size=8)
        if rows < 8:
            write_json(folder / memory.FILE, {"batch": 8, "rows": rows, "step": 0})
        losses.append(train_here(folder)["metrics"]["validation_loss"])

    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_rows_that_do_not_fit_are_told_as_a_finding(base, tmp_path, train_here):
    folder = make_run(tmp_path / "run", base, epochs=1, max_tokens=13)

    train_here(folder)

    (finding,) = [event for event in events_of(folder, "finding") if event["code"] == "cut_texts"]
    assert "training prompts are truncated." in finding["title"]
    assert finding["severity"] == "watch"
    assert "tokens (a context at its end, a prompt without one at its beginning): a row has up to 13 tokens." in finding["detail"]


def test_an_artifact_is_measured_beside_what_it_must_beat(base, tmp_path, train_here):
    run = make_run(tmp_path / "run", base, epochs=20)
    trained = train_here(run)
    held_out = [(f"{question} please", answer, f"{answer} 1 2 3") for question, answer in QUESTIONS]
    folder = make_evaluation(tmp_path / "evaluation", run / "artifact", base, rows=held_out)

    report = train_here(folder, verb="evaluate")

    assert report["status"] == "succeeded", report
    assert set(report["baselines"]) == set(report["against"]) == {"prompted_base", "nearest", "frequent"}
    assert report["baselines"]["nearest"]["exact_match"] == 1.0  # each question's own answer stands in training
    assert report["baselines"]["frequent"]["exact_match"] == pytest.approx(1 / 8)
    assert "perplexity" not in report["baselines"]["nearest"]
    assert report["perplexity"] < report["baselines"]["prompted_base"]["perplexity"]
    assert report["against"]["prompted_base"]["rouge_l"]["candidate"] == report["rouge_l"]
    assert (report["with_context"], report["references"]["groundedness"]) == (8, 1.0)
    assert trained["metrics"]["perplexity"] < 30
    from lifecycle.task_types.generation import measures as text_scores
    from lifecycle.task_types.generation import predictions as text_answers

    kept = text_answers.ENTRY.read(folder / "predictions.parquet")
    cut = report["cut_answers"]
    assert (cut["rows"], cut["share"]) == (sum(kept.cut), sum(kept.cut) / 8)
    assert cut["base_rows"] > cut["rows"]  # random weights do not stop
    assert len(kept) == 8
    assert kept.scored.rouge_l.mean() == pytest.approx(report["rouge_l"])
    compared = text_scores.ENTRY.compare(kept, kept, count=50)
    assert (compared["rows"], compared["left_out"], compared["metrics"]["rouge_l"]["difference"]) == (8, 0, 0.0)


def test_an_encoder_is_refused_naming_the_field(tiny_base, tmp_path, train_here):
    result = train_here(make_run(tmp_path / "run", tiny_base))

    assert result["status"] == "failed"
    assert result["error"]["message"] == "spec.json: base is bert, which can't generate text; choose a decoder, such as SmolLM2."


def test_labels_are_not_asked_of_it(base, tmp_path, train_here):
    run = make_run(tmp_path / "run", base, epochs=1)
    train_here(run)
    folder = make_evaluation(tmp_path / "predict", run / "artifact", base)
    (folder / "spec.json").write_text(json.dumps({"artifact": str(run / "artifact"), "base": {"path": str(base), "name": "tiny"}}))

    result = train_here(folder, verb="predict")

    assert result["error"]["message"] == "This is a generation model; it returns no label or embedding."


@pytest.mark.parametrize(
    ("row", "told"),
    [({"id": "1", "text": "a"}, "it has no text under 'answer'"), ({"id": "1", "text": "a", "answer": 3}, "it has no text under 'answer'")],
)
def test_a_row_without_an_answer_is_refused_by_its_line(row, told, base, tmp_path, train_here):
    folder = make_run(tmp_path / "run", base)
    (folder / "train.jsonl").write_text(json.dumps(row) + "\n")

    result = train_here(folder)

    assert f"train.jsonl, line 1: {told}" in result["error"]["message"]


def test_training_answers_that_are_all_empty_are_refused(base, tmp_path, train_here):
    result = train_here(make_run(tmp_path / "run", base, pairs=[("my card is lost", " "), ("how do i pay", "")]))

    assert result["error"]["message"] == "All training responses are empty."
