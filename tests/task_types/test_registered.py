"""A version of each type: registered with its own metrics and card, promoted, and shadowed.

The content of its card is in the golden files.
"""

from __future__ import annotations

import pytest

from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.types import type_of
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from registry.promotions import actions as promotions
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_endpoint, make_model


@pytest.fixture
def version(measured, project, mia) -> ModelVersion:
    catalog.register(
        model=make_model(project, mia), run=measured.run, semver="1.0.0", actor=mia, stated=STATED
    )
    run_ok("default")
    return ModelVersion.objects.select_related("model", "evaluation", "run__snapshot").get()


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
    assert (page.status_code, page.context["kind"].key) == (200, kind.learns_as or task)
    assert f"/promotions/new/?version={version.uuid}" in page.content.decode()
    assert bool(page.context["suggest_url"]) is kind.prelabels
    assert page.context["serving"].engine == "fp32"
    assert measures_of(task).metrics.leading.title in version.cards.get().text


def test_its_promotion_can_be_requested(version, mia):
    endpoint = make_endpoint(version.model, mia)

    assert promotions.request(version=version, endpoint=endpoint, note="", actor=mia).version == version


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
