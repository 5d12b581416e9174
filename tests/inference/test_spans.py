"""Versions that find spans: their tensors over all texts, places in code points, and their lines in the
spool.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from lifecycle.runtime.task_types.by_key.served import served_of
from tests.inference.models import LABELS, ask, auth

SPANS = {"task": "spans"}
NAMES = ["COUNTS", "START", "END", "LABEL", "CONFIDENCE"]
FIREFIGHTER = "\N{MAN}\N{EMOJI MODIFIER FITZPATRICK TYPE-1-2}\N{ZERO WIDTH JOINER}\N{FIRE ENGINE}"


def spans_of(found):
    """(start, end, label) of each text's spans, as a client reads them from the tensors."""
    ends = np.cumsum(found["COUNTS"].astype(int))[:-1]
    columns = [np.split(found[name], ends) for name in NAMES[1:]]
    return [
        [(int(start), int(end), as_text(label)) for start, end, label in zip(*each[:3], strict=True)]
        for each in zip(*columns, strict=True)
    ]


def as_text(value):
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("binary", [False, True])
def test_spans_of_all_texts_are_parallel_tensors_in_text_order(serve, infer, binary):
    serve(**SPANS)

    found = infer(ask("hello card lost, money", "hello", "money"), binary=binary)

    assert list(found) == NAMES
    assert [found[name].dtype for name in NAMES if name != "LABEL"] == [np.int32] * 3 + [np.float32]
    assert found["COUNTS"].tolist() == [2, 0, 1]
    assert spans_of(found) == [[(6, 15, "card"), (17, 22, "money")], [], [(0, 5, "money")]]
    sure = [np.exp(9) / (np.exp(9) + np.exp(2) + 5), np.exp(4) / (np.exp(4) + np.exp(2) + 5)]
    np.testing.assert_allclose(found["CONFIDENCE"], [*sure, sure[1]], rtol=1e-6)


@pytest.mark.parametrize("binary", [False, True])
def test_a_request_without_any_span_has_empty_tensors(serve, infer, binary):
    serve(**SPANS)

    found = infer(ask("hello", "", "..."), binary=binary)

    assert found["COUNTS"].tolist() == [0, 0, 0]
    assert [found[name].shape for name in NAMES[1:]] == [(0,)] * 4
    assert spans_of(found) == [[], [], []]


def test_empty_tensors_keep_their_datatype_on_the_wire(serve, client):
    serve(**SPANS)
    body = ask("hello", outputs=[{"name": name, "parameters": {"binary_data": True}} for name in NAMES])

    response = client.post("/v2/models/support/infer", json=body, headers=auth())

    head = json.loads(response.content[: int(response.headers["inference-header-content-length"])])
    described = {each["name"]: (each["datatype"], each["shape"]) for each in head["outputs"]}
    assert described == {
        "COUNTS": ("INT32", [1]),
        "START": ("INT32", [0]),
        "END": ("INT32", [0]),
        "LABEL": ("BYTES", [0]),
        "CONFIDENCE": ("FP32", [0]),
    }
    assert [each["parameters"]["binary_data_size"] for each in head["outputs"]] == [4, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "text",
    [
        f"{FIREFIGHTER} card",
        "cafe\N{COMBINING ACUTE ACCENT} card",
        "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE} card",
        "\ud800\0 card",
        "  card  ",
        "\N{IDEOGRAPHIC SPACE}card\u200b",
    ],
)
def test_places_are_code_points_of_the_text_as_it_was_sent(serve, client, text):
    serve(**SPANS)

    response = client.post("/v2/models/support/infer", content=json.dumps(ask(text)).encode(), headers=auth())

    found = {each["name"]: each["data"] for each in response.json()["outputs"]}
    assert [text[start:end] for start, end in zip(found["START"], found["END"], strict=True)] == ["card"]


def test_entities_are_the_same_as_json(serve, infer):
    serve(**SPANS)

    found = infer(
        ask(f"{FIREFIGHTER} card lost", "hello", outputs=[{"name": name} for name in [*NAMES, "ENTITIES"]])
    )

    (entity,), nothing = (json.loads(each) for each in found["ENTITIES"])
    assert (entity["start"], entity["end"], entity["label"]) == (5, 14, "card")
    assert entity["confidence"] == pytest.approx(float(found["CONFIDENCE"][0]), abs=1e-6)
    assert nothing == []


