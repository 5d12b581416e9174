"""An approved version goes live, once; everything else is refused and changes nothing."""

import pytest
from django.core.exceptions import PermissionDenied

from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog import actions as catalog
from registry.catalog.models import Alias, Endpoint, ModelVersion
from registry.endpoints import actions
from registry.endpoints.actions import switch
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments
from registry.ground.access import actions as access
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from registry.promotions.rules import Status
from tests.support import endpoints, registry
from tests.support.unchanged import refused


@pytest.fixture
def version(project, mia, ravi):
    return registry.make_version(project, mia, ravi)


@pytest.fixture
def endpoint(version, mia):
    return registry.make_endpoint(version.model, mia, slug="support-inbox-prod")


@pytest.fixture
def request_(project, endpoint, version, mia, lee, gita):
    return endpoints.approved(project, endpoint, version)


@pytest.fixture
def next_request(request_, omar):
    """1.0.0 is live, and 1.1.0 is approved."""
    actions.deploy(request_id=request_.uuid, actor=omar)
    return endpoints.with_approval(Endpoint.objects.get())


def nothing_changed():
    return not Deployment.objects.exists() and not Alias.objects.filter(version__isnull=False).exists()


def test_the_version_is_live_and_published_to_the_servers(
    request_, version, endpoint, omar, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        deployment = actions.deploy(request_id=request_.uuid, actor=omar)

    request_.refresh_from_db()
    assert request_.status == Status.FULFILLED
    alias = Alias.objects.get(endpoint=endpoint)
    assert (alias.version, alias.moves) == (version, 1)
    assert (deployment.cause, deployment.approval, deployment.started_by, deployment.previous) == (
        "promotion",
        request_,
        omar,
        None,
    )
    document = endpoints.routes()
    assert document["epoch"] == deployment.epoch == 1
    route = document["endpoints"][endpoint.full_name]
    served = {
        "version": str(version.uuid),
        "label": str(version),
        "root_digest": version.root_digest,
        "deployment": str(deployment.uuid),
    }
    assert route["arms"] == [{"arm": "stable", "share": 10000} | served]
    assert route["shadow"] is None
    assert route["standby"] == []
    assert Event.objects.filter(verb="endpoints.deployed", object_id=str(endpoint.uuid)).count() == 1


def test_the_files_lie_where_the_servers_look(request_, version, omar, settings):
    actions.deploy(request_id=request_.uuid, actor=omar)

    assert (settings.DATA_DIR / "serving" / "artifacts" / version.root_digest / "model.sig").is_file()


def test_the_previous_version_ends_and_is_on_standby(
    endpoint, next_request, omar, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        actions.deploy(request_id=next_request.uuid, actor=omar)

    first, second = Deployment.objects.order_by("id")
    assert (first.ended_by, first.end_reason, second.previous) == (omar, "Replaced by 1.1.0.", first)
    assert first.ended_at is not None
    route = endpoints.routes()["endpoints"][endpoint.full_name]
    assert [arm["label"] for arm in route["arms"]] == [str(second.version)]
    assert [each["root_digest"] for each in route["standby"]] == [first.version.root_digest]


@pytest.mark.parametrize("person", ["ana", "ravi", "gita", "aida", "otto", "adam"])
def test_only_engineers_leads_and_those_on_call_deploy(person, request, request_):
    with pytest.raises(PermissionDenied):
        actions.deploy(request_id=request_.uuid, actor=request.getfixturevalue(person))

    assert nothing_changed()


def test_who_may_not_deploy_ends_no_request_that_was_overtaken(request_, version, omar, ana):
    catalog.quarantine(version_id=version.uuid, reason="Leaks.", actor=None)

    with refused(by=PermissionDenied):
        actions.deploy(request_id=request_.uuid, actor=ana)


def test_a_role_that_is_taken_while_the_files_are_laid_out_deploys_nothing(
    request_, project, omar, monkeypatch
):
    def taken(version):
        access.revoke(user=omar, role=Role.ONCALL, root=project, actor=None)

    monkeypatch.setattr(switch, "materialise", taken)

    with pytest.raises(PermissionDenied):
        actions.deploy(request_id=request_.uuid, actor=omar)

    request_.refresh_from_db()
    assert (request_.status, nothing_changed()) == (Status.APPROVED, True)


def test_an_approval_is_used_once(request_, omar):
    actions.deploy(request_id=request_.uuid, actor=omar)

    with pytest.raises(Conflict):
        actions.deploy(request_id=request_.uuid, actor=omar)
    assert Deployment.objects.count() == 1


def test_a_request_in_review_is_not_deployed(version, endpoint, mia, omar, lee, gita):
    request = registry.asked_request(version, endpoint, mia)

    with pytest.raises(Conflict):
        actions.deploy(request_id=request.uuid, actor=omar)
    assert nothing_changed()


def test_a_card_edited_after_the_approval_voids_it(request_, version, mia, omar):
    from registry.catalog import queries as catalog_queries

    card = catalog_queries.newest_card(version)
    catalog.edit_card(version=version, stated={"purpose": "Other."}, seen=card.digest, actor=mia)

    with pytest.raises(Conflict):
        actions.deploy(request_id=request_.uuid, actor=omar)
    assert nothing_changed()


@pytest.mark.postgres
def test_one_flipped_byte_is_refused_and_quarantined(request_, version, omar, settings):
    blobs = settings.STORAGES["blobs"]["OPTIONS"]["location"]
    weights = next(f["sha256"] for f in version.folder.files if f["name"] == "serving/model.onnx")
    path = next(path for path in blobs.rglob("*") if path.is_file() and weights in path.name)
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)

    with pytest.raises(Refused):
        actions.deploy(request_id=request_.uuid, actor=omar)

    version.refresh_from_db()
    assert version.state == ModelVersion.State.QUARANTINED
    assert nothing_changed()


def test_which_version_was_live_at_a_moment(endpoint, next_request, omar):
    actions.deploy(request_id=next_request.uuid, actor=omar)
    first, second = Deployment.objects.order_by("id")

    assert deployments.live_at(endpoint, first.started_at) == first
    assert deployments.live_at(endpoint, second.started_at) == second
    assert deployments.live_at(endpoint, first.started_at.replace(year=2000)) is None
