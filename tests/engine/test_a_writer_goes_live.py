"""A version that writes text is approved by the standard policy, is deployed, and answers a chat; its wrong
answer goes to labeling.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.conf import settings
from starlette.testclient import TestClient

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from monitoring.traffic import actions as traffic
from monitoring.traffic import queries
from monitoring.traffic.models import Prediction
from registry.catalog import actions as catalog
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import actions
from tests.inference.conftest import follow
from tests.inference.models import auth
from tests.support import endpoints, generation, registry
from tests.support.jobs import run_ok
from tests.support.writers import make_writer

pytestmark = pytest.mark.engine


@pytest.fixture
def live(project, tmp_path, monkeypatch, mia, ravi, lee, gita, omar):
    """An endpoint with a LoRA version over a tiny decoder, deployed with approval."""
    base = generation.make_decoder(project, mia, tmp_path / "bases")

    def artifact(folder: Path, run, seed):
        made = make_writer(tmp_path / "made", tmp_path / "bases" / "tiny-decoder", "lora", seed)
        assert ArtifactInfo.read(made).base_digest == run.base.facts["engine_digest"]
        return Path(shutil.move(made, folder))

    monkeypatch.setattr(generation, "write_artifact", artifact)
    run = generation.make_generation_run(
        generation.generation_snapshot(project, mia, copies=30), mia, base, splits=("test",)
    )
    model = registry.make_model(project, mia)
    catalog.register(model=model, run=run, semver="1.0.0", actor=mia, stated=registry.STATED)
    run_ok("default")
    endpoint = registry.make_endpoint(model, mia, slug="writer-prod")
    Endpoint.objects.filter(pk=endpoint.pk).update(keep_text=True)
    endpoints.deploy(project, Endpoint.objects.get(pk=endpoint.pk), ModelVersion.objects.get())
    return Endpoint.objects.get(pk=endpoint.pk)


def test_it_goes_live_and_answers(live, mia, omar, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        _, token = actions.create_token(endpoint_id=live.uuid, name="test", days=1, actor=omar)
    server = Server(Config(data_dir=Path(settings.DATA_DIR)))
    server.router.start = lambda: None
    follow(server)
    body = {"model": live.full_name, "messages": [{"role": "user", "content": "where is my order"}]}
    with TestClient(server.application()) as client:
        response = client.post("/v1/chat/completions", json=body, headers=auth(token))
    assert response.status_code == 200, response.text

    traffic.ingest()

    kept = Prediction.objects.get()
    assert str(kept.uuid) == response.headers["x-prediction-id"]
    assert kept.value == {"text": response.json()["choices"][0]["message"]["content"]}
    assert (kept.text, kept.version.semver, kept.deployment.arm) == ("where is my order", "1.0.0", "stable")
    traffic.record_feedback(prediction_id=kept.uuid, right=False, value={"text": "look at orders"}, actor=mia)
    wrong = queries.reported_wrong(live, kept.at, kept.at.replace(year=kept.at.year + 1), 9, kept.version)
    assert [each.text for each in wrong] == ["where is my order"]
