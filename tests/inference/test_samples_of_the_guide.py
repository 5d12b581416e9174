"""The samples of docs/serving.md and of the pages of endpoints, run as published against a real server and
tiny models.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import httpx
import pytest

from lifecycle.runtime.task_types.by_key.served import served_of
from tests.inference.models import TOKEN, endpoint
from tests.inference.test_real_process import Process
from tests.support.tiny_decoders import make_lively_decoder
from tests.support.writers import serve_writer

pytestmark = pytest.mark.engine
GUIDE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"^```python\n(.+?)^```", GUIDE, re.MULTILINE | re.DOTALL)
VERSIONS = {
    "support-inbox-prod": {},
    "topics-prod": {"task": "multi_label", "thresholds": [0.6] * 3},
    "entities-prod": {"task": "spans"},
    "answers-prod": {"task": "ranking", "labels": []},
    "preferences-prod": {"task": "preference", "labels": []},
}


@pytest.fixture
def port(installation, tmp_path):
    roots = {slug: installation.artifact(**card) for slug, card in VERSIONS.items()}
    base = make_lively_decoder(tmp_path / "base")
    roots["writer-prod"] = serve_writer(installation, base, "lora")
    installation.publish(**{f"support-inbox/{slug}": endpoint(root) for slug, root in roots.items()})
    server = Process(installation)
    yield server.port
    server.end()


def test_every_sample_runs_and_prints_predictions(port):
    space, printed = {"token": TOKEN}, []
    for sample in SAMPLES:
        output = StringIO()
        with redirect_stdout(output):
            exec(sample.replace("127.0.0.1:8001", f"127.0.0.1:{port}"), space)
        printed.append(output.getvalue().split("\n")[:-1])

    assert {slug for slug in VERSIONS if f"support-inbox/{slug}" in "".join(SAMPLES)} == {*VERSIONS}
    single, topics, entities, answers, preferences, written = printed
    assert "b'card'" in single[0]
    assert [line.split("]")[0] for line in topics] == ["['card'", "["]
    assert entities == ["I lost card", "card card"]
    assert [line.split()[0] for line in answers] == ["2", "1"]
    assert len(preferences) == 1
    assert len(written) == 1
    assert 1 < len(written[0].split()) <= 60


def test_the_programs_of_the_endpoints_pages_run(port):
    tasks = {slug: card.get("task", "single_label") for slug, card in VERSIONS.items()}
    for slug, task in (tasks | {"writer-prod": "generation"}).items():
        samples = served_of(task).samples(f"http://127.0.0.1:{port}", f"support-inbox/{slug}")
        shell, python = (sample.code for sample in samples)
        environment = os.environ | {"TOKEN": TOKEN}

        answered = subprocess.run(["bash", "-c", shell], env=environment, capture_output=True, check=True)
        printed = StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
            patch.setenv("TOKEN", TOKEN)
            exec(python, {})

        body = json.loads(answered.stdout)
        assert body["model_name" if task != "generation" else "model"] == f"support-inbox/{slug}"
        heads = [line.split()[0] for line in printed.getvalue().splitlines() if line.strip()]
        assert heads
        assert {each["name"] for each in body.get("outputs", [])} <= {*heads}


def test_what_a_server_answers_has_the_form_of_its_task(port):
    shown = {}
    for slug, card in (VERSIONS | {"writer-prod": {"task": "generation"}}).items():
        served = served_of(card.get("task", "single_label"))
        body = httpx.post(
            f"http://127.0.0.1:{port}/v2/models/support-inbox/{slug}/infer",
            json=served.request(served.sample),
            headers={"Authorization": f"Bearer {TOKEN}"},
        ).json()
        shown[slug] = served.shown(served.sample, {each["name"]: each for each in body["outputs"]})

    assert all(each.tensors == () for each in shown.values())
    assert shown["support-inbox-prod"].scores[0].predicted
    assert (
        "".join(piece.text for piece in shown["entities-prod"].pieces) == served_of("spans").sample["TEXT"][0]
    )
    assert {each.text for each in shown["answers-prod"].ranked} == {
        *served_of("ranking").sample["CANDIDATES"]
    }
    assert shown["preferences-prod"].summary != ""
    assert shown["writer-prod"].response
