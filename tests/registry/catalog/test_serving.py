"""Which graph serves a version, and where that can be read."""

from __future__ import annotations

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from registry.catalog.rules import serving
from registry.ground.access.actions import create_token
from tests.support import registry
from tests.support.jobs import run_ok

pytestmark = pytest.mark.django_db
GATE = {
    "passed": True,
    "reason": "int8 agrees with fp32 on 99.40 % of 3,080 validation rows; macro-F1 0.9264 against 0.9271.",
    "rows": 3080,
    "agreement": 0.994,
    "metric": "macro_f1",
    "fp32": 0.9271,
    "rounded": 0.9264,
    "fp32_bytes": 90_900_000,
    "rounded_bytes": 23_100_000,
    "split": "validation",
}


@pytest.fixture
def make(project, mia, ravi):
    """A version whose run ended with this gate."""

    def version(gate):
        run = registry.make_trained_run(registry.make_snapshot(project, ravi), mia)
        run.result |= {"int8": gate}
        run.save()
        model = registry.make_model(project, mia)
        catalog.register(model=model, run=run, semver="1.0.0", actor=mia, stated=registry.STATED)
        run_ok("default")
        return ModelVersion.objects.get()

    return version


def test_int8_serves_only_after_its_gate_was_passed():
    refused = GATE | {"passed": False, "reason": "int8 agrees with fp32 on 98.90 % of 3,080 validation rows."}

    assert serving({"int8": GATE}).engine == "int8"
    assert serving({"int8": refused}).engine == "fp32"
    assert serving({"int8": None}).engine == "fp32"


@pytest.mark.parametrize(("gate", "engine"), [(GATE, "int8"), (GATE | {"passed": False}, "fp32")])
def test_the_page_and_the_api_show_both_figures_and_who_serves(client_for, make, aida, gate, engine):
    version = make(gate)

    html = client_for(aida).get(reverse("catalog:version", args=[version.uuid])).content.decode()
    _, secret = create_token(user=aida, name="robot", scopes=["read"], days=1)
    found = (
        APIClient()
        .get(reverse("api-version", args=[version.uuid]), HTTP_AUTHORIZATION=f"Bearer {secret}")
        .json()["serving"]
    )

    assert f'data-engine="{engine}"' in html
    for text in ("0.9271", "0.9264", "99.40 %", "91 MB", "23 MB", "3,080"):
        assert text in html.replace("\N{NO-BREAK SPACE}", " "), text
    assert found == {"engine": engine, **{name: value for name, value in gate.items() if name != "passed"}}


def test_a_version_without_a_gate_shows_that_fp32_serves(client_for, make, aida):
    version = make(None)

    html = client_for(aida).get(reverse("catalog:version", args=[version.uuid])).content.decode()

    assert 'data-engine="fp32"' in html
    reason = serving(version.facts).reason
    assert reason in html
    assert f"| Served as | fp32. {reason}" in version.cards.get().text
