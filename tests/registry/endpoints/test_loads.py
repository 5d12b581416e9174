"""What servers refuse: noted once, notified to those on call, damaged versions quarantined; lost files are
restored.
"""

import re
import shutil

import pytest

from lifecycle.ground.notices.models import Notice, Outbox
from registry.catalog.models import Alias, ModelVersion
from registry.endpoints import actions, tasks
from registry.endpoints.queries import deployments
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from tests.support import endpoints
from tests.support.people import crew, make_person, make_project


@pytest.fixture
def live(live_endpoint):
    return Alias.objects.get(endpoint=live_endpoint).version


@pytest.fixture
def folder(live, settings):
    return settings.DATA_DIR / "serving" / "artifacts" / live.root_digest


def damage(folder):
    path = folder / "serving" / "model.onnx"
    path.chmod(0o600)
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


@pytest.mark.postgres
def test_a_damaged_version_is_quarantined_once_and_people_are_notified(
    live, folder, live_endpoint, omar, lee, mia
):
    damage(folder)
    endpoints.write_status(
        refused={live.root_digest: "serving/model.onnx was changed after the model was signed."}
    )

    assert actions.check_loads() == 1
    assert actions.check_loads() == 0

    live.refresh_from_db()
    assert live.state == ModelVersion.State.QUARANTINED
    assert "serving/model.onnx was changed" in live.state_reason
    assert Event.objects.filter(verb="endpoints.load_refused", object_id=str(live.uuid)).count() == 1
    assert set(Notice.objects.values_list("user__username", flat=True)) == {"omar", "lee"}
    assert Notice.objects.first().url == f"/endpoints/{live_endpoint.uuid}/"


def test_a_damaged_live_version_is_rolled_back(
    live, folder, live_endpoint, django_capture_on_commit_callbacks
):
    damage(folder)
    endpoints.write_status(refused={live.root_digest: "damaged"})
    actions.check_loads()
    actions.publish()

    route = endpoints.routes()["endpoints"][live_endpoint.full_name]
    assert [arm["label"] for arm in route["arms"]] == [
        str(live_endpoint.deployments.order_by("id").first().version)
    ]
    assert route["withdrawn"] == [live.root_digest]


def test_a_version_that_verifies_is_noted_and_not_quarantined(live, live_endpoint):
    endpoints.write_status(refused={live.root_digest: "The version couldn't be loaded: MemoryError."})

    assert actions.check_loads() == 1

    live.refresh_from_db()
    assert live.state == ModelVersion.State.ACTIVE
    assert '"quarantined":false' in Event.objects.get(verb="endpoints.load_refused").canonical


@pytest.mark.postgres
def test_a_version_that_all_servers_load_again_is_noted_once_and_refused_anew(live, live_endpoint):
    def logged():
        return list(
            Outbox.objects.filter(topic__startswith="endpoints.load_")
            .order_by("pk")
            .values_list("topic", flat=True)
        )

    digest, reason = live.root_digest, "The version couldn't be loaded: MemoryError."
    refused, recovered = "endpoints.load_refused", "endpoints.load_recovered"
    endpoints.write_status(versions={digest: {"state": "ready"}})
    assert (actions.check_loads(), logged()) == (0, [])
    endpoints.write_status(name="b", refused={digest: reason})
    assert (actions.check_loads(), logged()) == (1, [refused])

    endpoints.write_status(name="b", versions={digest: {"state": "loading"}})
    assert (actions.check_loads(), logged()) == (0, [refused])
    endpoints.write_status(name="b", versions={digest: {"state": "ready"}})
    assert [actions.check_loads() for _ in range(2)] == [0, 0]
    assert logged() == [refused, recovered]
    assert Event.objects.filter(verb=recovered, object_id=str(live.uuid)).count() == 1

    endpoints.write_status(name="b", refused={digest: reason})
    assert (actions.check_loads(), logged()) == (1, [refused, recovered, refused])


def test_a_version_on_two_endpoints_is_refused_and_recovers_on_each(live, live_endpoint):
    second = endpoints.copied(live_endpoint, "support-inbox-staging")
    both = {str(deployments.live_deployment(each).uuid) for each in (live_endpoint, second)}

    def logged(topic):
        return sorted(row.payload["deployment"] for row in Outbox.objects.filter(topic=f"endpoints.{topic}"))

    endpoints.write_status(refused={live.root_digest: "The version couldn't be loaded: MemoryError."})
    assert [actions.check_loads() for _ in range(2)] == [2, 0]
    assert logged("load_refused") == sorted(both)

    endpoints.write_status(versions={live.root_digest: {"state": "ready"}})
    assert [actions.check_loads() for _ in range(2)] == [0, 0]
    assert logged("load_recovered") == sorted(both)


def test_missing_files_are_no_damage(live, folder, live_endpoint):
    shutil.rmtree(folder)
    endpoints.write_status(refused={live.root_digest: "The folder is not there."})

    assert actions.check_loads() == 1

    live.refresh_from_db()
    assert live.state == ModelVersion.State.ACTIVE


