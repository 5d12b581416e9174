"""A version of each type: registered with its own metrics and card, and promoted or shadowed only where
servers give its predictions.

The content of its card is in the golden files.
"""

from __future__ import annotations

import pytest

from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.served import is_servable
from lifecycle.runtime.task_types.by_key.types import TYPES, type_of
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from registry.endpoints import actions as endpoints
from registry.promotions import actions as promotions
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_endpoint, make_model
from tests.support.unchanged import refused

SERVED = ["single_label", "multi_label", "spans", "preference", "ranking", "regression"]


@pytest.fixture
def version(measured, project, mia) -> ModelVersion:
    catalog.register(
        model=make_model(project, mia), run=measured.run, semver="1.0.0", actor=mia, stated=STATED
    )
    run_ok("default")
    return ModelVersion.objects.select_related("model", "evaluation", "run__snapshot").get()


def test_what_is_servable_is_known():
    assert [key for key in TYPES if is_servable(key)] == SERVED


def test_it_is_registered_with_its_own_metrics(task, version, client_for, mia):
    kind, metrics, client = type_of(task), measures_of(task).metrics, client_for(mia)
    page, listed = (
        client.get(f"/models/{path}{each.uuid}/")
        for path, each in (("versions/", version), ("", version.model))
    )

    report = version.evaluation.report
    assert version.facts["spec"]["task"] == version.run.spec["task"]
    assert {*version.facts["evaluation"]["metrics"]} == {
        name for name in metrics.registered if name in report
    }
    assert f"{report[metrics.leading.name]:.3f}" in listed.content.decode()
    assert (page.status_code, page.context["kind"].key, page.context["is_servable"]) == (
        200,
        kind.learns_as or task,
        task in SERVED,
    )
    assert (f"/promotions/new/?version={version.uuid}" in page.content.decode()) is (task in SERVED)
    assert bool(page.context["suggest_url"]) is kind.prelabels
    assert (page.context["serving"].engine == "not served") is not (kind.has_labels or task in SERVED)
    assert measures_of(task).metrics.leading.title in version.cards.get().text


def test_a_promotion_and_a_shadow_are_refused_before_anybody_looks_at_them(task, version, mia, lee):
    endpoint = make_endpoint(version.model, mia)
    if task in SERVED:
        assert promotions.request(version=version, endpoint=endpoint, note="", actor=mia).version == version
        return

    why = type_of(version.facts["spec"]["task"]).unserved
    with refused("version", match=why):
        promotions.request(version=version, endpoint=endpoint, note="", actor=mia)
    with refused("version", match=why):
        endpoints.start_shadow(endpoint_id=endpoint.uuid, version_id=version.uuid, share=100, actor=lee)


@pytest.mark.parametrize("task", ["multi_label"])
def test_the_card_lists_the_labels_with_a_promised_precision(measured, project, mia):
    run = measured.run
    run.result["operating"] = {"by": "precision", "target": 0.9, "missed": ["refund"], "promised": ["card"]}
    run.save()
    catalog.register(model=make_model(project, mia), run=run, semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")

    (line,) = (
        line
        for line in ModelVersion.objects.get().cards.get().text.splitlines()
        if line.startswith("| Thresholds |")
    )

    assert "precision of 0.9" in line
    assert line.index("(card)") < line.index("(login)")
