"""The Open Inference Protocol as a client sees it, in JSON and with binary tensors."""

import asyncio
import gzip
import json
import struct

import pytest

from lifecycle.runtime.inference import answering
from tests.inference.models import LABELS, ask, auth, version_of

INFER = "/v2/models/support/infer"


def post(client, body, **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(INFER, content=content, headers=auth() | headers)


def test_an_answer_names_label_confidence_scores_version_and_prediction(client, root):
    response = post(client, ask("card", "money money", id="r-1"), **{"x-request-id": "req.7"})

    assert response.status_code == 200
    found = response.json()
    assert (found["model_name"], found["model_version"], found["id"]) == (
        "inbox/support",
        version_of(root),
        "r-1",
    )
    assert found["parameters"]["arm"] == "stable"
    assert found["parameters"]["version_label"] == "tiny 1.0.0"
    assert len(found["parameters"]["prediction_id"]) == 36
    label, confidence, scores = found["outputs"]
    assert label == {"name": "LABEL", "datatype": "BYTES", "shape": [2], "data": ["card", "money"]}
    assert confidence["shape"] == [2]
    # logits 9/3 and 18/4 against two zeros
    assert confidence["data"] == pytest.approx([0.909443, 0.978265], abs=1e-6)
    assert scores["shape"] == [2, 3]
    assert scores["parameters"] == {"labels": LABELS}
    assert sum(scores["data"][:3]) == pytest.approx(1)
    assert response.headers["x-model-version"] == version_of(root)
    assert response.headers["x-arm"] == "stable"
    assert response.headers["x-request-id"] == "req.7"


def test_only_the_requested_outputs_are_returned(client):
    found = post(client, ask("card", outputs=[{"name": "EMBEDDING"}, {"name": "LABEL"}])).json()

    assert [output["name"] for output in found["outputs"]] == ["EMBEDDING", "LABEL"]
    assert found["outputs"][0]["data"] == [9, 0, 0]


@pytest.mark.parametrize(
    "inputs", [{"shape": [2, 1], "data": [["card"], ["money"]]}, {"shape": [2], "data": ["card", "money"]}]
)
def test_nested_and_flat_data_are_the_same(client, inputs):
    found = post(client, {"inputs": [{"name": "TEXT", "datatype": "BYTES"} | inputs]}).json()

    assert found["outputs"][0]["data"] == ["card", "money"]


def test_texts_keep_their_order_whatever_their_lengths(client):
    texts = ["money " * 14, "card", "card " * 9, "money", "hello", "card card"] * 3

    found = post(client, ask(*texts)).json()

    expected = [
        "card" if text.startswith("c") else "money" if text.startswith("m") else LABELS[0] for text in texts
    ]
    assert found["outputs"][0]["data"] == expected


def test_nul_and_lone_surrogates_are_answered_and_kept_harmless(client, server):
    response = post(
        client,
        b'{"inputs":[{"name":"TEXT","datatype":"BYTES","shape":[3],"data":["card\\u0000","\\ud800'
        b' card","\\ud83d\\ude00 money"]}]}',
    )

    assert response.json()["outputs"][0]["data"] == ["card", "card", "money"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body isn't valid JSON."),
        (b"[]", "The body must be a JSON object"),
        (b"[" * 200_000, "The body isn't valid JSON."),
        (b"\xff", "The body isn't valid JSON."),
        ({}, "inputs must be a list with one tensor"),
        ({"inputs": []}, "inputs must be a list with one tensor"),
        (ask("a", id=7), "id must be a string of at most 256 characters."),
        (ask("a", parameters=[]), "parameters must be a JSON object."),
        (
            {"inputs": [{"name": "X", "datatype": "BYTES", "shape": [1], "data": ["a"]}]},
            'The input must be named "TEXT"',
        ),
        (
            {"inputs": [{"name": "TEXT", "datatype": "FP32", "shape": [1], "data": [1]}]},
            'The input must be named "TEXT"',
        ),
        (
            {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [2], "data": ["a"]}]},
            "The shape specifies 2 texts, but data contains 1.",
        ),
        (
            {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [True], "data": ["a"]}]},
            "shape must be [n] or [n, 1]",
        ),
        (
            {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1, 2], "data": ["a", "b"]}]},
            "shape must be [n] or [n, 1]",
        ),
        (
            {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [0], "data": []}]},
            "A request can contain 1 to 64 texts, got 0.",
        ),
        (ask(*["a"] * 65), "A request can contain 1 to 64 texts, got 65."),
        (
            {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": [7]}]},
            "Element 0 of data isn't a string.",
        ),
        (
            {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": "a"}]},
            "data must be a list of strings.",
        ),
        (ask("b", "a" * 100_001), "Text 1 has 100001 characters; at most 100000 are accepted."),
        (
            ask("a", outputs=[{"name": "NOPE"}]),
            "Each output must be one of LABEL, CONFIDENCE, SCORES, EMBEDDING",
        ),
        (
            ask("a", outputs=[{"name": "LABEL"}, {"name": "LABEL"}]),
            "Each output must have a name, and be listed once.",
        ),
    ],
)
def test_a_request_that_is_not_as_agreed_gets_400_and_a_sentence(client, body, sentence):
    response = post(client, body)

    assert response.status_code == 400
    assert response.json()["error"].startswith(sentence)


