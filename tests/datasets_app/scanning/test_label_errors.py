"""Scanning for label errors: the real program in its own process, on texts with obvious labels."""

from __future__ import annotations

import json
from unittest.mock import patch

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from django.urls import reverse

from datasets_app.assist import embeddings
from datasets_app.queues.actions.managing import close_queue
from datasets_app.queues.models import Decision
from datasets_app.scanning import actions, guessing
from datasets_app.scanning.actions import label_errors
from datasets_app.scanning.models import Finding, Scan, Tally
from lifecycle.ground.compute import warm
from lifecycle.ground.compute.child import read_result
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from tests.support.datasets import import_texts, make_dataset
from tests.support.jobs import run_jobs, run_ok
from tests.support.scanning import scan
from tests.support.training import write_base
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
WORDS = {"card": "card payment terminal", "cash": "cash machine notes", "transfer": "transfer abroad account"}
ROWS = [(f"{words} question {n} about {words}", label) for label, words in WORDS.items() for n in range(12)]
WRONG = ("card payment terminal question again about card payment terminal", "cash")


@pytest.fixture(autouse=True)
def _without_encoder():
    with patch.object(embeddings, "bundled_minilm", lambda: None):
        yield


@pytest.fixture
def dataset(project, ana):
    dataset = make_dataset(project, ana)
    import_texts(dataset, [*ROWS, WRONG, ("only one of its kind", "rare")], ana)
    return dataset


@pytest.fixture
def before(dataset) -> list[str]:
    """The digests of the decisions before any scan."""
    return list(Decision.objects.values_list("digest", flat=True))


@pytest.fixture
def scanned(dataset, before, ravi) -> Scan:
    """A scan by the program in its own process."""
    with patch.object(embeddings, "bundled_minilm", lambda: None):
        return scan(dataset, ravi, "label_errors")


@pytest.fixture
def _here(monkeypatch):
    """Run the program in this process: starting another with scikit-learn takes seconds."""

    def run_here(ctx, verb, folder, on_events, **_):
        return read_result(folder, guessing.main([verb, str(folder)]))

    monkeypatch.setattr(guessing, "leave_with_parent", lambda: None)
    monkeypatch.setattr(label_errors, "run_child", run_here)


def test_an_injected_error_is_found_with_the_right_label_and_no_label_changes(scanned, before):
    made = scanned
    found = Finding.objects.get()

    assert (found.item.text, found.given_label.name, found.predicted_label.name) == (WRONG[0], "cash", "card")
    assert (found.kind, found.status, found.group) == ("label_error", "open", None)
    assert 0.5 < found.score < 1
    assert made.report == {
        "encoder": "",
        "rows": 37,
        "left_out_rows": 1,
        "left_out": ["rare"],
        "agreement": 36 / 37,
        "folds": 5,
        "new": 1,
        "again": 0,
        "gone": 0,
    }
    assert list(Decision.objects.values_list("digest", flat=True)) == before
    assert Tally.objects.get().open == 1


def test_labels_are_hidden_from_an_annotator_whom_a_queue_asks_about_the_item(
    scanned, dataset, ana, ravi, mia, client_for
):
    found = Finding.objects.get()
    parts = [reverse("scanning:item", args=[found.item.uuid]), reverse("scanning:finding", args=[found.uuid])]
    parts.append(reverse("scanning:dataset", args=[dataset.uuid]) + "?kind=label_error")
    one, many = (
        f"/api/v1/data-issues/{found.uuid}/",
        f"/api/v1/datasets/{dataset.uuid}/data-issues/?kind=label_error",
    )

    def shown(user) -> tuple[list[bool], list[tuple[str | None, str | None]]]:
        client = client_for(user)
        pages = [
            client.get(part, HTTP_HX_REQUEST="true").content.replace(WRONG[0].encode(), b"") for part in parts
        ]
        rows = [client.get(one).json(), *client.get(many).json()["results"]]
        return [b"cash" in page or b"card" in page for page in pages], [
            (row["given_label"], row["predicted_label"]) for row in rows
        ]

    open_to_all = ([True] * 3, [("cash", "card")] * 2)
    assert [shown(user) for user in (ana, ravi, mia)] == [open_to_all] * 3
    queue = actions.send(dataset_id=dataset.uuid, kind="label_error", actor=ravi, name="Errors")
    run_ok("default")
    assert [shown(user) for user in (ana, ravi, mia)] == [
        ([False] * 3, [(None, None)] * 2),
        open_to_all,
        open_to_all,
    ]
    close_queue(queue_id=queue.uuid, actor=mia)
    assert shown(ana) == open_to_all


@pytest.mark.usefixtures("_here")
def test_a_second_scan_keeps_the_status(scanned, dataset, ravi):
    first = Finding.objects.get()
    actions.dismiss(finding_id=first.uuid, actor=ravi, reason="It is about cash.")
    again = scan(dataset, ravi, "label_errors")
    found = Finding.objects.get()

    assert (again.report["new"], again.report["again"], again.report["gone"]) == (0, 1, 0)
    assert (found.pk, found.status, found.reason, found.score) == (
        first.pk,
        "dismissed",
        "It is about cash.",
        first.score,
    )


@pytest.mark.usefixtures("_here")
def test_a_dataset_with_one_label_is_refused_by_the_job(project, ana, ravi):
    dataset = make_dataset(project, ana)
    import_texts(dataset, ROWS[:12], ana)
    actions.scan(dataset=dataset, kind="label_errors", actor=ravi)
    run_jobs("scans")
    job = Job.objects.get(kind="scanning.label_errors")

    assert job.error == "Fewer than two labels have 5 or more different texts, so labels can't be compared."
    assert (Scan.objects.get().state, Finding.objects.count()) == ("failed", 0)


