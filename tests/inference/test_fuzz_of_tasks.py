"""As test_fuzz, for other tasks: whatever inputs a client sends, never a 5xx, and every tensor has
the size of its shape.
"""

from __future__ import annotations

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lifecycle.runtime.inference.protocol import HEADER_LENGTH, join_bytes
from monitoring.traffic.spool import parse
from tests.inference.test_fuzz import Caller, anything, check, fuzz, or_anything

CARDS = {
    "multi_label": {"thresholds": [0.6, 0.6, 0.6]},
    "spans": {},
    "ranking": {"labels": []},
    "preference": {"labels": []},
}
OUTPUTS = ["SCORES", "LABELS", "COUNTS", "START", "ENTITIES", "ORDER", "CONFIDENCE", "EMBEDDING", "NOPE"]
BYTES_OF = {"FP32": 4, "INT32": 4, "BOOL": 1}


@pytest.fixture(scope="module", params=CARDS)
def call(request, tmp_path_factory):
    made = Caller(tmp_path_factory.mktemp("fuzz"), task=request.param, **CARDS[request.param])
    yield made
    made.runner.close()
    made.server.slots.close()


def check_tensors(answer) -> None:
    """A refusal, or tensors with as many elements as their shapes say, and an entry of the spool of at most 2
    kB for each row.
    """
    found = check(answer)
    if found is None:
        return
    rest = int(answer.headers[HEADER_LENGTH]) if HEADER_LENGTH in answer.headers else len(answer.body)
    for output in found["outputs"]:
        count, size = math.prod(output["shape"]), output.get("parameters", {}).get("binary_data_size")
        if size is None:
            assert len(output["data"]) == count
            continue
        rest += size
        assert output["datatype"] == "BYTES" or size == count * BYTES_OF[output["datatype"]]
    assert rest == len(answer.body)
    (line,) = answer.kept
    assert len(parse(json.dumps(line).encode())) == line["rows"]
    assert line["rows"] == len(line["outputs"]) == len(line["inputs"])
    assert all(len(json.dumps(each, separators=(",", ":"))) <= 2_000 for each in line["outputs"])


a_text = st.text(max_size=30) | st.sampled_from(
    ["card", "lost money", "\0", "\ud800", "\U0001f600 card e\u0301"]
)
some_texts = st.lists(a_text, min_size=1, max_size=6)


@st.composite
def inputs(draw):
    """TEXT, and often CANDIDATES and COUNTS that fit it; any part may be something else."""
    texts = draw(some_texts)
    two = 2 * len(texts)  # as preferences have them
    candidates = draw(st.lists(a_text, min_size=two, max_size=two) | some_texts)
    counts = [len(candidates) // len(texts)] * len(texts)
    counts[-1] += len(candidates) - sum(counts)
    given = [("TEXT", "BYTES", texts)]
    if is_ranking := draw(st.booleans()):
        given.append(("CANDIDATES", "BYTES", candidates))
    if draw(st.sampled_from([is_ranking, is_ranking, not is_ranking])):
        given.append(("COUNTS", "INT32", draw(or_anything(st.just(counts)))))
    return [
        {
            "name": draw(or_anything(st.just(name))),
            "datatype": draw(or_anything(st.just(kind))),
            "shape": draw(or_anything(st.just([len(values) if isinstance(values, list) else 1]))),
            "data": draw(or_anything(st.just(values))),
        }
        for name, kind, values in draw(st.permutations(given))
    ]


wanted = st.fixed_dictionaries(
    {"name": st.sampled_from(OUTPUTS)},
    optional={"parameters": st.fixed_dictionaries({"binary_data": st.booleans()})},
)


@fuzz(150)
@given(
    st.fixed_dictionaries(
        {"inputs": or_anything(inputs())},
        optional={
            "outputs": st.lists(wanted, max_size=3),
            "parameters": st.fixed_dictionaries({"binary_data_output": st.booleans()}),
        },
    )
)
@example({"inputs": None})
@example({"inputs": [{"name": ["TEXT"], "datatype": {}, "shape": [1], "data": ["a"]}]})
def test_any_inputs(call, body):
    check_tensors(call(body=json.dumps(body).encode()))


@fuzz(100)
@given(
    st.lists(st.binary(max_size=8), min_size=1, max_size=3),
    st.lists(st.binary(max_size=8), min_size=1, max_size=4),
    st.lists(st.integers(-2, 4), max_size=3),
    st.sampled_from([0, 0, 0, 1, -1, 2**31]),
    anything,
)
def test_any_binary_inputs(call, texts, candidates, counts, wrong, size):
    raws = [
        b"".join(struct.pack("<I", (len(each) + wrong) % 2**32) + each for each in texts),
        join_bytes([each.decode("latin-1") for each in candidates]),
        np.array(counts, "<i4").tobytes() + b"\0" * (wrong > 0),
    ]
    names = [("TEXT", "BYTES", len(texts)), ("CANDIDATES", "BYTES", len(candidates))]
    names.append(("COUNTS", "INT32", len(counts)))
    sizes = [len(raw) for raw in raws]
    if wrong == 1:
        sizes[-1] = size
    head = json.dumps(
        {
            "inputs": [
                {"name": name, "datatype": kind, "shape": [n], "parameters": {"binary_data_size": size}}
                for (name, kind, n), size in zip(names, sizes, strict=True)
            ]
        }
    ).encode()

    check_tensors(call(headers=[(HEADER_LENGTH, str(len(head)))], body=b"".join([head, *raws])))


reranks = st.fixed_dictionaries(
    {"query": or_anything(st.text(max_size=30)), "documents": or_anything(some_texts)},
    optional={"model": or_anything(st.just("support")), "top_n": anything, "return_documents": anything},
)


@fuzz(80)
@given(reranks)
def test_any_request_to_rank_documents(call, body):
    found = check(call(path="/v1/rerank", body=json.dumps(body).encode()))
    if found is not None:
        assert 1 <= len(found["results"]) <= len(body["documents"])


def test_the_examples_do_reach_predictions(call):
    statuses = set()

    @fuzz(60)
    @given(inputs())
    def run(found):
        statuses.add(call(body=json.dumps({"inputs": found}).encode()).status)

    run()

    assert statuses == {200, 400}
