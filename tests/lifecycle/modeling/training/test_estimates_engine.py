"""Dry runs with the real engine and a tiny model: ten steps in a child, then the estimated run."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from lifecycle.modeling.training import actions, estimate_page
from tests.support.generation import generation_snapshot, make_decoder
from tests.support.jobs import run_jobs, run_ok
from tests.support.spans import spans_snapshot
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base, make_snapshot

pytestmark = pytest.mark.engine


def test_a_dry_run_is_measured_and_compared_with_its_run(project, mia, tmp_path):
    snapshot, base = (
        make_snapshot(project, mia),
        make_base(project, mia, folder=make_tiny_base(tmp_path / "tiny")),
    )
    options = {"epochs": 5, "batch_size": 4, "precision": "fp32", "patience": 0}
    tried = actions.estimate(snapshot=snapshot, base=base, strategy="full", actor=mia, options=options)

    run_ok("training")

    tried.refresh_from_db()
    train = snapshot.counts["splits"]["train"]
    assert (tried.profile["steps"], tried.profile["rows"]["train"]) == (10, min(train, 40))
    assert tried.figures["steps"] == -(-train // 4) * 5
    assert tried.figures["shortest"] <= tried.figures["seconds"] <= tried.figures["longest"]
    assert not list((Path(settings.DATA_DIR) / "scratch").iterdir())
    run = actions.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=options)
    run_jobs("training")
    run.refresh_from_db()
    lines = {each["label"]: each for each in estimate_page.beside(run)["lines"]}
    assert run.total_steps == tried.figures["steps"]
    assert "Not measured" not in {each["real"] for each in lines.values()}
    assert abs(run.artifact.size / tried.figures["artifact_bytes"] - 1) < 0.05


def test_dry_runs_of_spans_and_generation_are_measured(project, mia, tmp_path):
    options = {"epochs": 1, "batch_size": 2, "precision": "fp32", "patience": 0}
    encoder = make_base(project, mia, folder=make_tiny_base(tmp_path / "tiny"))
    kinds = [
        (spans_snapshot(project, mia), encoder, "lora"),
        (generation_snapshot(project, mia), make_decoder(project, mia, tmp_path), "prefix"),
    ]
    tried = [
        actions.estimate(snapshot=snapshot, base=base, strategy=name, actor=mia, options=options)
        for snapshot, base, name in kinds
    ]

    run_ok("training")

    for one in tried:
        one.refresh_from_db()
        assert (one.error, one.profile["steps"]) == (None, 10)
        assert one.figures["artifact_bytes"] > 0
    marked, written = tried
    assert marked.profile["sampling_seconds"] == 0
    # reported in milliseconds
    assert 0 < written.profile["sampling_seconds"] <= written.profile["evaluation_seconds"] + 0.002
    labels = [each["label"] for each in estimate_page.detail(mia, written.uuid)["parts"]]
    assert "Saving the artifact and measuring its validation loss" in labels