@pytest.mark.postgres
def test_a_cancelled_scan_ends_its_program_and_writes_nothing(dataset, ravi, monkeypatch):
    job = actions.scan(dataset=dataset, kind="label_errors", actor=ravi)
    real = label_errors.write_rows

    def cancel_before_the_program(*given):
        classes = real(*given)
        jobs.cancel(job.uuid, ravi)
        return classes

    monkeypatch.setattr(label_errors, "write_rows", cancel_before_the_program)
    run_jobs("scans")

    assert (Job.objects.get(pk=job.pk).state, Scan.objects.get().state) == ("cancelled", "cancelled")
    assert (Finding.objects.count(), Tally.objects.get().open) == (0, 0)


@pytest.mark.usefixtures("_here")
def test_embeddings_are_used_if_an_encoder_is_installed(dataset, ravi, monkeypatch, tmp_path):
    folder = write_base(tmp_path / "base")
    asked: list[str] = []

    def embed_base(base, texts, **_):
        asked.extend(texts)
        return [[float(word in text) for word in WORDS] + [0.1] * 5 for text in texts]

    monkeypatch.setattr(embeddings, "bundled_minilm", lambda: folder)
    monkeypatch.setattr(warm, "embed_base", embed_base)
    made = scan(dataset, ravi, "label_errors")

    found = Finding.objects.get()
    assert (made.report["encoder"], made.report["agreement"]) == ("all-MiniLM-L6-v2", 36 / 37)
    assert (found.item.text, found.given_label.name, found.predicted_label.name) == (WRONG[0], "cash", "card")
    assert sorted(asked) == sorted([text for text, _ in ROWS] + [WRONG[0], "only one of its kind"])
    assert scan(dataset, ravi, "label_errors").report["again"] == 1
    assert len(asked) == 38  # each text is read once


def test_scores_are_calibrated_probabilities_of_wrong_labels():
    """Labels drawn from known probabilities of an overconfident model, one in ten of them uniformly
    random.
    """
    random = np.random.default_rng(5)
    classes, count = 8, 8_000
    true = random.dirichlet(np.full(classes, 0.15), count)
    clean = (true.cumsum(1) > random.random((count, 1))).argmax(1)
    noisy = random.random(count) < 0.1
    given = np.where(noisy, random.integers(0, classes, count), clean).astype(np.int32)
    sure = guessing.tempered(true.astype(np.float32), 0.5)

    noise = guessing.fit_noise(given, guessing.Rows(sure, np.arange(count)), 13)

    assert abs(noise.temperature - 2) < 0.2
    assert abs(noise.rate - 0.1) < 0.02
    assert abs(noise.wrong - (given != clean).mean()) < 0.02
    mine = guessing.tempered(sure, noise.temperature)[np.arange(count), given]
    doubts = np.array([guessing.doubt(float(each), noise.rate, classes) for each in mine])
    for low, high in ((0.0, 0.2), (0.2, 0.6), (0.6, 0.9), (0.9, 1.0)):
        here = (doubts >= low) & (doubts < high)
        assert abs(doubts[here].mean() - (given != clean)[here].mean()) < 0.1, (low, high)


def test_a_scan_for_label_errors_requires_labels(project, ana, ravi):
    dataset = make_dataset(project, ana)
    import_texts(dataset, ["one", "two"], ana)
    with refused():
        actions.scan(dataset=dataset, kind="label_errors", actor=ravi)

    assert not Scan.objects.exists()
    assert not Job.objects.filter(kind="scanning.label_errors").exists()


def test_judging_in_batches_matches_cleanlab_on_all_rows():
    random = np.random.default_rng(3)
    given = random.integers(0, 4, 2_500).astype(np.int32)
    matrix = random.dirichlet(np.ones(4), 2_500).astype(np.float32)
    matrix[np.arange(2_500), (given + (random.random(2_500) < 0.1)) % 4] += 2
    matrix /= matrix.sum(1, keepdims=True)
    expected = find_label_issues(
        given, matrix, filter_by="low_self_confidence", return_indices_ranked_by="self_confidence", n_jobs=1
    ).tolist()
    found = guessing.judge(given, guessing.Rows(matrix, np.arange(2_500)))

    assert [at for at, _, _ in found] == [at for at in expected if matrix[at].argmax() != given[at]]
    assert 150 < len(found) < 350


def test_duplicates_are_in_one_fold_and_rare_labels_in_none(tmp_path):
    rows = [
        {"form": f"{label} {n % 6}", "label": label, "text": "", "item": 0}
        for label in (0, 1)
        for n in range(12)
    ]
    rows += [{"form": f"rare {n}", "label": 2, "text": "", "item": 0} for n in range(4)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = guessing.divide(tmp_path, 5, 13)

    assert (found.kept, found.left_out) == ([0, 1], [2])
    assert found.fold[:6].tolist() == found.fold[6:12].tolist()
    assert set(found.fold[:24].tolist()) == {0, 1, 2, 3, 4}
    assert found.fold[24:].tolist() == [-1] * 4


def test_a_fold_trains_on_a_share_of_every_label(monkeypatch):
    monkeypatch.setattr(guessing, "TRAIN_LIMIT", 100)
    given = np.array([0] * 990 + [1] * 10, dtype=np.int32)
    chosen = guessing.sample(np.arange(1_000), given, 13)

    assert len(chosen) in (100, 101, 102)
    assert set(given[chosen].tolist()) == {0, 1}
    assert sorted(set(chosen.tolist())) == chosen.tolist()
