"""A version that gives any number of classes a text: registered, measured, and not served yet."""

from __future__ import annotations

import pytest

from lifecycle.runtime.refusals import Refused
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from registry.endpoints import actions as endpoints
from registry.endpoints.models import Deployment
from registry.promotions import actions as promotions
from registry.promotions.models import PromotionRequest
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_endpoint, make_model
from tests.support.training import make_run, several_snapshot


@pytest.fixture
def version(project, mia) -> ModelVersion:
    run = make_run(several_snapshot(project, mia), mia)
    model = make_model(project, mia)
    catalog.register(model=model, run=run, semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")
    return ModelVersion.objects.get(model=model)


def test_it_is_registered_with_its_own_scores_and_loading_code(version, client_for, mia):
    assert version.facts["spec"]["task"] == "multi_label"
    assert "accuracy" not in version.facts["evaluation"]["metrics"]
    text = version.cards.get().text
    assert "| Subset accuracy |" in text
    assert "| Task | any number of labels per text, each with its own threshold |" in text
    assert "| Baseline | Subset accuracy | Macro-F1 |" in text
    assert 'zip(about["labels"], shares, about["thresholds"])' in text

    page = client_for(mia).get(f"/models/versions/{version.uuid}/").content.decode()

    assert "Serving multiple labels isn't supported yet" in page
    assert "Subset accuracy" in page
    assert "/promotions/new/" not in page


def test_its_card_says_of_which_classes_a_precision_is_promised(project, mia):
    run = make_run(several_snapshot(project, mia), mia)
    run.result["operating"] = {"by": "precision", "target": 0.9, "missed": ["refund"], "promised": ["card"]}
    run.save()
    catalog.register(model=make_model(project, mia), run=run, semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")

    text = ModelVersion.objects.get().cards.get().text

    assert "| Thresholds | precision of 0.9 or more of each class on validation: promised of 1 class (card)" in text


def test_a_promotion_is_refused_before_anybody_looks_at_it(version, mia):
    endpoint = make_endpoint(version.model, mia)

    with pytest.raises(Refused, match="predicts any number of labels per text; serving multiple labels isn't supported yet"):
        promotions.request(version=version, endpoint=endpoint, note="", actor=mia)

    assert not PromotionRequest.objects.exists()


def test_a_shadow_is_refused(version, mia, lee):
    endpoint = make_endpoint(version.model, mia)

    with pytest.raises(Refused, match="serving multiple labels isn't supported yet"):
        endpoints.start_shadow(endpoint_id=endpoint.uuid, version_id=version.uuid, share=100, actor=lee)

    assert not Deployment.objects.exists()
