"""The server follows the routes document: what it applies, what it refuses, and what continues meanwhile."""

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lifecycle.runtime import bundle
from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from lifecycle.runtime.inference.names import BUCKETS
from lifecycle.runtime.inference.routing import bucket, key_digest
from tests.inference.conftest import follow
from tests.inference.models import ask, auth, endpoint, version_of


def answer(client, text="card", **more):
    response = client.post("/v2/models/support/infer", json=ask(text, **more), headers=auth())
    assert response.status_code == 200, response.text
    return response.json()


def label(client, text="card"):
    return answer(client, text)["outputs"][0]["data"][0]


def test_a_new_version_answers_once_it_is_loaded_and_the_old_one_until_then(
    client, installation, server, root
):
    new = installation.artifact(1)
    installation.publish(support=endpoint(new, standby=(root,)))

    assert server.router.poll()
    assert label(client) == "card"
    assert installation.status()["versions"][new]["state"] == "loading"
    assert server.router.load_next()

    assert label(client) == "money"
    assert answer(client)["model_version"] == version_of(new)
    assert installation.status()["epoch_applied"] == 2


def test_a_rollback_to_the_standby_version_needs_no_loading(client, installation, server, root):
    new = installation.artifact(1)
    installation.publish(support=endpoint(new, standby=(root,)))
    follow(server)
    installation.publish(support=endpoint(root, standby=(new,)))

    assert server.router.poll()

    assert label(client) == "card"
    assert server.router.load_next() is False


def test_an_unused_version_is_unloaded(installation, server, root):
    new = installation.artifact(1)
    installation.publish(support=endpoint(new))
    follow(server)

    assert set(installation.status()["versions"]) == {new}


def test_a_request_in_flight_ends_on_the_version_it_began_with(client, installation, server, root):
    entered, leave = threading.Event(), threading.Event()
    engine = server.router.table.endpoints["inbox/support"].arms[0].engine
    predict = engine.predict

    def held(texts):
        entered.set()
        assert leave.wait(10)
        return predict(texts)

    engine.predict = held
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(answer, client)
        assert entered.wait(10)
        new = installation.artifact(1)
        installation.publish(support=endpoint(new))
        follow(server)
        assert answer(client)["model_version"] == version_of(new)
        leave.set()

        assert pending.result()["model_version"] == version_of(root)


def test_a_flipped_byte_is_refused_and_the_old_version_continues(client, installation, server, root):
    new = installation.artifact(1)
    weights = installation.serving / "artifacts" / new / "serving" / "model.onnx"
    data = bytearray(weights.read_bytes())
    data[-5] ^= 1
    weights.write_bytes(data)
    installation.publish(support=endpoint(new))
    follow(server)

    assert answer(client)["model_version"] == version_of(root)
    assert installation.status()["versions"][new]["state"] == "refused"
    assert installation.status()["versions"][new]["reason"].startswith(
        "serving/model.onnx was changed after the model was signed."
    )
    assert installation.status()["endpoints"]["inbox/support"] == {
        "epoch": 1,
        "versions": [version_of(root)],
        "digests": [root],
    }


def test_a_version_signed_by_another_key_or_absent_is_refused(client, installation, server, root):
    new = installation.artifact(1)
    forger = installation.folder / "forger" / "signing.pem"
    bundle.generate_key(forger)
    bundle.sign(installation.serving / "artifacts" / new, forger)
    installation.publish(support=endpoint(new), other=endpoint("1" * 64))
    follow(server)

    assert label(client) == "card"
    assert [state["state"] for state in installation.status()["versions"].values()] == [
        "ready",
        "refused",
        "refused",
    ]
    response = client.post("/v2/models/other/infer", json=ask("card"), headers=auth())
    assert response.status_code == 503
    assert response.json()["error"].startswith("No version of this model is live yet.")


def test_one_signed_model_cannot_replace_another(client, installation, server, root):
    new, third = installation.artifact(1), installation.artifact(2)
    artifacts = installation.serving / "artifacts"
    (artifacts / new).rename(artifacts / "spare")
    (artifacts / third).rename(artifacts / new)
    installation.publish(support=endpoint(new))
    follow(server)

    assert label(client) == "card"
    assert "isn't the requested model" in installation.status()["versions"][new]["reason"]


@pytest.mark.parametrize(
    "card",
    [
        {"temperature": 0},
        {"labels": ["one"]},
        {"format": 2},
        {"labels": ["a", "b", "c", "d"]},
        {"inputs": ["pixels"]},
    ],
)
def test_a_signed_version_that_cannot_work_is_refused(client, installation, server, root, card):
    new = installation.artifact(1, **card)
    installation.publish(support=endpoint(new))
    follow(server)

    assert label(client) == "card"
    assert installation.status()["versions"][new]["state"] == "refused"


def test_a_document_with_a_bad_signature_is_ignored(client, installation, server, root):
    forger = installation.folder / "forger" / "signing.pem"
    bundle.generate_key(forger)
    installation.publish(installation.document(support=endpoint(installation.artifact(1))), key=forger)

    assert server.router.poll() is False

    assert label(client) == "card"
    assert "signature doesn't match" in installation.status()["problem"]


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"\x00" * 100])
def test_a_broken_document_is_ignored(client, installation, server, data):
    (installation.serving / "routes.json").write_bytes(data)

    assert server.router.poll() is False
    assert label(client) == "card"


def change(shares=None, **fields):
    def apply(document):
        document["endpoints"]["inbox/support"] |= fields
        for arm, share in zip(document["endpoints"]["inbox/support"]["arms"], shares or [], strict=False):
            arm["share"] = share

    return apply


