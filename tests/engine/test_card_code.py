"""The code of a card runs the graph that was measured and serves, and gives its probabilities."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from dataclasses import asdict

import pytest

from lifecycle.runtime.engine.artifact import SERVING, ArtifactInfo
from lifecycle.runtime.engine.predictor import Predictor
from registry.catalog import card
from tests.engine.inbox import ROWS

pytestmark = pytest.mark.engine
TEXT = "Where is my card?"


@pytest.fixture
def artifact(run_folder, once):
    """Of a run whose int8 graph passed its gate."""
    # a contradiction, so that no probability is 1
    folder = run_folder(validation=[*ROWS, (ROWS[0][0], "refund")] * 12)
    assert once(folder)["int8"]["passed"] is True
    (folder / "artifact").rename(folder / "model")
    return folder / "model"


def output_of(code, artifact, monkeypatch):
    """What the code prints in a folder that contains `model/`: the label, and its probability."""
    monkeypatch.chdir(artifact.parent)
    output = io.StringIO()
    with redirect_stdout(output):
        exec(code, {})
    label, probability = output.getvalue().split()
    return label, float(probability)


def test_the_cards_code_gives_the_probability_of_the_graph_that_was_measured(artifact, monkeypatch):
    info = ArtifactInfo.read(artifact)
    facts = {"spec": {"task": "single_label"}, "strategy": "full", "int8": asdict(info.int8)}
    code = re.search(r"```python\n(.*)```", card.loading(facts), re.DOTALL)[1]

    label, probability = output_of(code, artifact, monkeypatch)

    measured = Predictor(artifact).probabilities([TEXT])[0]
    other = Predictor(artifact, graph=artifact / SERVING).probabilities([TEXT])[0]
    assert (label, probability) == (info.labels[measured.argmax()], pytest.approx(measured.max(), abs=1e-6))
    assert abs(probability - other.max()) > 1e-5


def test_the_cards_code_of_a_version_that_fp32_serves_runs_what_lifecycle_json_names():
    facts = {
        "spec": {"task": "single_label"},
        "strategy": "full",
        "int8": {"passed": False, "reason": "Too few rows."},
    }

    assert 'folder / about["serving"])' in card.loading(facts)
