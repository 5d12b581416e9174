"""The Python samples of docs/serving.md, run as published against a real server and tiny models."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

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
