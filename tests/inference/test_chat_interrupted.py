"""Answers that don't come to their end: a client leaves, a network fails. What is kept of each request."""

import asyncio
import json
import threading

import pytest

from tests.inference.models import auth, deployment_of
from tests.inference.writing import CHAT, HELLO, events, writing

pytestmark = pytest.mark.engine


@pytest.fixture
def world(tmp_path):
    with writing(tmp_path, canary="second", share=10_000, shadow="tuned") as made:
        yield made


@pytest.fixture
def network(world):
    """Of the base that all versions share."""
    return writer(world).version._batcher.network


def writer(world):
    return world[2].router.table.endpoints["inbox/first"].arms[0].engine


def lines(world):
    """The lines of the spool. Once in a test."""
    installation, _, server = world
    while server.shadows.run_next():
        pass
    server.spool.stop()
    return installation.spooled()


async def leave(application, body, after):
    """Send a request, and disconnect once so many parts of its response came. Returns the parts."""
    parts, left = [], asyncio.Event()
    sent = iter([{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}])

    async def receive():
        for message in sent:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        parts.append(message)
        if len(parts) == after:
            left.set()

    if not after:
        left.set()
    scope = {
        "type": "http",
        "method": "POST",
        "path": CHAT,
        "raw_path": CHAT.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in auth().items()],
        "client": ("127.0.0.1", 1),
    }
    await application(scope, receive, send)
    return parts


@pytest.mark.parametrize(("stream", "after"), [(True, 3), (False, 0)])
def test_a_client_that_leaves_frees_its_place(stream, after, world, network, monkeypatch):
    steps, real = [], network.continue_
    gate = threading.Event()

    def slow(*args):
        steps.append(1)
        if len(steps) > 3:
            gate.wait(20)
        return real(*args)

    monkeypatch.setattr(network, "continue_", slow)
    body = {"model": "inbox/first", "messages": HELLO, "stream": stream, "max_tokens": 100}

    async def play():
        batcher = writer(world).version._batcher
        cancel, found = batcher.submit, []
        monkeypatch.setattr(batcher, "submit", lambda *args: found.append(cancel(*args)) or found[-1])
        playing = asyncio.create_task(leave(world[2].application(), body, after))
        while not (found and found[0].is_cancelled):
            await asyncio.sleep(0)
        gate.set()
        await asyncio.wait_for(playing, 20)

    asyncio.run(play())

    assert writer(world).version.active == 0
    assert len(steps) < 10
    (line,) = lines(world)
    assert (line["code"], line["status"], line["outputs"]) == (499, "error", [])


def test_a_network_that_fails_in_the_middle_ends_the_stream_with_an_error(world, network, monkeypatch):
    steps, real = [], network.continue_

    def fail(*args):
        steps.append(1)
        if len(steps) == 3:
            raise RuntimeError("no memory")
        return real(*args)

    monkeypatch.setattr(network, "continue_", fail)
    body = {"model": "inbox/first", "messages": HELLO, "stream": True}

    broken = world[1].post(CHAT, json=body, headers=auth())
    again = world[1].post(CHAT, json=body, headers=auth())

    found, last = events(broken.text)
    assert broken.status_code == 200
    assert json.loads(last)["error"]["type"] == "server_error"
    assert sum(bool(each["choices"][0]["delta"].get("content")) for each in found) <= 3
    assert events(again.text)[1] == "[DONE]"
    first, second = (each for each in lines(world) if "kind" not in each)
    assert (first["code"], second["code"]) == (500, 200)
    assert (first["arm"], list(world[2].router.guard._last)) == ("canary", [deployment_of("canary-1")])


def test_numbers_that_are_none_fail_that_answer_alone(world, network, monkeypatch):
    import torch

    real = network.read
    monkeypatch.setattr(network, "read", lambda *args: real(*args) * torch.nan)
    body = {"model": "inbox/first", "messages": HELLO}

    broken = world[1].post(CHAT, json=body, headers=auth())
    monkeypatch.setattr(network, "read", real)
    again = world[1].post(CHAT, json=body, headers=auth())

    assert (broken.status_code, broken.json()["error"]["type"]) == (500, "server_error")
    assert again.status_code == 200


def test_a_request_is_kept_with_its_answer_where_texts_are(world):
    client = world[1]
    for model in ("inbox/first", "inbox/tuned"):
        kept = client.post(CHAT, json={"model": model, "messages": HELLO}, headers=auth())
        assert kept.status_code == 200
    text = kept.json()["choices"][0]["message"]["content"]

    found = lines(world)

    first, tuned = (each for each in found if "kind" not in each)
    assert (first["inputs"][0]["text"], tuned["inputs"][0].get("text")) == ("where is my order", None)
    assert first["inputs"][0]["tokens"] == kept.json()["usage"]["prompt_tokens"]
    (kept_output,), (bare,) = first["outputs"], tuned["outputs"]
    assert len(kept_output["value"]["text"].split()) == 12
    assert (kept_output["tokens"], kept_output["label"], bare["label"]) == (12, "length", "length")
    assert "value" not in bare
    assert text not in json.dumps(tuned)
    assert first["inputs"][0]["oov"] is None
    assert 0 < first["first_token_ms"] <= first["latency_ms"]
    (shadow,) = (each for each in found if each.get("kind") == "shadow")
    assert (shadow["agrees"], shadow["code"]) == (False, 200)


def test_answers_are_counted_in_tokens(world):
    usage = (
        world[1].post(CHAT, json={"model": "inbox/tuned", "messages": HELLO}, headers=auth()).json()["usage"]
    )

    families = {each.name: each.samples for each in world[2].metrics.families()}

    prefix = "lifecycle_inference_"
    assert [each.value for each in families[prefix + "prompt_tokens"]] == [usage["prompt_tokens"]]
    assert [each.value for each in families[prefix + "generated_tokens"]] == [12]
    counts = [
        each for each in families[prefix + "time_to_first_token_seconds"] if each.name.endswith("_count")
    ]
    assert [each.value for each in counts] == [1]
