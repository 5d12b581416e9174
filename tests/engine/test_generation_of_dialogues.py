"""Chats in a run and in an evaluation: what is learned, reported, measured, and left out."""

import json

import pytest

from lifecycle.runtime.task_types.generation import measures as text_scores
from lifecycle.runtime.task_types.generation import predictions as text_answers
from tests.engine.questions import TALKS, make_evaluation, make_run, write_pairs, write_talks
from tests.support.tiny_decoders import QUESTIONS, make_tiny_decoder

pytestmark = pytest.mark.engine
LEFT_OUT = ["with tool calls", "with non-text content", "with tool calls"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_tiny_decoder(tmp_path_factory.mktemp("base") / "tiny")


def make_talks(folder, base, *, left_out=(), **fields):
    made = make_run(folder, base, **fields)
    write_talks(made / "train.jsonl", TALKS, left_out)
    write_talks(made / "validation.jsonl", TALKS)
    return made


def events_of(folder, kind):
    return [
        event
        for line in (folder / "events.jsonl").read_text().splitlines()
        if (event := json.loads(line))["kind"] == kind
    ]


def test_a_run_trains_on_every_answer_and_is_measured_by_the_last_ones(base, tmp_path, train_here):
    run = make_talks(tmp_path / "run", base, epochs=20)
    result = train_here(run)
    folder = make_evaluation(tmp_path / "evaluation", run / "artifact", base)
    for name in ("data.jsonl", "train.jsonl"):
        write_talks(folder / name, TALKS)

    report = train_here(folder, verb="evaluate")

    assert result["status"] == "succeeded", result
    assert result["metrics"]["perplexity"] < 10
    assert [len(event["rows"]) for event in events_of(run, "samples")] == [4] * len(events_of(run, "samples"))
    assert report["status"] == "succeeded", report
    assert (report["task"], report["rows"], report["dialogues"], report["left_out"]) == (
        "generation",
        8,
        8,
        {},
    )
    assert report["exact_match"] == 1.0
    assert report["baselines"]["nearest"]["exact_match"] == 1.0  # its own chat is in training
    assert report["perplexity"] < report["baselines"]["prompted_base"]["perplexity"]
    kept = text_answers.ENTRY.read(folder / "predictions.parquet")
    assert list(kept.answers) == [talk[-1]["content"] for talk in TALKS]
    # the last answer and its end
    assert kept.scored.tokens.tolist() == [len(talk[-1]["content"].split()) + 1 for talk in TALKS]


def test_the_samples_of_a_run_answer_the_last_turn(base, tmp_path, train_here):
    run = make_talks(tmp_path / "run", base, epochs=20)

    train_here(run)

    answers = [row["answer"] for row in events_of(run, "samples")[-1]["rows"]]
    assert answers == [talk[-1]["content"] for talk in TALKS[:4]]


def test_a_corrected_earlier_answer_makes_another_prompt(base, tmp_path, train_here):
    run = make_talks(tmp_path / "run", base, epochs=1)
    train_here(run)
    kept = []
    for name, earlier in (("one", "look at orders"), ("two", "yes")):
        folder = make_evaluation(tmp_path / name, run / "artifact", base, baselines=False)
        write_talks(
            folder / "data.jsonl", [[*TALKS[0][:2], {"role": "assistant", "content": earlier}, *TALKS[0][3:]]]
        )
        train_here(folder, verb="evaluate")
        kept.append(text_answers.ENTRY.read(folder / "predictions.parquet"))

    assert kept[0].ids == kept[1].ids
    assert kept[0].targets != kept[1].targets
    with pytest.raises(ValueError, match="share no item"):
        text_scores.ENTRY.compare(*kept, count=10)


def test_what_is_left_out_is_reported_by_its_reasons(base, tmp_path, train_here):
    run = make_talks(tmp_path / "run", base, epochs=1, left_out=LEFT_OUT)

    train_here(run)

    (finding,) = [event for event in events_of(run, "finding") if event["code"] == "left_out"]
    assert finding["title"] == "3 of 11 training dialogues are rejected."
    assert finding["detail"] == "2 with tool calls; 1 with non-text content."
    folder = make_evaluation(tmp_path / "evaluation", run / "artifact", base, baselines=False)
    write_talks(folder / "data.jsonl", TALKS, LEFT_OUT)
    report = train_here(folder, verb="evaluate")
    assert (report["rows"], report["left_out"]) == (8, {"with tool calls": 2, "with non-text content": 1})


def test_dialogues_that_are_all_left_out_are_refused(base, tmp_path, train_here):
    run = make_run(tmp_path / "run", base)
    write_talks(run / "train.jsonl", [], LEFT_OUT)

    result = train_here(run)

    assert (
        result["error"]["message"]
        == "train.jsonl contains no rows, and 3 rejected ones, for example one with tool calls."
    )


def test_prompts_and_dialogues_are_learned_side_by_side(base, tmp_path, train_here):
    run = make_talks(tmp_path / "run", base, epochs=2, strategy={"kind": "lora"})
    lines = (run / "train.jsonl").read_text()
    (run / "train.jsonl").write_text(
        lines + json.dumps({"id": "f" * 64, "text": QUESTIONS[0][0], "answer": QUESTIONS[0][1]}) + "\n"
    )

    assert train_here(run)["status"] == "succeeded"


@pytest.mark.parametrize("kind", ["lora", "ia3", "prompt", "p_tuning", "prefix"])
def test_what_a_strategy_keeps_gives_the_losses_that_it_was_chosen_by(kind, base, tmp_path, train_here):
    run = make_talks(tmp_path / "run", base, epochs=2, strategy={"kind": kind, "virtual_tokens": 4})

    result = train_here(run)

    assert result["status"] == "succeeded", result
    losses = {event["step"]: event["values"].get("validation_loss") for event in events_of(run, "metric")}
    assert result["metrics"]["validation_loss"] == pytest.approx(losses[result["best_step"]], rel=1e-4)


def test_a_run_of_dialogues_continues_from_prompts_and_reports_forgetting(base, tmp_path, train_here):
    first = make_run(tmp_path / "first", base, epochs=8)
    train_here(first)
    merged = tmp_path / "merged"
    merged.mkdir()
    (merged / "spec.json").write_text(
        json.dumps({"artifact": str(first / "artifact"), "base": {"path": str(base), "name": "tiny"}})
    )
    train_here(merged, verb="merge")
    run = make_talks(tmp_path / "run", merged / "model", epochs=2, rehearsal=0.5)
    for name in ("rehearsal", "earlier"):
        write_pairs(run / f"{name}.jsonl", QUESTIONS)

    result = train_here(run)

    assert result["status"] == "succeeded", result
    assert (result["rehearsed"], result["forgetting"]["rows"], result["forgetting"]["by"]) == (
        8,
        8,
        "perplexity",
    )


def test_ten_steps_of_dialogues_are_measured(base, tmp_path, train_here):
    from lifecycle.runtime.engine.estimate import Profile, shorten
    from lifecycle.runtime.engine.spec import TrainSpec

    run = make_talks(tmp_path / "run", base, epochs=1)
    shorten(TrainSpec.read(run / "spec.json"), 8).write(run / "spec.json")

    result = train_here(run, verb="profile")

    assert result["status"] == "succeeded", result
    found = Profile.from_json(result)
    assert (found.rows.train, found.rows.validation, found.steps) == (8, 8, 10)
    assert found.sampling_seconds > 0


def test_a_dialogue_that_is_too_long_is_reported(base, tmp_path, train_here):
    run = make_talks(tmp_path / "run", base, epochs=1, max_tokens=24)

    train_here(run)

    (finding,) = [event for event in events_of(run, "finding") if event["code"] == "cut_texts"]
    assert finding["title"] == "8 of 8 training prompts are truncated."
    assert "(16 turns of dialogues, the oldest first; then" in finding["detail"]
    assert finding["next_step"].endswith("Of a dialogue, the system turn and the end are kept.")
