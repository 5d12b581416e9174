"""A shadow gets copies and is compared; whatever it does, no client notices."""

import math
import threading

import numpy as np
import pytest

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.inference import shadow as shadows
from lifecycle.runtime.inference.protocol import Prediction
from lifecycle.runtime.inference.routing import Arm, LiveArm
from lifecycle.runtime.inference.shadow import MAX_WAITING, Copy, Shadows, compare
from lifecycle.runtime.task_types.by_key.decoding import decoding_of
from tests.inference.conftest import follow
from tests.inference.models import ask, auth, deployment_of, endpoint, version_of

REQUEST = "5d0c9f5e-0000-4000-8000-000000000001"


def scored(*scores, labels=("a", "b")):
    card = ArtifactInfo(labels, 16, "mean", 1.0, "full", "tiny", "0" * 64, ("input_ids",))
    rows = np.array(scores)
    answers = tuple(decoding_of(card.task).predictions(rows, card))
    count = len(scores)
    return Prediction(card, rows, answers, None, (3,) * count, (False,) * count, (0.0,) * count, 0.001)


class Engine:
    def __init__(self, answer):
        self.answer = answer

    def predict(self, texts):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def copy(answer, *, answered=None, texts=("card",)):
    arm = Arm("shadow", 10_000, "v2", "tiny 1.2.0", "0" * 64, "d3")
    return Copy(
        "inbox/support",
        LiveArm(arm, Engine(answer)),
        REQUEST,
        texts,
        answered or scored([0.75, 0.25]),
        4.5,
        "5ea1",
    )


def test_two_answers_are_compared_text_by_text():
    first, second = compare(
        copy(scored([0.5, 0.5], [0.25, 0.75]), answered=scored([0.75, 0.25], [0.75, 0.25]), texts=("x", "y"))
    )

    assert (first["prediction"], first["code"], first["agrees"], first["label"], first["confidence"]) == (
        REQUEST,
        200,
        True,
        "a",
        0.5,
    )
    assert first["kl"] == round(0.75 * math.log(1.5) + 0.25 * math.log(0.5), 6) == 0.130812
    assert (second["agrees"], second["label"], second["confidence"], second["primary_latency_ms"]) == (
        False,
        "b",
        0.75,
        4.5,
    )
    assert second["kl"] == 0.549306  # ln(3) / 2
    assert second["prediction"] != REQUEST
    assert first["uuid"] != second["uuid"]
    assert (first["kind"], first["endpoint"], first["deployment"], first["version"]) == (
        "shadow",
        "inbox/support",
        "d3",
        "v2",
    )
    assert first["latency_ms"] >= 0
    assert (first["key"], second["key"]) == ("5ea1", "5ea1")


def test_the_same_labels_in_another_order_are_the_same():
    (line,) = compare(copy(scored([0.25, 0.75], labels=("b", "a"))))

    assert (line["agrees"], line["kl"]) == (True, 0.0)


def test_other_labels_have_no_divergence():
    (line,) = compare(copy(scored([0.9, 0.1], labels=("a", "c"))))

    assert (line["agrees"], line["kl"]) == (True, None)


def test_a_shadow_that_fails_is_a_line_with_code_500(caplog):
    (line,) = compare(copy(RuntimeError("the text was: secret")))

    assert (line["code"], line["label"], line["confidence"], line["agrees"], line["kl"]) == (
        500,
        "",
        None,
        None,
        None,
    )
    assert "shadow_failed" in caplog.text
    assert "secret" not in caplog.text


def test_divergence_is_finite_where_the_shadow_has_probability_0():
    (far,), (same,) = (
        compare(copy(scored(shadow), answered=scored(answered)))
        for answered, shadow in (([1.0, 0.0], [0.0, 1.0]), ([0.5, 0.5], [0.5, 0.5]))
    )

    assert (far["kl"], same["kl"]) == (round(12 * math.log(10), 6), 0.0)


def test_the_queue_is_bounded_and_what_finds_no_room_is_counted():
    lines = []
    shadows = Shadows(lambda: False, lines.append)
    for _ in range(MAX_WAITING + 7):
        shadows.offer(copy(scored([0.5, 0.5])))

    assert shadows.dropped == 7
    while shadows.run_next():
        pass
    assert (shadows.compared, len(lines)) == (MAX_WAITING, MAX_WAITING)


