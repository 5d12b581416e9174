"""Whatever a client sends for a text to be generated: an answer, or a refusal in OpenAI's form, and never a
5xx; nothing stays in progress.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.inference.models import auth
from tests.inference.test_fuzz import anything, fuzz, or_anything
from tests.inference.writing import CHAT, HELLO, events, writing

pytestmark = pytest.mark.engine
COMPLETIONS = "/v1/completions"


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Post a body, and check what comes. Returns the status, and the objects of the answer."""
    with writing(tmp_path_factory.mktemp("fuzz")) as (_, client, _server):

        def send(path, body):
            response = client.post(path, content=body, headers=auth())
            assert response.status_code < 500, response.text
            if response.headers["content-type"].startswith("text/event-stream"):
                found, last = events(response.text)
                assert last == "[DONE]"
                return response.status_code, found
            found = response.json()
            if response.status_code != 200:
                assert set(found) == {"error"}
                assert set(found["error"]) == {"message", "type", "param", "code"}
            return response.status_code, [found]

        yield send


names = st.sampled_from(["inbox/first", "inbox/second", "inbox/tuned"])
a_text = st.text(max_size=30) | st.sampled_from(["where is my order", "\0", "\ud800", "\U0001f600 e\u0301"])
parts = st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": a_text}), max_size=2)
message = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool"])},
    optional={"content": a_text | parts | anything, "name": anything},
)
options = {
    "max_tokens": or_anything(st.integers(-1, 20)),
    "temperature": or_anything(st.floats(-1, 3)),
    "top_p": or_anything(st.floats(-1, 2)),
    "seed": or_anything(st.integers()),
    "stop": or_anything(a_text | st.lists(a_text, max_size=5)),
    "stream": or_anything(st.booleans()),
    "stream_options": or_anything(st.fixed_dictionaries({"include_usage": st.booleans()})),
    "n": anything,
    "user": anything,
    "presence_penalty": anything,
    "response_format": anything,
}


@fuzz(120)
@given(
    st.fixed_dictionaries(
        {
            "model": or_anything(names),
            "messages": or_anything(st.just(HELLO) | st.lists(message, max_size=3)),
        },
        optional=options | {"logprobs": anything, "top_logprobs": or_anything(st.integers(-1, 21))},
    )
)
@example({"model": "inbox/first", "messages": HELLO, "temperature": float("nan")})
@example({"model": "inbox/first", "messages": HELLO, "max_tokens": 10**30})
@example({"model": "inbox/first", "messages": HELLO, "seed": 2**200, "temperature": 1})
@example({"model": "inbox/support", "messages": HELLO})
def test_any_chat(ask, body):
    ask(CHAT, json.dumps(body).encode())


@fuzz(80)
@given(
    st.fixed_dictionaries(
        {"model": or_anything(names), "prompt": or_anything(a_text)},
        optional=options | {"logprobs": or_anything(st.integers(-1, 6)), "echo": anything},
    )
)
@example({"model": "inbox/first", "prompt": "word " * 100_000})
def test_any_completion(ask, body):
    ask(COMPLETIONS, json.dumps(body).encode())


@fuzz(60)
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda each: each.encode("utf-8", "replace")))
@example(b"[" * 100_000)
@example(b'{"model": "inbox/first", "messages": [], "messages": 1}')
def test_any_bytes(ask, body):
    status, _ = ask(CHAT, body)

    assert status in (400, 404)


def test_the_examples_do_reach_answers(ask):
    statuses, streams = set(), set()

    @fuzz(60)
    @given(names, a_text, st.booleans(), st.integers(0, 5), st.sampled_from([0, 0.5, -1]))
    def run(name, text, stream, tokens, temperature):
        turns = [{"role": "user", "content": text}]
        body = {
            "model": name,
            "messages": turns,
            "stream": stream,
            "max_tokens": tokens,
            "temperature": temperature,
        }
        status, found = ask(CHAT, json.dumps(body).encode())
        statuses.add(status)
        streams.add(len(found) > 1)

    run()

    assert statuses == {200, 400}
    assert streams == {True, False}
