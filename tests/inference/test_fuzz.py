"""For any client input: never a 5xx, every refusal is {"error": sentence}, every answer has the requested
parts, every line can be stored.

The application is called as a server would call it, byte for byte, so that no client library repairs a
request on its way.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from lifecycle.runtime.inference.protocol import HEADER_LENGTH, MAX_TEXTS
from tests.inference.conftest import follow
from tests.inference.models import LABELS, TOKEN, Installation, endpoint

INFER = "/v2/models/support/infer"
OUTPUTS = ("LABEL", "CONFIDENCE", "SCORES", "EMBEDDING")
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"]
WORDS = [
    *(
        "v2",
        "models",
        "support",
        "infer",
        "versions",
        "stats",
        "config",
        "ready",
        "health",
        "live",
        "repository",
        "index",
        "metrics",
    ),
    *("", ".", "..", "nothing", "1", "\N{REPLACEMENT CHARACTER}", "a" * 300),
]


@dataclass(frozen=True)
class Answer:
    """A response. kept: the spool's lines of this request."""

    status: int
    headers: dict[str, str]
    body: bytes
    kept: list[dict]


class Caller:
    """A server with a stable version and a canary of half the traffic, called without a socket. card: of
    both.
    """

    def __init__(self, folder, **card) -> None:
        installation = Installation(folder)
        stable, canary = installation.artifact(**card), installation.artifact(1, **card)
        installation.publish(support=endpoint(stable, canary=canary, share=5_000, keep_text=True))
        self.server = Server(Config(data_dir=folder))
        follow(self.server)
        self.kept: list[dict] = []
        self.server.spool.put = self.kept.append
        self.application = self.server.application()
        self.runner = asyncio.Runner()
        self.digests = (stable, canary)

    def __call__(self, method="POST", path=INFER, headers=(), body=b"", token=TOKEN) -> Answer:
        """One request; a token of None leaves the header out."""
        given = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        if token is not None:
            given.append((b"authorization", f"Bearer {token}".encode("utf-8", "replace")))
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": given,
            "client": ("127.0.0.1", 1),
        }
        self.kept.clear()
        sent = self.runner.run(self._exchange(scope, body))
        head = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Answer(
            sent[0]["status"], head, b"".join(part.get("body", b"") for part in sent[1:]), list(self.kept)
        )

    async def _exchange(self, scope, body):
        sent = []
        messages = iter(
            [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]
        )

        async def receive():
            return next(messages)

        async def send(message):
            sent.append(message)

        await self.application(scope, receive, send)
        return sent


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    made = Caller(tmp_path_factory.mktemp("fuzz"))
    yield made
    made.runner.close()
    made.server.slots.close()


def fuzz(examples):
    """So many examples of no particular speed, and the same ones each time: a failure here is one that
    everybody sees.
    """
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def check(answer: Answer) -> dict | None:
    """The promise to every client. Returns the JSON of an answer that is no refusal."""
    assert answer.status < 500, answer.body
    for line in answer.kept:
        json.loads(json.dumps(line, allow_nan=False).encode("utf-8"))
    if answer.status >= 400:
        refusal = json.loads(answer.body)
        assert list(refusal) == ["error"]
        assert refusal["error"].endswith((".", '".'))
        return None
    length = answer.headers.get(HEADER_LENGTH)
    return json.loads(answer.body if length is None else answer.body[: int(length)])


def check_prediction(answer: Answer) -> None:
    """A refusal, or as many labels, confidences and scores as there were texts."""
    found = check(answer)
    if found is None:
        return
    rest = int(answer.headers[HEADER_LENGTH]) if HEADER_LENGTH in answer.headers else len(answer.body)
    counts = {output["shape"][0] for output in found["outputs"]}
    assert len(counts) == 1
    assert 1 <= next(iter(counts)) <= MAX_TEXTS
    for output in found["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            raw, rest = answer.body[rest : rest + size], rest + size
            assert len(raw) == size
        elif output["name"] == "LABEL":
            assert set(output["data"]) <= set(LABELS)
        elif output["name"] == "CONFIDENCE":
            assert all(0 < value <= 1 for value in output["data"])
    assert rest == len(answer.body)
    assert answer.headers["x-arm"] in ("stable", "canary")


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["TEXT", "BYTES", "LABEL", 10**400])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
texts = st.lists(
    st.text(max_size=30) | st.sampled_from(["card", "lost money", "\0", "\ud800", "\U0001f600" * 20]),
    min_size=1,
    max_size=5,
)


@st.composite
def or_anything(draw, good):
    """Mostly valid, sometimes not."""
    return draw(anything if draw(st.integers(0, 19)) == 7 else good)


@st.composite
def requests(draw):
    """A valid request, of which any part may be something else or missing."""
    found = draw(texts)
    tensor = {
        "name": draw(or_anything(st.just("TEXT"))),
        "datatype": draw(or_anything(st.just("BYTES"))),
        "shape": draw(or_anything(st.sampled_from([[len(found)], [len(found), 1]]))),
        "data": draw(or_anything(st.just(found))),
    }
    names = st.sampled_from([*OUTPUTS, "NOPE"])
    flags = st.fixed_dictionaries({"binary_data": or_anything(st.booleans())})
    wanted = st.fixed_dictionaries({"name": or_anything(names)}, optional={"parameters": or_anything(flags)})
    key = st.fixed_dictionaries(
        {},
        optional={
            "route_key": or_anything(st.text(max_size=300)),
            "binary_data_output": or_anything(st.booleans()),
        },
    )
    body = {"inputs": draw(or_anything(st.just([tensor])))}
    extra = {"outputs": st.lists(wanted, max_size=5), "parameters": key, "id": st.text(max_size=260)}
    for name, good in extra.items():
        if draw(st.booleans()):
            body[name] = draw(or_anything(good))
    if draw(st.integers(0, 9)) == 0:
        tensor.pop(draw(st.sampled_from(sorted(tensor))))
    return body