def test_a_body_over_one_megabyte_gets_413(client):
    for content in (b" " * 1_000_001, (b" " * 300_000 for _ in range(4))):
        response = client.post(INFER, content=content, headers=auth())

        assert response.status_code == 413
        assert response.json()["error"].startswith("The request is larger than 1000000 bytes.")


def test_a_body_that_does_not_arrive_gets_408(server, monkeypatch):
    monkeypatch.setattr(answering, "BODY_SECONDS", 0.01)
    scope = {
        "type": "http",
        "method": "POST",
        "path": INFER,
        "query_string": b"",
        "headers": [(b"authorization", auth()["authorization"].encode())],
    }
    sent = []

    async def send(message):
        sent.append(message)

    async def ask_without_body():
        await server.application()(scope, asyncio.Event().wait, send)

    asyncio.run(ask_without_body())

    assert sent[0]["status"] == 408


def test_compressed_bodies_are_read_and_bombs_refused(client):
    body = json.dumps(ask("money")).encode()

    assert post(client, gzip.compress(body), **{"content-encoding": "gzip"}).json()["outputs"][0]["data"] == [
        "money"
    ]
    assert post(client, gzip.compress(b" " * 50_000_000), **{"content-encoding": "gzip"}).status_code == 413
    assert post(client, gzip.compress(body)[:-12], **{"content-encoding": "gzip"}).status_code == 400
    assert post(client, body, **{"content-encoding": "br"}).status_code == 415


def binary(*texts, size=None):
    raw = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    tensor = {
        "name": "TEXT",
        "datatype": "BYTES",
        "shape": [len(texts)],
        "parameters": {"binary_data_size": len(raw) if size is None else size},
    }
    head = json.dumps({"inputs": [tensor], "outputs": [{"name": "LABEL"}]}).encode()
    return head + raw, {"inference-header-content-length": str(len(head))}


def test_binary_texts_are_read_by_bytes_and_not_by_characters(client):
    body, headers = binary("card né".encode(), b"money")

    assert post(client, body, **headers).json()["outputs"][0]["data"] == ["card", "money"]


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (binary(b"\xff\xfe"), "Text 0 isn't valid UTF-8."),
        (binary(b"a", size=4), "binary_data_size doesn't match: 5 bytes follow the JSON."),
        (binary(b"a", size=True), "binary_data_size doesn't match"),
        (
            (binary(b"a")[0], {"inference-header-content-length": "99999"}),
            "Inference-Header-Content-Length must be the size in bytes of the JSON at the start of the body.",
        ),
        (
            (binary(b"a")[0], {"inference-header-content-length": "-1"}),
            "Inference-Header-Content-Length must be the size in bytes of the JSON at the start of the body.",
        ),
    ],
)
def test_binary_sizes_that_do_not_fit_get_400(client, made, sentence):
    response = post(client, made[0], **made[1])

    assert response.status_code == 400
    assert response.json()["error"].startswith(sentence)


def test_a_raw_body_is_one_text_and_answers_in_binary(client):
    response = post(client, b"lost card", **{"inference-header-content-length": "0"})

    length = int(response.headers["inference-header-content-length"])
    label = json.loads(response.content[:length])["outputs"][0]
    assert response.headers["content-type"] == "application/octet-stream"
    assert label["parameters"] == {"binary_data_size": 8}
    assert response.content[length : length + 8] == struct.pack("<I", 4) + b"card"


def test_metadata_config_stats_and_index_describe_what_the_token_may_use(client, root):
    post(client, ask("card", "money"))
    get = {
        path: client.get(path, headers=auth()).json()
        for path in ("/v2/models/support", "/v2/models/support/config", "/v2/models/support/stats")
    }

    meta, config, stats = get.values()
    assert meta["versions"] == [version_of(root)]
    assert meta["inputs"] == [{"name": "TEXT", "datatype": "BYTES", "shape": [-1]}]
    assert [(output["name"], output["shape"]) for output in meta["outputs"]] == [
        ("LABEL", [-1]),
        ("CONFIDENCE", [-1]),
        ("SCORES", [-1, 3]),
        ("EMBEDDING", [-1, 3]),
    ]
    assert config["input"] == [{"name": "TEXT", "data_type": "TYPE_STRING", "dims": [-1]}]
    assert stats["model_stats"][0]["inference_count"] == 2
    assert stats["model_stats"][0]["inference_stats"]["success"]["count"] == 1
    index = client.post("/v2/repository/index", headers=auth()).json()
    assert index == [{"name": "inbox/support", "version": version_of(root), "state": "READY", "reason": ""}]


def test_a_version_in_the_path_must_be_one_that_answers(client, installation, root):
    good = client.post(
        f"/v2/models/support/versions/{version_of(root)}/infer", json=ask("card"), headers=auth()
    )
    bad = client.post("/v2/models/support/versions/1/infer", json=ask("card"), headers=auth())

    assert good.status_code == 200
    assert bad.status_code == 404
    assert bad.json() == {
        "error": "This version isn't served for this model. Omit the version to use the live one."
    }


def test_paths_and_methods_that_do_not_exist_answer_in_json(client):
    assert client.get("/nope").json()["error"].startswith("Path not found.")
    assert client.get(INFER).json() == {"error": "Method not allowed for this path."}
    assert client.get("/v2").json()["extensions"][0] == "binary_tensor_data"
