"""An approval rests on every part of its subject: a row that is changed in the database voids the request,
which names the part.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.db.models import Model

from lifecycle.runtime.refusals import Conflict
from registry.ground.ledger.models import Event
from registry.promotions.models import GateResult, PromotionRequest, Verdict
from registry.promotions.rules import CHANGED, Status
from tests.support import registry
from tests.support.trail import behind_its_back

pytestmark = pytest.mark.django_db
OTHER = "f" * 64


def write(row: Model, column: str, value: object) -> None:
    table = row._meta.db_table
    behind_its_back(f"UPDATE {table} SET {column} = %s WHERE id = %s", value, row.pk)  # noqa: S608


def another_endpoint(request: PromotionRequest) -> None:
    other = registry.make_endpoint(request.version.model, request.requester, slug="another")
    write(request, "endpoint_id", other.pk)


def another_base(request: PromotionRequest) -> None:
    base = request.version.run.base
    if base.folder:
        write(base.folder, "root_digest", OTHER)
    else:
        facts = request.version.facts
        write(request.version, "facts", json.dumps(facts | {"base": facts["base"] | {"digest": OTHER}}))


PARTS: dict[str, Callable[[PromotionRequest], None]] = {
    "root_digest": lambda request: write(request.version, "root_digest", OTHER),
    "signature": lambda request: write(request.version, "signature", "{}"),
    "state": lambda request: write(request.version, "state", "retired"),
    "reports": lambda request: write(request.version.evaluation, "report_digest", OTHER),
    "snapshot": lambda request: write(request.version.run.snapshot, "digest", OTHER),
    "test_split": lambda request: write(request.version.run.snapshot, "test_digest", OTHER),
    "label_set": lambda request: write(request.version.run.snapshot.schema, "digest", OTHER),
    "base": another_base,
    "spec": lambda request: write(request.version.run, "spec_digest", OTHER),
    "endpoint": another_endpoint,
    "plan": lambda request: write(request, "plan", json.dumps({"steps": []})),
    "comparison": lambda request: write(request, "comparison", json.dumps({"better": True})),
    "people": lambda request: write(request.version, "registered_by_id", None),
}


def void(request: PromotionRequest, actor) -> list[str]:
    """What changed, by the event of the request that an approval voids."""
    with pytest.raises(Conflict):
        registry.approve(request, actor)
    request.refresh_from_db()
    assert (request.status, Verdict.objects.count()) == (Status.VOIDED, 0)
    event = Event.objects.get(verb="promotions.voided")
    return json.loads(event.canonical)["payload"]["changed"]


def test_the_parts_are_those_of_which_a_change_has_words(request_):
    # the others are in test_void.py and below; a request without a plan has no such part
    assert {*PARTS, "test_labels", "card", "policy", "baseline", "gates"} == {*CHANGED}
    assert {*request_.subject, "plan"} == {*CHANGED}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_changed_in_the_database_voids_the_request(request_, lee, part):
    PARTS[part](request_)

    assert void(request_, lee) == [CHANGED[part]]


@pytest.mark.parametrize("field", ["gate", "status", "blocking", "value", "threshold", "evidence", "source"])
def test_each_field_of_a_gate_result_is_a_part(request_, lee, field):
    found = GateResult.objects.filter(request=request_, blocking=True).earliest("gate")

    write(found, field, False if field == "blocking" else "z")

    assert void(request_, lee) == [CHANGED["gates"]]


def test_a_gate_result_that_is_missing_voids_the_request(request_, lee):
    found = GateResult.objects.filter(request=request_).earliest("gate")

    behind_its_back("DELETE FROM promotions_gateresult WHERE id = %s", found.pk)

    assert void(request_, lee) == [CHANGED["gates"]]


def test_results_of_another_check_are_no_part(request_, lee):
    GateResult.objects.create(request=request_, check_number=2, gate="more", title="More", status="failed")

    registry.approve(request_, lee)

    assert Verdict.objects.count() == 1