@pytest.mark.parametrize(
    "spoil",
    [
        change(shares=[9_999]),
        change(shares=[True]),
        change(tokens=["plain"]),
        change(tokens=["0" * 64]),
        change(tokens=[{"digest": "0" * 64, "until": "2026-01-01T00:00:00"}]),
        change(shadow={"share": 10_001}),
        change(arms=[{"arm": "stable"}]),
        change(
            arms=[
                {
                    "arm": "stable",
                    "share": 10_000,
                    "version": "v",
                    "label": "tiny 1.0.0",
                    "root_digest": "../../etc",
                    "deployment": "d",
                }
            ]
        ),
        change(
            arms=[
                {
                    "arm": "stable",
                    "share": 10_000,
                    "version": 'v"} 1\n',
                    "label": "tiny 1.0.0",
                    "root_digest": "0" * 64,
                    "deployment": "d",
                }
            ]
        ),
        change(
            arms=[
                {
                    "arm": "canary",
                    "share": 10_000,
                    "version": "v",
                    "label": "tiny 1.0.0",
                    "root_digest": "0" * 64,
                    "deployment": "d",
                }
            ]
        ),
        lambda document: document.pop("endpoints"),
        lambda document: document.update(format=1),
        lambda document: document.update(epoch="3"),
        lambda document: document["endpoints"].update({"../x": document["endpoints"]["inbox/support"]}),
    ],
)
def test_a_signed_document_that_is_not_as_agreed_is_ignored_as_a_whole(
    client, installation, server, root, spoil
):
    document = installation.document(support=endpoint(installation.artifact(1)))
    spoil(document)
    installation.publish(document)

    assert server.router.poll() is False
    assert label(client) == "card"


def test_an_older_document_is_ignored_also_after_a_restart(client, installation, server, root):
    old = (installation.serving / "routes.json").read_bytes()
    new = installation.artifact(1)
    installation.publish(support=endpoint(new))
    follow(server)
    (installation.serving / "routes.json").write_bytes(old)

    assert server.router.poll() is False
    again = Server(Config(data_dir=installation.folder))
    assert again.router.poll() is False

    assert label(client) == "money"
    assert "config version 1 isn't newer than the applied v2" in again.router.problem
    assert not again.router.settled


def test_a_grown_canary_share_keeps_the_keys_it_has(client, installation, server, root):
    new = installation.artifact(1)
    keys = [f"user-{number}" for number in range(60)]
    arms = []
    for share in (2_000, 5_000):
        installation.publish(support=endpoint(root, canary=new, share=share))
        follow(server)
        arms.append([answer(client, parameters={"route_key": key})["parameters"]["arm"] for key in keys])
        assert arms[-1] == ["canary" if bucket(key_digest("s1", key)) < share else "stable" for key in keys]

    assert all(after == "canary" for before, after in zip(*arms, strict=True) if before == "canary")


def test_buckets_are_those_of_the_published_rule():
    digest = hashlib.sha256(b"salt:key").digest()

    assert key_digest("salt", "key") == digest[:8].hex()
    assert bucket(key_digest("salt", "key")) == int.from_bytes(digest[:8], "big") % 10_000
    places = [bucket(key_digest("s", str(number))) for number in range(500)]
    assert 0 <= min(places) < max(places) < BUCKETS


def test_temperature_flattens_the_scores(client, installation, server, root):
    installation.publish(support=endpoint(installation.artifact(0, temperature=3.0)))
    follow(server)

    # logits 3, 0, 0 divided by 3
    assert answer(client)["outputs"][1]["data"] == pytest.approx([0.576117], abs=1e-6)


def test_a_full_queue_answers_429_with_a_retry_time(client, installation, server):
    server.slots.texts = server.config.queue_texts

    response = client.post("/v2/models/support/infer", json=ask("card"), headers=auth())

    assert response.status_code == 429
    assert int(response.headers["retry-after"]) >= 1
    server.slots.texts = 0
    assert label(client) == "card"
    server.spool.stop()
    assert [(line["status"], line["code"]) for line in installation.spooled()] == [
        ("error", 429),
        ("ok", 200),
    ]


def test_an_engine_that_fails_costs_one_request_and_not_the_server(client, server, caplog):
    engine = server.router.table.endpoints["inbox/support"].arms[0].engine
    works, engine.predict = engine.predict, lambda texts: 1 / 0

    response = client.post(
        "/v2/models/support/infer", json=ask("card"), headers=auth() | {"x-request-id": "r9"}
    )

    assert response.status_code == 500
    assert (
        json.loads(response.content)["error"]
        == "The model failed on this request. The request ID is in X-Request-Id."
    )
    assert "request_id=r9" in caplog.text
    engine.predict = works
    assert label(client) == "card"


def test_a_version_in_quarantine_does_not_go_on_while_what_replaces_it_is_loaded_or_refused(
    client, installation, server, root
):
    new = installation.artifact(1)
    installation.publish(support=endpoint(new, withdrawn=(root,)))

    assert server.router.poll()
    response = client.post("/v2/models/support/infer", json=ask("card"), headers=auth())
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert root not in installation.status()["versions"]
    follow(server)
    assert answer(client)["model_version"] == version_of(new)


def test_an_endpoint_without_an_arm_answers_503_lets_its_version_go_and_stays_ready(
    client, installation, server, root
):
    installation.publish(support=endpoint(root, withdrawn=(root,)) | {"arms": []})

    assert server.router.poll()

    for path, asked in (("", client.get), ("/infer", client.post)):
        response = asked(
            f"/v2/models/support{path}", headers=auth(), **({"json": ask("card")} if path else {})
        )
        assert response.status_code == 503
        assert "quarantine" in response.json()["error"]
    assert installation.status()["versions"] == {}
    assert client.get("/v2/health/ready").status_code == 200
