"""Launching a run on a snapshot of responses that people put in order, and the whole way to its evaluation."""

from __future__ import annotations

import json

import pytest

from datasets_app.snapshots import queries as snapshots
from lifecycle.evaluation import queries as evaluations
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from lifecycle.task_types.contents.responses import plain
from lifecycle.training import actions, suggesting, sweep_queries
from lifecycle.training.models import Run, Sweep
from tests.support.datasets import import_texts, make_dataset
from tests.support.jobs import run_ok
from tests.support.ranked import ranked_snapshot
from tests.support.snapshots import freeze
from tests.support.sweeps import make_sweep, run_trials
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base
from tests.support.written import make_decoder

QUICK = {"epochs": 20, "batch_size": 4, "learning_rate": 5e-3, "head_learning_rate": 0.03, "precision": "fp32", "patience": 0}
OF_LABELS = {"class_weights", "label_smoothing", "focal_gamma"}


@pytest.fixture
def snapshot(project, mia):
    return ranked_snapshot(project, mia)


def rows_of(snapshot, split, folder):
    count = snapshots.write_split(snapshot, split, folder / f"{split}.jsonl")
    rows = [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]
    assert count == len(rows) == snapshot.counts["splits"][split]
    return rows


def test_the_spec_says_the_task_and_the_rows_carry_responses_with_ranks(snapshot, mia, base, tmp_path):
    run = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert (run.spec["task"], run.spec["labels"], run.task_type.has_responses, run.task_type.writes_text) == ("preference", [], True, False)
    rows = [row for split in ("train", "validation", "test") for row in rows_of(snapshot, split, tmp_path)]
    assert {frozenset(row) for row in rows} == {frozenset({"id", "cluster", "text", "responses", "ranks"})}
    for row in rows:
        at = int(row["text"].rpartition(" ")[2])
        even = at % 10 == 9 or at % 11 == 10  # a tie, or both bad
        good = row["responses"][0].startswith(("card", "refund"))
        assert row["ranks"] == ([0, 0] if even else [0, 1] if good else [1, 0])


def test_a_ranking_gives_the_place_of_each_response(project, mia, base, tmp_path):
    snapshot = ranked_snapshot(project, mia, "ranking")

    actions.launch(snapshot=snapshot, base=base, strategy="full", actor=mia)

    for row in rows_of(snapshot, "train", tmp_path):
        at = int(row["text"].rpartition(" ")[2])
        assert sorted(range(3), key=lambda each: row["ranks"][each]) == [(each + at) % 3 for each in range(3)]


def test_messages_become_texts_and_a_prompt_may_be_missing():
    said = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes?"}]

    assert plain(said[1:]) == "Yes?"
    assert plain(said) == "user: Hello?\nassistant: Yes?"
    assert plain("") == ""


def test_settings_of_labels_are_not_offered(snapshot, base):
    choices = suggesting.suggestion(snapshot, base, "lora").choices

    assert not OF_LABELS & choices.keys()
    assert {"pooling", "rank", "max_tokens"} <= choices.keys()