def test_a_text_is_read_to_its_maximum_length(serve, infer, kept):
    serve(**SPANS, max_tokens=5)
    found = infer(ask("hello hello hello card", "card hello hello"))

    assert spans_of(found) == [[], [(0, 4, "card")]]
    assert [each["truncated"] for each in kept()[0]["inputs"]] == [True, False]


def test_many_texts_get_what_each_gets_alone(serve, infer):
    serve(**SPANS)
    texts = ["card", "lost money late", "hello " * 11, "refund", "card lost", "", "money card lost"] * 4

    together = infer(ask(*texts), binary=True)

    alone = [infer(ask(text), binary=True) for text in texts]
    assert spans_of(together) == [spans_of(each)[0] for each in alone]
    np.testing.assert_allclose(
        together["CONFIDENCE"], np.concatenate([each["CONFIDENCE"] for each in alone]), atol=1e-6
    )


def test_pieces_of_a_unit_have_one_tag(serve, infer):
    serve(**SPANS, unit="spaced", format=3)

    assert spans_of(infer(ask("card-hello, money")))[0] == [(0, 10, "card"), (12, 17, "money")]


def test_metadata_and_configuration_describe_every_tensor(serve, client):
    serve(**SPANS)

    about, config = (
        client.get(f"/v2/models/support{path}", headers=auth()).json() for path in ("", "/config")
    )

    datatypes = {
        "COUNTS": "INT32",
        "START": "INT32",
        "END": "INT32",
        "LABEL": "BYTES",
        "CONFIDENCE": "FP32",
        "ENTITIES": "BYTES",
        "EMBEDDING": "FP32",
    }
    assert {each["name"]: each["datatype"] for each in about["outputs"]} == datatypes
    assert [each["name"] for each in config["output"]] == list(datatypes)
    assert {each["data_type"] for each in config["output"]} == {"TYPE_INT32", "TYPE_STRING", "TYPE_FP32"}


def test_the_spool_keeps_the_spans_and_their_mean_confidence(serve, infer, kept):
    serve(**SPANS)
    found = infer(ask("money, card lost, money", "hello"))

    (line,) = kept()
    first, second = line["outputs"]
    assert first == {
        "label": "card, money",
        "confidence": round(float(found["CONFIDENCE"].mean(dtype=np.float64)), 6),
        "labels": ["money", "card", "money"],
        "value": {
            "spans": [
                {"start": 0, "end": 5, "label": "money"},
                {"start": 7, "end": 16, "label": "card"},
                {"start": 18, "end": 23, "label": "money"},
            ]
        },
    }
    assert second == {"label": "", "confidence": None, "labels": [], "value": {"spans": []}}
    assert (line["rows"], line["inputs"][0]["tokens"]) == (2, 8)


def test_a_line_has_at_most_2_kb_for_a_text_however_many_spans_it_has():
    class Card:
        labels = ("label " * 18, "other")

    spans = [{"start": at, "end": at + 1, "label": Card.labels[0], "confidence": 0.5} for at in range(1_000)]

    (entry,) = served_of("spans").spooled(None, [{"spans": spans}], Card())

    assert len(json.dumps(entry, separators=(",", ":"))) <= 2_000
    assert "value" not in entry
    assert 10 <= len(entry["labels"]) < 1_000


def test_a_shadow_agrees_where_its_spans_are_the_same(serve, client, kept):
    serve(**SPANS, shadow=SPANS | {"labels": [LABELS[0], *LABELS[:0:-1]], "temperature": 2.0})
    for text in ("card lost", "money"):
        client.post("/v2/models/support/infer", json=ask(text), headers=auth())

    same, apart = [line for line in kept() if line.get("kind") == "shadow"]

    assert (same["code"], same["agrees"], same["kl"], same["label"]) == (200, True, None, "card")
    assert (apart["code"], apart["agrees"], apart["label"]) == (200, False, "other")
