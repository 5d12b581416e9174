"""Resuming a paused run whose folder another machine trained imports the result with its curves and trains
nothing.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from lifecycle.modeling.training import actions, manifest, tasks
from tests.support.jobs import run_ok
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base, make_run, make_snapshot

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def test_the_result_of_another_machine_is_imported(project, mia, tmp_path, monkeypatch):
    base = make_base(project, mia, folder=make_tiny_base(tmp_path / "tiny"))
    options = {"epochs": 2, "batch_size": 8, "precision": "fp32", "patience": 0, "threads": 1}
    run = make_run(make_snapshot(project, mia), mia, succeeded=False, strategy="full", base=base, **options)
    actions.pause(run_id=run.uuid, actor=mia)
    call_command("lay_out_run", str(run.uuid), verbosity=0)
    place = manifest.Place("image", "claim", settings.DATA_DIR)
    job = manifest.job(
        place, uuid=str(run.uuid), base_digest=base.folder.root_digest, threads=1, peak_mb=None
    )
    command = job["spec"]["template"]["spec"]["containers"][0]["command"]
    folder = settings.DATA_DIR / "runs" / str(run.uuid)

    subprocess.run([sys.executable, *command[1:-1], str(folder)], check=True, cwd=Path(__file__).parents[4])
    actions.resume(run_id=run.uuid, actor=mia)
    monkeypatch.setattr(tasks, "run_child", None)  # no training on this machine
    run_ok("training")

    run.refresh_from_db()
    assert (run.state, run.step) == ("succeeded", run.total_steps)
    assert run.points.filter(name="train_loss").exists()
    assert {each["name"] for each in run.artifact.files} >= {"head.safetensors", "model.safetensors"}
    assert not (folder / "train.jsonl").exists()