@fuzz(150)
@given(requests())
@example({"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [10**400], "data": ["a"]}]})
@example(
    {
        "inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": [[["a"]]]}],
        "parameters": {"route_key": "\ud800"},
    }
)
@example({"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": ["a"]}], "id": "\udfff\0"})
def test_any_json(call, body):
    check_prediction(call(body=json.dumps(body).encode()))


@fuzz(100)
@given(st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
@example(b"9" * 5_000)
@example(b'{"inputs":' + b"[" * 100_000)
@example(b'{"inputs": NaN}')
def test_any_bytes(call, body):
    check_prediction(call(body=body))


latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)
numbers = (
    st.integers(-5, 400).map(str)
    | st.sampled_from(["", "9" * 5_000, "\xb2", "1_0", " 7", "+7", "0x10", "1e3"])
    | latin
)
HEADERS = {
    HEADER_LENGTH: numbers,
    "content-encoding": st.sampled_from(["gzip", "deflate", "identity", "br", "GZIP"]) | latin,
    "content-length": numbers,
    "x-route-key": latin | st.just("k" * 300),
    "x-request-id": latin,
    "content-type": latin,
    "accept": latin,
}
GOOD = json.dumps(
    {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": ["card"]}]}
).encode()


@fuzz(200)
@given(
    st.fixed_dictionaries({}, optional=HEADERS),
    st.sampled_from([GOOD, gzip.compress(GOOD), gzip.compress(GOOD)[:-5], b"", b"\x1f\x8b"]),
)
@example({HEADER_LENGTH: "9" * 5_000}, GOOD)
@example({"content-length": "\xb2"}, GOOD)
@example({"content-length": "9" * 5_000}, GOOD)
def test_any_headers(call, headers, body):
    check_prediction(call(headers=list(headers.items()), body=body))


@fuzz(100)
@given(
    latin
    | st.sampled_from(
        ["Bearer", "Bearer ", "bearer  x y", "Basic YTpi", f"BEARER {TOKEN}", f"Bearer {TOKEN}\xff"]
    )
)
def test_any_authorisation(call, value):
    check_prediction(call(headers=[("authorization", value)], body=GOOD, token=None))


@st.composite
def binary_tensors(draw):
    """JSON and raw bytes behind it, with lengths that may be wrong by a little or by much."""
    parts = draw(st.lists(st.binary(max_size=12) | st.sampled_from([b"card", "né".encode()]), max_size=4))
    wrong = draw(st.sampled_from([0, 0, 0, 1, -1, 2**31]))
    raw = b"".join(struct.pack("<I", max(0, len(part) + wrong) % 2**32) + part for part in parts) + draw(
        st.sampled_from([b"", b"", b"\0", b"\xff" * 4])
    )
    size = draw(st.sampled_from([len(raw), len(raw), len(raw) + 1, -1, True, 10**30, None, "4"]))
    tensor = {
        "name": "TEXT",
        "datatype": "BYTES",
        "shape": [draw(st.sampled_from([len(parts), len(parts), 1, 0]))],
    }
    tensor["parameters"] = {"binary_data_size": size}
    body = {
        "inputs": [tensor],
        "outputs": [
            {"name": name, "parameters": {"binary_data": True}}
            for name in draw(st.sets(st.sampled_from([*OUTPUTS])))
        ],
    }
    head = json.dumps(body).encode()
    length = draw(
        st.sampled_from(
            [len(head), len(head), len(head), 0, len(head) - 1, len(head) + 1, len(head + raw) + 1]
        )
    )
    return head + raw, str(length)


@fuzz(250)
@given(binary_tensors())
def test_any_binary_tensor(call, made):
    check_prediction(call(headers=[(HEADER_LENGTH, made[1])], body=made[0]))


@fuzz(250)
@given(
    st.sampled_from(METHODS),
    st.lists(
        st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=7
    ),
    st.sampled_from([TOKEN, "wrong", "", None, "x" * 600]),
    st.sampled_from([GOOD, b""]),
)
@example("POST", ["v2", "models", "support", "versions", "nothing", "infer"], TOKEN, GOOD)
@example("GET", ["v2", "models", "support", ""], TOKEN, b"")
@example("TRACE", ["v2"], None, b"")
def test_any_path_method_and_token(call, method, words, token, body):
    check(call(method, "/" + "/".join(words), body=body, token=token))


@fuzz(60)
@given(
    latin
    | st.sampled_from(
        [
            "application/openmetrics-text;version=x",
            "text/plain;version=9e9",
            "application/openmetrics-text;version=1.0.0",
        ]
    )
)
def test_metrics_in_any_format(call, accept):
    answer = call("GET", "/metrics", headers=[("accept", accept)])

    assert answer.status == 200
    assert b"lifecycle_inference_ready 1.0" in answer.body


def test_the_examples_do_reach_predictions(call):
    """A fuzz test that only ever sees refusals would prove nothing."""
    statuses = []

    @fuzz(40)
    @given(requests())
    def run(body):
        statuses.append(call(body=json.dumps(body).encode()).status)

    run()

    assert {200, 400} <= set(statuses)
