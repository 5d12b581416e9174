import os
import signal
import stat
import subprocess

import pytest

from lifecycle.runtime.engine import warm_client
from lifecycle.runtime.engine.predictor import Predictor
from tests.support.faults import fault

pytestmark = pytest.mark.engine


@pytest.fixture
def socket_path(tmp_path_factory):
    """A short path for a warm engine that is ended with the test."""
    folder = tmp_path_factory.mktemp("w")
    yield folder / "s"
    lock = folder / "s.lock"
    if lock.exists():
        found = subprocess.run(
            ["pgrep", "-f", f"warm {folder / 's'}"], capture_output=True, text=True
        ).stdout.split()
        for each in found:
            os.kill(int(each), signal.SIGTERM)


def test_the_warm_engine_starts_by_itself_and_answers_like_the_artifact(
    cold, run_folder, train_here, socket_path
):
    folder = run_folder(epochs=15)
    train_here(folder)
    texts = ["my card is lost", "refund my order"]

    answers = warm_client.predict(socket_path, folder / "artifact", texts)
    vectors = warm_client.embed(socket_path, folder / "artifact", texts)

    predictor = Predictor(folder / "artifact")
    assert [each["label"] for each in answers["answers"]] == ["card", "refund"]
    assert answers["answers"][0]["probabilities"] == pytest.approx(
        predictor.probabilities(texts)[0].tolist(), abs=1e-6
    )
    assert answers["answers"][0]["tokens"] == 6
    assert vectors[1] == pytest.approx(predictor.answer(texts).embeddings[1].tolist(), abs=1e-5)
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
    with fault("bad_spec", "nothing"):
        warm_client.predict(socket_path, folder / "nothing", texts)
    with fault("bad_spec", "'train'"):
        warm_client.call(socket_path, "train", {})
    assert warm_client.predict(socket_path, folder / "artifact", [])["answers"] == []


def test_a_socket_path_that_is_too_long_is_refused_with_a_sentence(tmp_path):
    with fault("crashed", "100"):
        warm_client.probe(tmp_path / ("x" * 120))
