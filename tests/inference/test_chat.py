"""OpenAI's chat completions and completions: answers, streams, their fields, and what is refused."""

import json

import pytest
from starlette.testclient import TestClient

from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from tests.inference.conftest import follow
from tests.inference.models import Installation, auth, endpoint

pytestmark = pytest.mark.engine
CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "where is my order"}]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server with two versions over one base and one without, and their base."""
    from tests.support.tiny_decoders import make_lively_decoder
    from tests.support.writers import serve_writer

    folder = tmp_path_factory.mktemp("chat")
    base = make_lively_decoder(folder / "base")
    installation = Installation(folder)
    roots = {
        "first": serve_writer(installation, base, "lora", 1),
        "second": serve_writer(installation, base, "lora", 2),
        "tuned": serve_writer(installation, base, "prompt", 3),
    }
    installation.publish(
        **{name: endpoint(root, keep_text=name != "second") for name, root in roots.items()},
        support=endpoint(installation.artifact()),
    )
    made = Server(Config(data_dir=installation.folder))
    made.router.start = lambda: None
    follow(made)
    with TestClient(made.application(), raise_server_exceptions=False) as client:
        yield installation, client, made


@pytest.fixture
def client(world):
    return world[1]


@pytest.fixture
def post(client):
    def ask(path=CHAT, **fields):
        body = {"model": "inbox/first"} | ({"messages": HELLO} if path == CHAT else {"prompt": "my order"})
        return client.post(path, json=body | fields, headers=auth())

    return ask


def events(response):
    """The objects of a stream, and what came last."""
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    return [json.loads(line) for line in lines[:-1]], lines[-1]


def test_a_chat_is_answered_with_its_usage_and_names_its_version(post, world):
    response = post()

    assert response.status_code == 200
    found = response.json()
    assert (found["object"], found["model"]) == ("chat.completion", "inbox/first")
    assert found["id"] == f"chatcmpl-{response.headers['x-prediction-id']}"
    (choice,) = found["choices"]
    assert choice["message"]["role"] == "assistant"
    assert (choice["finish_reason"], choice["logprobs"]) == ("length", None)
    assert len(choice["message"]["content"].split()) == 12 == found["usage"]["completion_tokens"]
    assert found["usage"]["total_tokens"] == found["usage"]["prompt_tokens"] + 12
    assert response.headers["x-arm"] == "stable"


def test_a_stream_is_the_whole_answer_in_parts(post):
    whole = post().json()

    found, last = events(post(stream=True, stream_options={"include_usage": True}))

    assert last == "[DONE]"
    assert {each["object"] for each in found} == {"chat.completion.chunk"}
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    parts = [each["choices"][0]["delta"].get("content", "") for each in found[:-1]]
    assert "".join(parts) == whole["choices"][0]["message"]["content"]
    assert found[-2]["choices"][0]["finish_reason"] == "length"
    assert (found[-1]["choices"], found[-1]["usage"]) == ([], whole["usage"])
    assert all(each["usage"] is None for each in found[:-1])
