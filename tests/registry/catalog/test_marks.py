"""A version that marks parts of texts: registered, measured, and not served yet."""

from __future__ import annotations

import pytest

from lifecycle.refusals import Refused
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from registry.endpoints import actions as endpoints
from registry.endpoints.models import Deployment
from registry.promotions import actions as promotions
from registry.promotions.models import PromotionRequest
from tests.support.jobs import run_ok
from tests.support.marks import marked_snapshot
from tests.support.registry import STATED, make_endpoint, make_model
from tests.support.training import make_run


@pytest.fixture
def version(project, mia) -> ModelVersion:
    model = make_model(project, mia)
    catalog.register(model=model, run=make_run(marked_snapshot(project, mia), mia), semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")
    return ModelVersion.objects.get(model=model)


def test_it_is_registered_with_its_own_scores_and_loading_code(version, client_for, mia):
    text = version.cards.get().text
    assert "pipeline_tag: token-classification" in text
    assert "| Micro-F1 |" in text
    assert "| Task | marked parts of texts, each with a class; a span is right where place and class are |" in text
    assert "| Baseline | Micro-F1 | Macro-F1 |" in text

    page = client_for(mia).get(f"/models/versions/{version.uuid}/").content.decode()

    assert "This version marks parts of texts." in page
    assert "Micro-F1" in page
    assert "/promotions/new/" not in page

    listed = client_for(mia).get(f"/models/{version.model.uuid}/").content.decode()
    report = version.evaluation.report
    assert f"{report['micro_f1']:.3f}" != f"{report['macro_f1']:.3f}"
    assert f'{report["micro_f1"]:.3f} <small class="muted">micro-F1 of spans</small>' in listed


def test_a_promotion_is_refused_before_anybody_looks_at_it(version, mia):
    endpoint = make_endpoint(version.model, mia)

    with pytest.raises(Refused, match="marks parts of texts; serving them comes later"):
        promotions.request(version=version, endpoint=endpoint, note="", actor=mia)

    assert not PromotionRequest.objects.exists()


def test_a_shadow_is_refused(version, mia, lee):
    endpoint = make_endpoint(version.model, mia)

    with pytest.raises(Refused, match="serving them comes later"):
        endpoints.start_shadow(endpoint_id=endpoint.uuid, version_id=version.uuid, share=100, actor=lee)

    assert not Deployment.objects.exists()