def test_it_waits_while_clients_use_every_slot():
    ran, busy = threading.Event(), True
    shadows = Shadows(lambda: busy, lambda line: ran.set())
    shadows.start()
    shadows.offer(copy(scored([0.5, 0.5])))
    assert not ran.wait(0.1)

    busy = False

    assert ran.wait(10)
    shadows.stop()


@pytest.fixture
def shadow(installation, server, root):
    digest = installation.artifact(1)
    installation.publish(support=endpoint(root, shadow=digest))
    follow(server)
    return digest


def post(client, text="card"):
    return client.post("/v2/models/support/infer", json=ask(text), headers=auth())


def drain(server):
    while server.shadows.run_next():
        pass
    server.spool.stop()


@pytest.fixture
def still(server):
    """Copies wait until a test runs them."""
    server.shadows.start = lambda: None


def test_the_copy_is_compared_with_what_the_client_got(still, client, installation, server, root, shadow):
    answer = post(client).json()
    drain(server)

    assert (answer["model_version"], answer["outputs"][0]["data"]) == (version_of(root), ["card"])
    first, second = installation.spooled()
    assert (first["version"], first["arm"]) == (version_of(root), "stable")
    assert (second["kind"], second["prediction"], second["agrees"], second["label"]) == (
        "shadow",
        first["uuid"],
        False,
        "money",
    )
    assert (second["version"], second["root_digest"], second["deployment"]) == (
        version_of(shadow),
        shadow,
        deployment_of("shadow-1"),
    )
    assert second["kl"] > 1
    assert installation.status()["endpoints"]["inbox/support"]["versions"] == [version_of(root)]


def test_no_client_reaches_a_shadow(client, shadow):
    path = f"/v2/models/support/versions/{version_of(shadow)}/infer"

    assert client.post(path, json=ask("card"), headers=auth()).status_code == 404
    assert client.get("/v2/models/support", headers=auth()).json()["versions"] != [version_of(shadow)]


def test_a_share_of_the_requests_is_copied_and_refused_ones_are_not(
    still, client, installation, server, root
):
    digest = installation.artifact(1)
    installation.publish(support=endpoint(root, shadow=digest, copies=5_000))
    follow(server)
    for _ in range(60):
        post(client)
    for _ in range(20):
        client.post("/v2/models/support/infer", json=ask("card", outputs=[{"name": "X"}]), headers=auth())
    drain(server)

    copied = [line["prediction"] for line in installation.spooled() if line.get("kind") == "shadow"]
    assert 5 < len(copied) < 55  # binomial of 60 at a half: beyond these bounds 1 in 10^10
    assert set(copied) < {line["uuid"] for line in installation.spooled() if line.get("code") == 200}


def test_a_shadow_that_crashes_changes_no_answer(client, installation, server, root, shadow):
    def crash(texts):
        raise MemoryError

    before = post(client).json()
    server.router.table.endpoints["inbox/support"].shadow.engine.predict = crash

    after = [post(client) for _ in range(30)]

    assert {each.status_code for each in after} == {200}
    assert {str(each.json()["outputs"]) for each in after} == {str(before["outputs"])}
    assert installation.status()["guard"] == []


def test_a_shadow_that_hangs_changes_no_answer_and_no_end(
    client, installation, server, root, shadow, monkeypatch
):
    monkeypatch.setattr(shadows, "STOP_SECONDS", 0.01)  # how long the end waits for it
    entered, leave = threading.Event(), threading.Event()

    def hang(texts):
        entered.set()
        leave.wait(30)
        raise RuntimeError

    server.router.table.endpoints["inbox/support"].shadow.engine.predict = hang
    assert post(client).status_code == 200
    assert entered.wait(10)

    assert [post(client).status_code for _ in range(30)] == [200] * 30

    server.shadows.stop()  # returns though the run hangs
    server.spool.stop()
    assert len([line for line in installation.spooled() if "kind" not in line]) == 31
    leave.set()


def test_a_shadow_that_is_damaged_is_refused_and_nothing_else(client, installation, server, root):
    installation.publish(support=endpoint(root, shadow="0" * 64))
    follow(server)

    assert post(client).status_code == 200
    assert installation.status()["versions"]["0" * 64]["state"] == "refused"
    assert server.router.settled