@pytest.mark.postgres
def test_the_page_shows_what_the_servers_do_instead(client_for, live, live_endpoint, omar):
    before = live_endpoint.deployments.order_by("id").first().version
    endpoints.write_status(
        refused={live.root_digest: "Damaged."},
        endpoints={live_endpoint.full_name: {"versions": [str(before.uuid)]}},
    )

    html = client_for(omar).get(f"/endpoints/{live_endpoint.uuid}/servers/").content.decode()

    server = html.partition('data-server="bad"')[2].partition("</p>")[0]
    assert re.findall(r"\d+\.\d+\.\d+", server) == ["1.1.0", "1.0.0"]
    assert "Damaged." in server


@pytest.mark.parametrize("text", ["", "{", "[]", '{"epoch_applied": "x"}', '{"epoch_applied": 1, "at": 3}'])
def test_a_status_that_cannot_be_read_is_left_out(live_endpoint, text, settings):
    (settings.DATA_DIR / "serving").mkdir(exist_ok=True)
    (settings.DATA_DIR / "serving" / "status.json").write_text(text)

    actions.check_loads()
    assert actions.publish() >= 1


def test_a_damaged_canary_is_quarantined_and_taken_out_and_the_live_one_stays(
    live_endpoint, canary, settings
):
    made = canary.version
    damage(settings.DATA_DIR / "serving" / "artifacts" / made.root_digest)
    endpoints.write_status(
        refused={made.root_digest: "serving/model.onnx was changed after the model was signed."}
    )

    assert actions.check_loads() == 1
    tasks.tend()

    made.refresh_from_db()
    canary.refresh_from_db()
    assert made.state == ModelVersion.State.QUARANTINED
    assert canary.end_reason.startswith("1.2.0 was quarantined: A server refused to load it:")
    assert [(row.arm, row.version.semver) for row in deployments.serving(live_endpoint)] == [
        ("stable", "1.1.0")
    ]
    row = Outbox.objects.get(topic="endpoints.load_refused")
    assert (row.payload["arm"], row.payload["quarantined"], row.payload["version"]) == (
        "canary",
        True,
        str(made.uuid),
    )


@pytest.mark.postgres
def test_a_servers_problem_is_raised_once_and_once_more_when_it_is_resolved(live_endpoint, omar, lee):
    def problems():
        rows = Outbox.objects.filter(topic="endpoints.server_problem").order_by("pk")
        return [(each.payload["server"], each.payload["problem"]) for each in rows]

    problem = "The routes document was ignored: its signature doesn't match."
    endpoints.write_status(name="b", problem=problem)
    endpoints.write_status()

    assert [actions.check_problems() for _ in range(3)] == [1, 0, 0]
    assert problems() == [("b", problem)]
    assert set(Notice.objects.values_list("user__username", flat=True)) == {"omar", "lee"}
    assert "It stays on config v1." in Notice.objects.first().text

    endpoints.write_status(name="b")
    assert [actions.check_problems() for _ in range(2)] == [1, 0]
    assert problems() == [("b", problem), ("b", "")]
    assert Notice.objects.count() == 2


def test_a_problem_is_known_again_however_long_it_is_and_without_reading_what_happened(
    live_endpoint, django_assert_num_queries
):
    endpoints.write_status(problem="The routes document was ignored. " * 20)
    assert actions.check_problems() == 1

    with django_assert_num_queries(1):
        assert actions.check_problems() == 0
    assert Outbox.objects.filter(topic="endpoints.server_problem").count() == 1


def test_what_a_server_reports_of_an_endpoint_is_for_its_project_alone(client_for, live_endpoint, omar):
    """Omar, on call in both projects, is notified once, with all of it."""
    other = make_project("other", "Other")
    crew(other, "mia", "ravi", "lee", "gita", "omar")
    elsewhere = endpoints.deployed_endpoint(other, slug="secret-plans")
    stranger = make_person("olga", project=other, role=Role.ONCALL)
    endpoints.write_status(problem="Endpoint inbox/support-inbox-prod: two stable arms.")

    actions.check_problems()

    own, neutral = (
        "Endpoint inbox/support-inbox-prod: two stable arms.",
        "It rejected the config because of an endpoint in another project.",
    )
    notices = {
        row.user: row.text for row in Notice.objects.filter(user__in=[omar, stranger], url="/endpoints/")
    }
    assert notices[stranger] == f"Inference server default: {neutral} It stays on config v1."
    assert notices[omar] == f"Inference server default: {own} It stays on config v1."
    for person, endpoint, shown, hidden in [
        (omar, live_endpoint, own, neutral),
        (stranger, elsewhere, neutral, own),
    ]:
        html = client_for(person).get(f"/endpoints/{endpoint.uuid}/servers/").content.decode()
        assert (shown in html, hidden in html) == (True, False)
        assert (
            client_for(person).get(f"/api/v1/endpoints/{endpoint.uuid}/").json()["servers"][0]["problem"]
            == shown
        )


def test_a_closed_canary_is_one_event_whichever_source_reports_it(live_endpoint, canary):
    endpoints.write_status(guard=[{"deployment": str(canary.uuid), "failures": 10, "of": 14}])

    tasks.tend()
    actions.stop_closed(deployment_id=canary.uuid, failures=10, of=14)

    rows = Event.objects.filter(object_id=str(live_endpoint.uuid), actor="system").order_by("id")
    assert [row.verb for row in rows] == ["endpoints.guard_tripped", "endpoints.canary_stopped"]
    canary.refresh_from_db()
    assert (canary.ended_by, canary.end_reason) == (
        None,
        "The server's guard closed it: 10 of its last 14 requests failed.",
    )
