"""Fields of OpenAI's requests: what is read, and what is refused rather than ignored."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.runtime.inference.openai.asking import BadField, read_chat, read_completion
from lifecycle.runtime.inference.protocol import ProtocolError

CHAT = {"model": "inbox/writer", "messages": [{"role": "user", "content": "hello"}]}
COMPLETION = {"model": "inbox/writer", "prompt": "hello"}


def chat(**fields):
    return read_chat(json.dumps(CHAT | fields).encode())


def completion(**fields):
    return read_completion(json.dumps(COMPLETION | fields).encode())


def test_a_bare_chat_asks_for_the_likeliest_tokens():
    found = chat()

    assert (found.model, found.prompt, found.temperature, found.top_p) == (
        "inbox/writer",
        (("user", "hello"),),
        0.0,
        1.0,
    )
    assert (found.max_tokens, found.seed, found.stops, found.logprobs) == (None, None, (), False)
    assert found.is_plain


def test_fields_are_read():
    found = chat(
        messages=[
            {"role": "developer", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": "he"}, {"type": "text", "text": "llo"}]},
        ],
        max_tokens=5,
        max_completion_tokens=9,
        temperature=0.5,
        top_p=0.9,
        seed=-3,
        stop="END",
        stream=True,
        stream_options={"include_usage": True},
        logprobs=True,
        top_logprobs=2,
        user="u1",
        n=1,
        tools=[],
    )

    assert found.prompt == (("system", "be kind"), ("user", "hello"))
    assert (found.max_tokens, found.temperature, found.top_p, found.seed) == (9, 0.5, 0.9, -3)
    assert (found.stops, found.stream, found.include_usage) == (("END",), True, True)
    assert (found.logprobs, found.alternatives, found.key) == (True, 2, "u1")
    assert not found.is_plain


def test_a_completion_has_one_text():
    assert completion(logprobs=0).prompt == "hello"
    assert completion(prompt=["hello"], logprobs=3).alternatives == 3
    assert not completion().is_plain


@pytest.mark.parametrize(
    ("read", "fields", "field"),
    [
        (chat, {"model": None}, "model"),
        (chat, {"messages": None}, "messages"),
        (chat, {"messages": [{"role": "user"}]}, "messages[0].content"),
        (chat, {"messages": [{"role": "user", "content": ""}, 3]}, "messages[1]"),
        (chat, {"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        (
            chat,
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content",
        ),
        (
            chat,
            {"messages": [{"role": "user", "content": "x", "tool_calls": [1]}]},
            "messages[0].tool_calls",
        ),
        (chat, {"temperature": float("nan")}, "temperature"),
        (chat, {"temperature": 2.1}, "temperature"),
        (chat, {"temperature": True}, "temperature"),
        (chat, {"top_p": 0}, "top_p"),
        (chat, {"max_tokens": 0}, "max_tokens"),
        (chat, {"max_tokens": 1.5}, "max_tokens"),
        (chat, {"seed": 2**63}, "seed"),
        (chat, {"stop": ["a"] * 5}, "stop"),
        (chat, {"stop": [""]}, "stop"),
        (chat, {"stream": 1}, "stream"),
        (chat, {"stream_options": 1}, "stream_options"),
        (chat, {"top_logprobs": 2}, "top_logprobs"),
        (chat, {"n": 2}, "n"),
        (chat, {"n": True}, "n"),
        (chat, {"response_format": {"type": "json_object"}}, "response_format"),
        (chat, {"presence_penalty": 0.1}, "presence_penalty"),
        (chat, {"user": ""}, "user"),
        (chat, {"surprise": 1}, "surprise"),
        (chat, {"prompt": "x"}, "prompt"),
        (completion, {"prompt": ""}, "prompt"),
        (completion, {"prompt": ["a", "b"]}, "prompt"),
        (completion, {"prompt": [1, 2]}, "prompt"),
        (completion, {"echo": True}, "echo"),
        (completion, {"best_of": 3}, "best_of"),
        (completion, {"logprobs": -1}, "logprobs"),
    ],
)
def test_a_field_that_cannot_be_met_is_refused_by_its_name(read, fields, field):
    with pytest.raises(BadField) as refusal:
        read(**fields)

    assert (refusal.value.status, refusal.value.field) == (400, field)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["model", "messages", "prompt", "temperature", "top_p", "seed", "stop", "stream", "stream_options", "n"]
    + ["logprobs", "top_logprobs", "max_tokens", "user", "tools", "logit_bias", "response_format"]
)


@given(fields=st.dictionaries(NAMES, VALUES, max_size=5), read=st.sampled_from([read_chat, read_completion]))
def test_whatever_is_sent_is_read_or_refused(fields, read):
    body = json.dumps((CHAT if read is read_chat else COMPLETION) | fields).encode()
    with suppress(ProtocolError):
        found = read(body)
        assert 0 <= found.temperature <= 2
        assert 0 < found.top_p <= 1


@given(st.binary(max_size=60))
def test_bytes_that_are_no_request_are_refused(body):
    with pytest.raises(ProtocolError) as refusal:
        read_chat(body)

    assert refusal.value.status == 400
