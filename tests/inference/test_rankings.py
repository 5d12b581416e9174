"""Versions that rank candidates for a prompt: inputs, tensors over all prompts, and lines in the spool."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lifecycle.runtime.inference.inputs import MAX_TEXTS
from lifecycle.runtime.inference.protocol import HEADER_LENGTH, join_bytes
from tests.inference.models import auth

RANKING, PREFERENCE = {"task": "ranking", "labels": []}, {"task": "preference", "labels": []}
FIVE = ["refund", "money", "hello", "late", "card"]  # strengths 1, 3, 0, -1, 2


def tensor(name, values, datatype="BYTES"):
    return {"name": name, "datatype": datatype, "shape": [len(values)], "data": values}


def rank(*rows, **more):
    """A request: each row a prompt with its candidates."""
    inputs = [
        tensor("TEXT", [prompt for prompt, *_ in rows]),
        tensor("CANDIDATES", [each for _, *candidates in rows for each in candidates]),
    ]
    if len(rows) > 1:
        inputs.append(tensor("COUNTS", [len(row) - 1 for row in rows], "INT32"))
    return {"inputs": inputs} | more


@pytest.fixture
def refused(client):
    def ask_for(body, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = client.post("/v2/models/support/infer", content=content, headers=auth() | headers)
        assert response.status_code == 400
        return response.json()["error"]

    return ask_for


@pytest.mark.parametrize("binary", [False, True])
def test_candidates_get_scores_in_their_order_and_an_order_from_the_best(serve, infer, binary):
    serve(**RANKING, temperature=2.0)

    found = infer(rank(("hello", *FIVE)), binary=binary)

    assert list(found) == ["SCORES", "ORDER", "RANKS"]
    assert found["SCORES"].tolist() == [0.5, 1.5, 0, -0.5, 1]
    assert found["ORDER"].tolist() == [1, 4, 0, 2, 3]
    assert found["RANKS"].tolist() == [2, 0, 3, 4, 1]
    assert [found[name].dtype for name in found] == [np.float32, np.int32, np.int32]


@pytest.mark.parametrize("binary", [False, True])
def test_order_and_ranks_are_within_each_of_many_prompts(serve, infer, binary):
    serve(**RANKING)

    found = infer(rank(("hello", "late", "card"), ("money", "refund"), ("hello", *FIVE)), binary=binary)

    assert found["SCORES"].tolist() == [-1, 2, 4, 1, 3, 0, -1, 2]  # the prompt counts too
    assert found["ORDER"].tolist() == [1, 0, 0, 1, 4, 0, 2, 3]
    assert found["RANKS"].tolist() == [1, 0, 0, 2, 0, 3, 4, 1]


def test_equal_scores_share_a_rank_and_keep_their_order(serve, infer):
    serve(**RANKING)

    found = infer(rank(("hello", "late", "card", "card", "hello")))

    assert (found["ORDER"].tolist(), found["RANKS"].tolist()) == ([1, 2, 3, 0], [2, 0, 0, 1])


def test_one_candidate_is_a_ranking(serve, infer, kept):
    serve(**RANKING)

    found = infer(rank(("hello", "card")))

    assert (found["SCORES"].tolist(), found["ORDER"].tolist(), found["RANKS"].tolist()) == ([2], [0], [0])
    assert kept()[0]["outputs"] == [
        {"label": "1", "confidence": None, "labels": ["1"], "value": {"ranking": [0]}}
    ]


def test_many_prompts_get_what_each_gets_alone(serve, infer):
    serve(**RANKING)
    rows = [("hello", *FIVE), ("card " * 14, "card", "late"), ("", ""), ("money", *["refund " * 9] * 3)]

    together = infer(rank(*rows), binary=True)

    alone = [infer(rank(row), binary=True) for row in rows]
    for name in ("SCORES", "ORDER", "RANKS"):
        assert together[name].tolist() == np.concatenate([each[name] for each in alone]).tolist()


def test_binary_inputs_are_read_one_behind_the_other(serve, client):
    serve(**RANKING)
    prompts, candidates = join_bytes(["hello", "money"]), join_bytes(["late", "card", "né"])
    counts = np.array([2, 1], "<i4").tobytes()
    head = {
        "inputs": [
            {"name": name, "datatype": kind, "shape": [n], "parameters": {"binary_data_size": len(raw)}}
            for name, kind, n, raw in (
                ("COUNTS", "INT32", 2, counts),
                ("TEXT", "BYTES", 2, prompts),
                ("CANDIDATES", "BYTES", 3, candidates),
            )
        ]
    }
    text = json.dumps(head).encode()

    response = client.post(
        "/v2/models/support/infer",
        content=text + counts + prompts + candidates,
        headers=auth() | {HEADER_LENGTH: str(len(text))},
    )

    assert response.json()["outputs"][0]["data"] == [-1, 2, 3]


def test_what_is_no_ranking_is_refused_with_its_reason(serve, refused):
    serve(**RANKING)
    text, candidates = tensor("TEXT", ["a", "b"]), tensor("CANDIDATES", ["c", "d"])
    for inputs, sentence in (
        (
            [text],
            "inputs must be a list with the tensors TEXT (BYTES), CANDIDATES (BYTES), COUNTS (INT32, opt",
        ),
        ([text, candidates], "COUNTS needs a number of candidates for each text."),
        ([text, candidates, tensor("COUNTS", [2], "INT32")], "COUNTS needs a number of candidates for each"),
        ([text, candidates, tensor("COUNTS", [2, 0], "INT32")], "Each text needs at least one candidate."),
        ([text, candidates, tensor("COUNTS", [3, -1], "INT32")], "Each text needs at least one candidate."),
        ([text, candidates, tensor("COUNTS", [1, 2], "INT32")], "COUNTS adds up to 3, but CANDIDATES con"),
        ([text, candidates, tensor("COUNTS", [1, 2**31], "INT32")], "COUNTS: Element 1 of data isn't an int"),
        ([text, candidates, tensor("COUNTS", [True, 1], "INT32")], "COUNTS: Element 0 of data isn't an inte"),
        (
            [text, text],
            "Each input must be one of TEXT (BYTES), CANDIDATES (BYTES), COUNTS (INT32, optional)",
        ),
        ([text, tensor("COUNTS", [1, 1], "INT32")], "The request has no CANDIDATES (BYTES)."),
        ([text, tensor("CANDIDATES", [])], "CANDIDATES: A request can contain 1 to 64 texts, got 0."),
        (
            [text, tensor("CANDIDATES", ["a"] * 65)],
            "CANDIDATES: A request can contain 1 to 64 texts, got 65.",
        ),
    ):
        assert refused({"inputs": inputs}).startswith(sentence)
    assert refused(b"card", **{HEADER_LENGTH: "0"}).startswith("A raw request has one text, but this model")


def test_candidates_hold_room_in_the_queue(serve, server, infer):
    serve(**RANKING)
    asked = []
    run = server.slots.run

    async def watched(texts, work):
        asked.append(texts)
        return await run(texts, work)

    server.slots.run = watched
    infer(rank(("hello", *["card"] * (MAX_TEXTS - 3)), ("money", "card", "late", "hello")))

    assert asked == [MAX_TEXTS]


def test_metadata_and_configuration_describe_every_tensor(serve, client):
    serve(**PREFERENCE)

    about, config = (
        client.get(f"/v2/models/support{path}", headers=auth()).json() for path in ("", "/config")
    )

    assert about["inputs"] == [
        {"name": "TEXT", "datatype": "BYTES", "shape": [-1]},
        {"name": "CANDIDATES", "datatype": "BYTES", "shape": [-1]},
        {"name": "COUNTS", "datatype": "INT32", "shape": [-1]},
    ]
    assert config["input"][1:] == [
        {"name": "CANDIDATES", "data_type": "TYPE_STRING", "dims": [-1]},
        {"name": "COUNTS", "data_type": "TYPE_INT32", "dims": [-1], "optional": True},
    ]
    assert [(each["name"], each["datatype"], each["shape"]) for each in about["outputs"]] == [
        ("SCORES", "FP32", [-1]),
        ("ORDER", "INT32", [-1]),
        ("RANKS", "INT32", [-1]),
        ("CONFIDENCE", "FP32", [-1]),
        ("EMBEDDING", "FP32", [-1, 1]),
    ]


@pytest.mark.parametrize("binary", [False, True])
def test_a_preference_has_the_probability_that_the_first_is_better(serve, infer, binary):
    serve(**PREFERENCE)

    found = infer(
        rank(("hello", "card", "refund"), ("hello", "late", "card"), ("hello", "late", "late")), binary=binary
    )

    np.testing.assert_allclose(
        found["CONFIDENCE"], [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(3)), 0.5], rtol=1e-6
    )
    assert found["RANKS"].tolist() == [0, 1, 1, 0, 0, 0]


def test_a_preference_is_of_two(serve, refused):
    serve(**PREFERENCE)

    for row in (("hello", "card"), ("hello", "card", "late", "money")):
        assert refused(rank(row)) == "Each text needs two candidates."


def test_the_spool_keeps_the_ranking_and_how_sure_its_best_is(serve, infer, kept):
    serve(**RANKING, keep_text=True)
    infer(rank(("hello", "late", "card"), ("lost", "refund", "card", "money")))

    (line,) = kept()
    assert line["rows"] == 2
    assert line["outputs"] == [
        {"label": "2", "confidence": 0.952574, "labels": ["2"], "value": {"ranking": [1, 0]}},
        {"label": "3", "confidence": 0.731059, "labels": ["3"], "value": {"ranking": [2, 1, 0]}},
    ]
    first, second = line["inputs"]
    assert (first["text"], first["candidates"], first["chars"]) == ("hello", ["late", "card"], 13)
    assert (second["tokens"], second["truncated"], second["oov"]) == (15, False, 0)


def test_texts_are_not_kept_unless_the_endpoint_keeps_them(serve, infer, kept):
    serve(**RANKING)
    infer(rank(("hello", "secret")))

    assert "secret" not in json.dumps(kept())


def test_a_preference_is_kept_as_a_choice(serve, infer, kept):
    serve(**PREFERENCE)
    infer(rank(("hello", "card", "refund"), ("hello", "late", "card"), ("hello", "late", "late")))

    values = [(each["label"], each["value"]) for each in kept()[0]["outputs"]]
    assert values == [("1", {"choice": "first"}), ("2", {"choice": "second"}), ("1", {"choice": "tie"})]


def test_a_shadow_agrees_where_the_whole_order_is_the_same(serve, client, kept):
    serve(**RANKING, shadow=RANKING | {"shift": 1})
    for row in (("hello", "card", "card"), ("hello", "late", "card")):
        client.post("/v2/models/support/infer", json=rank(row), headers=auth())

    same, apart = [line for line in kept() if line.get("kind") == "shadow"]

    assert (same["code"], same["agrees"], same["label"], same["kl"]) == (200, True, "1", None)
    assert (apart["code"], apart["agrees"], apart["label"]) == (200, False, "1")


def test_a_shadow_that_reads_other_inputs_fails_and_no_client_notices(serve, client, kept):
    serve(**RANKING, shadow={})

    response = client.post("/v2/models/support/infer", json=rank(("hello", "card")), headers=auth())

    (line,) = [line for line in kept() if line.get("kind") == "shadow"]
    assert (response.status_code, line["code"], line["agrees"]) == (200, 500, None)
