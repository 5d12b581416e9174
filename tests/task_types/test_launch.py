"""A run of each type: its spec, what is offered, what is refused before anything is queued, and the way from
labels to pre-labels.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from datasets_app.prelabels.models import Suggestion
from datasets_app.schemas.queries.labels import latest_schema, names_in
from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions as evaluation
from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation import suggesters
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.queries import trained_task
from lifecycle.runtime.engine.task_types.settings import OF_LABELS
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.types import LEARNED, TYPES, type_of
from lifecycle.ui.numbers import decimals
from registry.ground.ledger.models import Event
from tests.support.datasets import import_texts, make_dataset
from tests.support.generation import make_decoder
from tests.support.jobs import run_ok
from tests.support.labeling import add_items, make_queue
from tests.support.snapshots import freeze
from tests.support.training import make_base, make_real_base
from tests.support.unchanged import refused
from tests.task_types.examples import EXAMPLES, TRAINED

LABELS = {
    "single_label": ["card", "login", "refund"],
    "multi_label": ["card", "login", "refund"],
    "spans": ["thing", "wish"],
}
ENCODERS = ["head", "lora", "adapter", "full", "fast_lora", "ia3"]
STRATEGIES = {  # that are offered, of those that fit the base
    "preference": ["head", "lora", "adapter", "full", "ia3"],
    "ranking": ["head", "lora", "adapter", "full", "ia3"],
    "generation": ["lora", "full", "ia3", "prompt", "p_tuning", "prefix"],
    "chat": ["lora", "full", "ia3", "prompt", "p_tuning", "prefix"],
}
REFUSED = [  # type, strategy, settings, and the field that is named
    *(("single_label", strategy, {}, "strategy") for strategy in ("prompt", "p_tuning", "prefix")),
    ("spans", "lora", {"pooling": "cls"}, "pooling"),
    ("preference", "fast_lora", {}, "strategy"),
    ("preference", "prefix", {}, "strategy"),
    ("preference", "lora", {"class_weights": True}, "class_weights"),
    ("preference", "lora", {"operating_point": "recall"}, "operating_point"),
    *(("generation", strategy, {}, "strategy") for strategy in ("head", "fast_lora", "adapter")),
    ("generation", "lora", {"label_smoothing": 0.1}, "label_smoothing"),
    ("generation", "lora", {"class_weights": True}, "class_weights"),
    ("generation", "lora", {"pooling": "cls"}, "pooling"),
    ("generation", "lora", {"max_new_tokens": 0}, "max_new_tokens"),
    ("generation", "lora", {"virtual_tokens": 8}, "virtual_tokens"),
    ("generation", "lora", {"max_tokens": 500}, "max_tokens"),
]
NAMED = {  # what the sentence of a refusal names, where a setting could be refused for another reason too
    ("spans", "pooling"): "mean",
    ("preference", "class_weights"): "labels",
    ("preference", "operating_point"): "ranking",
    ("generation", "label_smoothing"): "labels",
    ("generation", "class_weights"): "labels",
    ("generation", "pooling"): "labels",
}
CARD, NONE, SPAN = '["card"]', "[]", '[[0, 4, "thing"]]'
UNLEARNABLE = [  # type, cells of training rows and of all others
    ("multi_label", (NONE, NONE), CARD, "no training row has card"),
    ("multi_label", (CARD, CARD), NONE, "every training row has card"),
    ("multi_label", (CARD, NONE), '["card", "refund"]', "no training row has refund"),
    ("spans", (SPAN, SPAN), '[[0, 4, "wish"]]', "wish"),
]


def test_the_engine_trains_every_type_that_a_dataset_may_have():
    assert {type_of(key).learns_as or key for key in TYPES} == {*LEARNED}
    assert all(type_of(key).learns_as or key in LEARNED for key in TYPES)


def test_the_spec_has_the_type_and_its_labels_and_every_row_is_written_for_the_engine(
    task, measured, tmp_path
):
    run, snapshot = measured.run, measured.snapshot

    assert (run.spec["task"], run.spec["labels"]) == (trained_task(snapshot), LABELS.get(task, []))
    assert (run.task_type.writes_text, run.task_type.has_responses) == (
        task in ("generation", "chat"),
        task in ("preference", "ranking"),
    )
    for split, rows in snapshot.counts["splits"].items():
        assert (
            snapshots.write_split(snapshot, split, tmp_path / split)
            == len((tmp_path / split).read_text().splitlines())
            == rows
        )


def test_programs_launch_it(task, measured, client_for, mia):
    sent = {
        "dataset_version": str(measured.snapshot.uuid),
        "base": str(measured.run.base.uuid),
        "strategy": "lora",
    }

    answer = client_for(mia).post("/api/v1/runs/", sent, content_type="application/json")

    assert (answer.status_code, answer.json()["spec"]["task"]) == (201, trained_task(measured.snapshot))


def test_the_form_offers_what_fits(task, measured, project, client_for, mia):
    base, other = measured.run.base, (make_base if type_of(task).writes_text else make_decoder)(project, mia)

    page = client_for(mia).get(f"/runs/launch/?dataset_version={measured.snapshot.uuid}")

    shown = page.context
    assert (page.status_code, shown["snapshot"], shown["base"], other in shown["bases"]) == (
        200,
        measured.snapshot,
        base,
        False,
    )
    assert sorted(each.value for each in shown["strategies"]) == sorted(STRATEGIES.get(task, ENCODERS))
    content, offered = page.content.decode(), {*shown["suggestion"].choices}
    assert all(
        (f'name="{name}"' in content) is (name in offered)
        for name in (*OF_LABELS, "pooling", "max_new_tokens", "rank")
    )
    assert bool(offered & {*OF_LABELS}) is type_of(task).has_labels
    assert ("max_new_tokens" in offered) is type_of(task).writes_text
    assert ("pooling" in offered) is (task not in ("spans", "generation", "chat"))


def test_a_run_is_listed_and_shown_by_its_own_metrics(task, measured, client_for, mia):
    metrics, client = measures_of(task).metrics, client_for(mia)

    page, listed, scored = (
        client.get(url) for url in (f"/runs/{measured.run.uuid}/", "/runs/", "/evaluations/")
    )

    assert [each.status_code for each in (page, listed, scored)] == [200] * 3
    assert metrics.trained.title in page.content.decode()
    assert (
        decimals(measured.run.metrics[metrics.listed.name], metrics.listed.digits) in listed.content.decode()
    )
    (line,) = (each for each in scored.context["lines"] if each["row"].uuid == measured.uuid)
    assert (line["score"]["key"], line["score"]["value"]) == (
        metrics.leading.name,
        measured.report[metrics.leading.name],
    )


@pytest.mark.parametrize("task", TRAINED)
def test_a_base_of_the_other_kind_is_refused(task, measured, project, mia):
    other = (make_base if type_of(task).writes_text else make_decoder)(project, mia)

    with refused("base"):
        actions.launch(snapshot=measured.snapshot, base=other, strategy="lora", actor=mia)


@pytest.mark.parametrize(("task", "strategy", "options", "field"), REFUSED)
def test_what_has_no_meaning_is_refused_by_its_field(task, strategy, options, field, measured, mia):
    with refused(field, match=NAMED.get((task, field), "")):
        actions.launch(
            snapshot=measured.snapshot, base=measured.run.base, strategy=strategy, actor=mia, options=options
        )


@pytest.mark.parametrize(("task", "train", "rest", "named"), UNLEARNABLE)
def test_what_could_not_be_learned_is_refused_by_its_label(task, train, rest, named, project, mia):
    dataset = make_dataset(project, mia, task=task)
    rows = [(f"text {at}", train[at % 2], "train") for at in range(8)]
    rows += [(f"{split} {at}", rest, split) for split in ("validation", "test") for at in range(3)]
    import_texts(dataset, rows, mia, header=("text", "spans" if task == "spans" else "label", "split"))
    snapshot, base = freeze(dataset, mia), make_base(project, mia)

    with refused("dataset_version", match=named):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)


@pytest.mark.parametrize("task", ["preference", "ranking"])
def test_without_validation_rows_it_is_refused(measured, mia):
    snapshot = measured.snapshot
    snapshot.counts["splits"]["validation"] = 0

    with refused("dataset_version", match="validation"):
        actions.launch(snapshot=snapshot, base=measured.run.base, strategy="lora", actor=mia)


# ── The way from labels to pre-labels ───────────────────────────────────────
BASELINES = {
    "single_label": {"majority", "tfidf_logreg", "frozen_base_logreg"},
    "multi_label": {"majority", "tfidf_logreg", "frozen_base_logreg"},
    "spans": {"majority", "dictionary", "frozen_base_logreg"},
    "preference": {"first", "longer", "tfidf_logreg", "frozen_base_logreg"},
    "ranking": {"first", "longer", "tfidf_logreg", "frozen_base_logreg"},
    "generation": {"prompted_base", "nearest", "frequent"},
    "chat": {"prompted_base", "nearest", "frequent"},
}
EPOCHS = {"multi_label": 25, "preference": 20, "ranking": 10, "generation": 15, "chat": 15}
MORE = {"multi_label": {"copies": 6}, "spans": {"copies": 6}, "preference": {"rows": 60}}
BEATEN = {"multi_label": ("macro_f1", "majority"), "spans": ("micro_f1", "majority")}
SUGGESTED = {  # to texts, in words
    "single_label": {
        "my card is lost 7": "card",
        "password reset 7": "login",
        "money back please 7": "refund",
    },
    "multi_label": {
        "my card is lost money back 9": {"card", "refund"},
        "password reset 9": {"login"},
        "good day to you 9": set(),
    },
    "spans": {"card lost money back please": {("card", "thing"), ("money back", "wish")}},
}


@pytest.mark.engine
@pytest.mark.django_db
@pytest.mark.parametrize("task", TRAINED)
def test_labels_become_a_run_its_evaluation_and_pre_labels(
    task, project, mia, tmp_path, warm_engine, client_for
):
    snapshot, kind = EXAMPLES[task].snapshot(project, mia, **MORE.get(task, {})), type_of(task)
    options = {
        "epochs": EPOCHS.get(task, 12),
        "batch_size": 8,
        "precision": "fp32",
        "patience": 0,
        "threads": 1,
    }
    if kind.writes_text:
        base, own = make_decoder(project, mia, tmp_path), {"learning_rate": 2e-2, "max_new_tokens": 12}
    else:
        base, own = make_real_base(project, mia), {"learning_rate": 5e-3, "head_learning_rate": 0.03}

    run = actions.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=options | own)
    jobs = run_ok("training", "evaluation")

    run.refresh_from_db()
    metrics = measures_of(task).metrics
    assert [job.kind for job in jobs] == ["training.train", "evaluation.evaluate"]
    assert (run.state, run.error, run.result["best_by"]) == (Run.State.SUCCEEDED, None, metrics.trained.name)
    assert run.step == run.total_steps > 0
    points = run.points.filter(name=metrics.trained.name)
    best = (min if metrics.trained.lower_is_better else max)(points.values_list("value", flat=True))
    assert run.best_step in points.filter(value=best).values_list("step", flat=True)
    assert run.metrics[metrics.trained.name] == pytest.approx(best, rel=1e-4)
    assert {metrics.trained.name, *metrics.watched} <= {*run.metrics}
    test = evaluations.latest_evaluation(run, "test")
    assert {each.split for each in evaluations.of_run(run)} == {"validation", "test"}
    assert test.report.get("task", "single_label") == trained_task(snapshot)
    assert len(evaluations.rows_of(test).ids) == test.rows == snapshot.counts["splits"]["test"]
    assert {*test.report["baselines"]} == BASELINES.get(task, {*measures_of(task).baselines})
    if kind.writes_text:
        assert test.report["perplexity"] < test.report["baselines"]["prompted_base"]["perplexity"]
        assert (run.samples.filter(step=run.step).count(), {*run.metrics}) == (
            4,
            {"validation_loss", "perplexity"},
        )
        with_context = sum("context" in row for row in snapshots.learned_rows(snapshot, "test"))
        assert (test.report["with_context"], test.report["dialogues"]) == (
            with_context,
            test.rows if task == "chat" else 0,
        )
    elif task == "preference":
        assert test.report["pair_accuracy"] > 0.7
    elif task in BEATEN:
        score, baseline = BEATEN[task]
        assert test.report[score] > test.report["baselines"][baseline][score]
    assert "lifecycle.json" in (files := {file["name"] for file in run.artifact.files})
    assert ("serving/model.onnx" in files) is (not kind.writes_text)
    verbs = Event.objects.filter(object_id=str(run.uuid)).order_by("seq").values_list("verb", flat=True)
    assert (list(verbs), Event.objects.filter(verb="evaluation.recorded").count()) == (
        ["training.launched", "training.ended"],
        2,
    )
    assert not Job.objects.exclude(state="succeeded").exists()
    kept = {path.name for path in (Path(settings.DATA_DIR) / "runs" / str(run.uuid)).iterdir()}
    assert (kept, list((Path(settings.DATA_DIR) / "scratch").iterdir())) == (
        {"spec.json", "events.jsonl", "result.json"},
        [],
    )
    pages = [
        f"/runs/{run.uuid}/",
        *(f"/evaluations/{test.uuid}/{path}" for path in ("", "slices/?column=fact:file", "robustness/")),
    ]
    assert {client_for(mia).get(page).status_code for page in pages} == {200}
    if kind.prelabels:
        prelabel(snapshot.dataset, run, SUGGESTED.get(task, {}), mia)


def prelabel(dataset, run, wanted, mia):
    add_items(dataset, mia, list(wanted))
    queue = make_queue(dataset, mia)

    evaluation.suggest(
        dataset=dataset, model=suggesters.get_model(mia, "run", run.uuid), actor=mia, queue=queue
    )
    run_ok("default")

    names, found = names_in(latest_schema(dataset)), {}
    for row in (
        Suggestion.objects.filter(source="run", item__text__in=wanted)
        .select_related("item", "label")
        .order_by("-score", "id")
    ):
        assert 0 < row.score <= 1
        if row.label and dataset.task_type.one_label:
            found.setdefault(row.item.text, row.label.name)
        elif row.label:
            found.setdefault(row.item.text, set()).add(row.label.name)
        else:
            assert row.score == min(each["score"] for each in row.value["spans"])
            found[row.item.text] = {
                (row.item.text[each["start"] : each["end"]], names[each["label"]])
                for each in row.value["spans"]
            }
    if dataset.task == "spans":
        assert all(found[text] >= spans for text, spans in wanted.items())
    else:
        assert {text: found.get(text, set()) for text in wanted} == wanted