@pytest.mark.parametrize(
    ("strategy", "options", "field", "sentence"),
    [
        ("fast_lora", {}, "strategy", "because each response is encoded with its prompt. Choose LoRA."),
        ("prefix", {}, "strategy", "is only available for generation"),
        ("lora", {"class_weights": True}, "class_weights", "applies to labels only; keep the default where"),
        ("lora", {"operating_point": "recall"}, "operating_point", "it predicts a ranking"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(strategy, options, field, sentence, snapshot, mia, base):
    with pytest.raises(Refused, match=sentence) as refused:
        actions.launch(snapshot=snapshot, base=base, strategy=strategy, actor=mia, options=options)

    assert set(refused.value.fields) == {field}
    assert not Run.objects.exists()
    assert not Job.objects.filter(kind="training.train").exists()


def test_a_decoder_is_refused(snapshot, project, mia):
    with pytest.raises(Refused, match="is a decoder, which only attends to earlier tokens. Choose an encoder, such as"):
        actions.launch(snapshot=snapshot, base=make_decoder(project, mia), strategy="lora", actor=mia)

    assert not Run.objects.exists()
    assert not Job.objects.filter(kind="training.train").exists()


def test_a_snapshot_without_validation_rows_is_refused(project, mia, base):
    dataset = make_dataset(project, mia, task="preference")
    rows = [(f"card {at}", "help", "late", "first", "train" if at % 2 else "test") for at in range(8)]
    import_texts(dataset, rows, mia, header=("prompt", "response_a", "response_b", "choice", "split"))
    snapshot = freeze(dataset, mia, shares={"train": 50, "validation": 25, "test": 25})
    snapshot.counts["splits"]["validation"] = 0

    with pytest.raises(Refused, match="has no validation rows, which are needed to choose the best step."):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert not Run.objects.exists()
    assert not Job.objects.filter(kind="training.train").exists()


def test_the_form_offers_what_fits_and_says_what_the_rows_hold(snapshot, mia, base, client_for):
    page = client_for(mia).get(f"/runs/launch/?snapshot={snapshot.uuid}&base={base.uuid}").content.decode()

    assert "validation, preference" in page
    for name in ("LoRA", "Full fine-tuning", "Bottleneck adapters", "Head only"):
        assert name in page
    for absent in ("Fast LoRA", "Prefix tuning", 'name="class_weights"', 'name="focal_gamma"'):
        assert absent not in page


def test_a_finished_run_tells_the_accuracy_of_pairs(finished, mia, client_for):
    page = client_for(mia).get(f"/runs/{finished.uuid}/").content.decode()

    assert "Accuracy of pairs, best" in page
    assert "Best response first" in page


@pytest.mark.engine
@pytest.mark.parametrize("task", ["preference", "ranking"])
def test_a_run_learns_orders_and_is_measured_against_place_length_and_words(task, project, mia, tmp_path):
    snapshot = ranked_snapshot(project, mia, task, rows=60)
    base = make_base(project, mia, folder=make_tiny_base(tmp_path / "base"))

    run = actions.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=QUICK)
    jobs = run_ok("training", "evaluation")

    run.refresh_from_db()
    assert [job.kind for job in jobs] == ["training.train", "evaluation.evaluate"]
    assert (run.state, run.result["best_by"]) == (Run.State.SUCCEEDED, "pair_accuracy")
    assert run.points.filter(name="pair_accuracy").exists()
    test = evaluations.latest_evaluation(run, "test")
    assert test.report["task"] == task
    assert set(test.report["baselines"]) == {"first", "longer", "tfidf_logreg", "frozen_base_logreg"}
    if task == "preference":
        assert test.report["pair_accuracy"] > 0.7
    assert test.report["graph"] == "fp32"
    answers = evaluations.rows_of(test)
    assert len(answers) == test.rows
    assert {len(each) for each in answers.strengths} == ({2} if task == "preference" else {3})


# ── Sweeps ──────────────────────────────────────────────────────────────────
def test_a_sweep_finds_the_settings_of_the_best_accuracy_of_pairs(snapshot, base, mia, client_for):
    sweep = run_trials(make_sweep(snapshot, mia, base=base, trials=2), 0.6, 0.8)

    listed = sweep_queries.sweeps(mia).get(pk=sweep.pk)

    assert (listed.ended, listed.best) == (2, 0.8)
    assert sweep_queries.leading_of(sweep).name == "pair_accuracy"
    page = client_for(mia).get(f"/runs/sweeps/{sweep.uuid}/").content.decode()
    assert "with an accuracy of pairs of 0.800 on validation." in page


def test_a_sweep_over_a_setting_of_labels_is_refused_by_its_name(snapshot, mia):
    space = {"label_smoothing": {"low": 0.0, "high": 0.2}}

    with pytest.raises(Refused, match="applies to labels only; keep the default where"):
        make_sweep(snapshot, mia, space=space)

    assert not Sweep.objects.exists()
    assert not Run.objects.exists()
