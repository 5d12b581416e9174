"""The server automatically closes a canary whose requests fail, until the routes no longer name it."""

import json

import pytest
from starlette.testclient import TestClient

from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from lifecycle.runtime.inference.guard import Guard
from tests.inference.conftest import follow
from tests.inference.models import ask, auth, deployment_of, endpoint, version_of

CANARY = deployment_of("canary-1")


@pytest.fixture
def canary(installation, server, root):
    digest = installation.artifact(1)
    installation.publish(support=endpoint(root, canary=digest, share=9_999))
    follow(server)
    return digest


def breaks(server):
    """Let the canary's engine fail."""

    def fail(texts):
        raise RuntimeError("no")

    server.router.table.endpoints["inbox/support"].arms[1].engine.predict = fail


def pinned(client, digest):
    return client.post(
        f"/v2/models/support/versions/{version_of(digest)}/infer", json=ask("card"), headers=auth()
    )


def on_canary(client):
    """A request with a key that the canary owns."""
    return client.post(
        "/v2/models/support/infer", json=ask("card"), headers=auth() | {"x-route-key": "user-1"}
    )


def plain(client):
    return client.post("/v2/models/support/infer", json=ask("card"), headers=auth())


@pytest.mark.parametrize(
    ("outcomes", "closed"),
    [
        ("F" * 9, None),
        ("F" * 10, (10, 10)),
        ("." * 20 + "F" * 10, (10, 20)),
        ("F." * 9 + "F", (10, 19)),
        ("." * 3 + "F" * 10, (10, 13)),
        ("F" * 9 + "." * 11 + "F", None),  # the window has moved on: 9 of the last 20
        ("F.." * 40, None),  # 7 of any 20
    ],
)
def test_ten_failures_of_the_last_twenty_close_it(tmp_path, outcomes, closed):
    closures = []
    guard = Guard(tmp_path / "guard.json", closures.append)
    for outcome in outcomes:
        guard.observe("inbox/support", "d1", failed=outcome == "F")
        guard.observe("inbox/support", "d2", failed=False)

    assert [(each.deployment, each.failures, each.of) for each in closures] == (
        [("d1", *closed)] if closed else []
    )
    assert guard.closed.keys() == ({"d1"} if closed else set())


def test_its_requests_go_to_the_stable_version_and_it_is_reported_everywhere(
    client, installation, server, root, canary
):
    breaks(server)

    assert [on_canary(client).status_code for _ in range(10)] == [500] * 10

    answers = [plain(client) for _ in range(20)]
    assert {
        (each.status_code, each.headers["x-model-version"], each.headers["x-arm"]) for each in answers
    } == {(200, version_of(root), "stable")}
    assert pinned(client, canary).status_code == 404
    status = installation.status()
    assert status["guard"] == [{"deployment": CANARY, "failures": 10, "of": 10}]
    assert status["endpoints"]["inbox/support"]["versions"] == [version_of(root)]
    server.spool.stop()
    (line,) = [line for line in installation.spooled() if line.get("kind") == "guard"]
    assert {name: line[name] for name in ("endpoint", "deployment", "failures", "of")} == {
        "endpoint": "inbox/support",
        "deployment": CANARY,
        "failures": 10,
        "of": 10,
    }


def test_answers_that_are_no_numbers_are_counted_failures_and_close_it(client, installation, server, canary):
    runner = server.router.table.endpoints["inbox/support"].arms[1].engine._runner
    run = runner.run
    runner.run = lambda feed: (run(feed)[0] * float("nan"), None)

    answers = [on_canary(client) for _ in range(10)]

    body = {"error": "The model failed on this request. The request ID is in X-Request-Id."}
    assert [(each.status_code, each.json()) for each in answers] == [(500, body)] * 10
    assert [(each.failures, each.of) for each in server.router.guard.closed.values()] == [(10, 10)]
    server.spool.stop()
    lines = [line for line in installation.spooled() if "kind" not in line]
    assert [(line["code"], line["arm"], line["outputs"]) for line in lines] == [(500, "canary", [])] * 10


def test_requests_pinned_to_the_canary_do_not_close_it_and_are_flagged_in_the_spool(
    client, installation, server, canary
):
    breaks(server)

    assert [pinned(client, canary).status_code for _ in range(20)] == [500] * 20

    assert server.router.guard.closed == {}
    assert on_canary(client).status_code == 500
    server.spool.stop()
    assert [line.get("pinned") for line in installation.spooled()] == [True] * 20 + [None]


