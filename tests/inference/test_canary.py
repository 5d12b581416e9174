"""A canary in the server: which requests it gets, what the spool records, and that it never costs the stable
version a request.
"""

from datetime import UTC, datetime

import pytest

from lifecycle.runtime.inference.routing import bucket, key_digest, knows, parse_routes
from tests.inference.conftest import follow
from tests.inference.models import OTHER_TOKEN, TOKEN, ask, auth, deployment_of, endpoint, version_of


def post(client, key=None, *, path="/v2/models/support/infer", **more):
    headers = auth() | ({"x-route-key": key} if key else {})
    return client.post(path, json=ask("card", **more), headers=headers)


@pytest.fixture
def canary(installation, server, root):
    digest = installation.artifact(1)
    installation.publish(support=endpoint(root, canary=digest, share=5_000))
    follow(server)
    return digest


def test_a_key_stays_with_its_arm_and_the_spool_records_it(client, installation, server, root, canary):
    keys = [f"user-{number}" for number in range(12)] * 2

    arms = [post(client, key).headers["x-arm"] for key in keys]

    assert arms == ["canary" if bucket(key_digest("s1", key)) < 5_000 else "stable" for key in keys]
    assert set(arms) == {"stable", "canary"}
    server.spool.stop()
    named = {
        "stable": (deployment_of("stable-1"), version_of(root)),
        "canary": (deployment_of("canary-1"), version_of(canary)),
    }
    lines = installation.spooled()
    assert [(line["deployment"], line["version"]) for line in lines] == [named[arm] for arm in arms]
    assert [line["key"] for line in lines] == [key_digest("s1", key) for key in keys]
    assert all(key not in str(lines) for key in keys)


def test_the_parameter_overrides_the_header(client, canary):
    low = next(f"k{number}" for number in range(99) if bucket(key_digest("s1", f"k{number}")) < 5_000)
    high = next(f"k{number}" for number in range(99) if bucket(key_digest("s1", f"k{number}")) >= 5_000)

    assert post(client, high, parameters={"route_key": low}).headers["x-arm"] == "canary"


def test_without_a_key_both_arms_answer_by_chance(client, installation, server, canary):
    # the chance that one arm is missing is 2 in 10^12
    arms = {post(client).headers["x-arm"] for _ in range(40)}

    assert arms == {"stable", "canary"}
    server.spool.stop()
    assert {line["key"] for line in installation.spooled()} == {""}


@pytest.mark.parametrize("key", ["", "x" * 257, 5, ["a"]])
def test_what_is_no_key_is_refused_with_one_arm_as_with_two(client, server, installation, root, key):
    alone = post(client, parameters={"route_key": key})
    installation.publish(support=endpoint(root, canary=root, share=100))
    follow(server)
    beside = post(client, parameters={"route_key": key})

    assert alone.status_code == beside.status_code == 400
    assert beside.json() == {"error": "route_key must be a string of 1 to 256 characters."}


def test_a_canary_that_is_loading_or_refused_takes_nothing_from_the_stable_version(
    client, installation, server, root
):
    digest = installation.artifact(1)
    installation.publish(support=endpoint(root, canary=digest, share=10_000 - 1))
    assert server.router.poll()
    assert post(client).headers["x-arm"] == "stable"
    weights = installation.serving / "artifacts" / digest / "serving" / "model.onnx"
    weights.write_bytes(weights.read_bytes() + b"x")
    follow(server)

    assert [post(client).headers["x-arm"] for _ in range(5)] == ["stable"] * 5
    assert installation.status()["versions"][digest]["state"] == "refused"
    assert installation.status()["endpoints"]["inbox/support"]["versions"] == [version_of(root)]


def test_a_canary_that_is_not_named_any_more_is_out_though_the_next_version_is_damaged(
    client, installation, server, root, canary
):
    installation.publish(support=endpoint("0" * 64))
    follow(server)

    assert [post(client).headers["x-model-version"] for _ in range(10)] == [version_of(root)] * 10


def test_a_canary_that_takes_over_needs_no_loading(client, installation, server, root, canary):
    installation.publish(support=endpoint(canary, standby=(root,)))

    assert server.router.poll()

    assert (post(client).headers["x-model-version"], post(client).headers["x-arm"]) == (
        version_of(canary),
        "stable",
    )


def test_a_version_may_be_requested_by_name(client, canary):
    pinned = post(client, path=f"/v2/models/support/versions/{version_of(canary)}/infer")

    assert (pinned.status_code, pinned.headers["x-arm"]) == (200, "canary")


def test_a_token_expires_on_time_without_a_publication(client, installation, server, root, monkeypatch):
    until = "2026-06-01T12:00:00+00:00"
    installation.publish(support=endpoint(root, until=until), other=endpoint(root, token=OTHER_TOKEN))
    follow(server)
    end = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()

    for now, status in ((end - 0.001, 200), (end, 401)):
        monkeypatch.setattr("lifecycle.runtime.inference.app.time.time", lambda now=now: now)
        assert post(client).status_code == status
    assert client.get("/v2/models/other", headers=auth(OTHER_TOKEN)).status_code == 200


def test_a_list_with_the_token_twice_uses_the_later_end(installation, root):
    document = installation.document(support=endpoint(root, until="2026-06-01T12:00:00+00:00"))
    (token,) = document["endpoints"]["inbox/support"]["tokens"]
    document["endpoints"]["inbox/support"]["tokens"].append(token | {"until": "2026-06-01T13:00:00+00:00"})
    tokens = parse_routes(document).endpoints["inbox/support"].tokens
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()

    good = [knows(tokens, token["digest"], noon + hours * 3_600) for hours in (-1, 0, 1)]

    assert good == [True, True, False]
    assert TOKEN not in str(document)


def test_a_document_of_the_former_format_is_refused_with_its_reason(client, installation, server, root):
    document = installation.document(support=endpoint(root)) | {"format": 1}
    installation.publish(document)

    assert server.router.poll() is False
    assert post(client).headers["x-model-version"] == version_of(root)
    status = installation.status()
    assert (
        status["problem"]
        == "The routes document was ignored: The routes document is of format 1, and this server reads"
        " format 4."
    )
    assert status["epoch_applied"] == 1