def test_refused_requests_are_not_the_canarys_fault(client, server, canary):
    headers = auth() | {"x-route-key": "a"}
    for _ in range(12):
        client.post("/v2/models/support/infer", json=ask("card", outputs=[{"name": "X"}]), headers=headers)
        client.post(
            "/v2/models/support/infer", json=ask("card", outputs=[{"name": "EMBEDDING"}]), headers=headers
        )

    assert server.router.guard.closed == {}


def test_a_stable_version_that_fails_is_never_closed(client, installation, server, root):
    def fail(texts):
        raise RuntimeError("no")

    engine = server.router.table.endpoints["inbox/support"].arms[0].engine
    works, engine.predict = engine.predict, fail
    assert [plain(client).status_code for _ in range(25)] == [500] * 25
    engine.predict = works

    assert plain(client).status_code == 200
    assert installation.status()["guard"] == []


def test_it_stays_closed_over_a_restart_and_is_reported_again_under_the_same_id(
    client, installation, server, root, canary
):
    breaks(server)
    for _ in range(10):
        on_canary(client)

    again = Server(Config(data_dir=installation.folder))
    with TestClient(again.application()) as other:  # which begins when all is loaded
        assert {plain(other).headers["x-arm"] for _ in range(20)} == {"stable"}
        assert installation.status()["guard"] == [{"deployment": CANARY, "failures": 10, "of": 10}]
    server.spool.stop()
    reported = [line["uuid"] for line in installation.spooled() if line.get("kind") == "guard"]
    assert len(reported) == 2
    assert len(set(reported)) == 1


@pytest.mark.parametrize("change", ["another deployment", "none"])
def test_it_opens_when_the_routes_do_not_name_the_deployment_any_more(
    client, installation, server, root, canary, change
):
    breaks(server)
    for _ in range(10):
        on_canary(client)
    kept = installation.serving / "guard.json"
    # the same deployment, so nothing opens
    installation.publish(support=endpoint(root, canary=canary, share=4_000))
    follow(server)
    assert [each["deployment"] for each in json.loads(kept.read_text())["closed"]] == [CANARY]

    more = (
        {"canary": canary, "share": 9_999, "deployed": "canary-2"} if change == "another deployment" else {}
    )
    installation.publish(support=endpoint(root, **more))
    follow(server)

    assert json.loads(kept.read_text()) == {"closed": []}
    assert installation.status()["guard"] == []
    assert len(server.router.table.endpoints["inbox/support"].arms) == (2 if more else 1)


@pytest.mark.parametrize("data", [b"", b"{", b'{"closed": [{"x": 1}]}', b"[]", b'{"closed": 5}'])
def test_a_state_that_cannot_be_read_is_as_none(tmp_path, caplog, data):
    (tmp_path / "guard.json").write_bytes(data)
    guard = Guard(tmp_path / "guard.json", print)

    assert guard.start() == []
    assert guard.closed == {}
    assert "guard_not_read" in caplog.text


def test_a_full_disk_does_not_keep_a_broken_canary_open(tmp_path, caplog):
    closures = []
    guard = Guard(tmp_path / "no such folder" / "guard.json", closures.append)
    for _ in range(10):
        guard.observe("inbox/support", "d1", failed=True)

    assert list(guard.closed) == ["d1"]
    assert len(closures) == 1
    assert "guard_not_written" in caplog.text


def test_what_one_server_closed_another_on_its_folder_closes_and_forgets_with_the_routes(
    installation, server, canary, root
):
    beside = Server(Config(data_dir=installation.folder, name="2"))
    follow(beside)
    breaks(server)
    with TestClient(server.application(), raise_server_exceptions=False) as client:
        assert [on_canary(client).status_code for _ in range(10)] == [500] * 10
    assert CANARY not in beside.router.guard.closed

    beside.router.poll()

    assert list(beside.router.guard.closed) == list(server.router.guard.closed)
    assert [arm.arm.name for arm in beside.router.table.endpoints["inbox/support"].arms] == ["stable"]
    assert not beside.router.guard.adopt({CANARY})  # once
    assert not beside.router.guard.adopt({"another"})

    installation.publish(support=endpoint(root))
    follow(beside)
    assert beside.router.guard.closed == {}
