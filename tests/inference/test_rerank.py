"""/v1/rerank is a ranking in another form, with the same answers, refusals, and records."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.inference.conftest import follow
from tests.inference.models import OTHER_TOKEN, TOKEN, auth, endpoint, version_of

GUIDE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
RANKING = {"task": "ranking", "labels": []}
ASKED = {"model": "inbox/support", "query": "hello", "documents": ["refund", "late", "money"]}


@pytest.fixture
def rerank(client):
    def post(body, token=TOKEN):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post("/v1/rerank", content=content, headers=auth(token))

    return post


def test_documents_come_best_first_with_their_scores(serve, rerank, installation, kept):
    serve(**RANKING)

    response = rerank(ASKED)

    (line,) = kept()
    assert response.json() == {
        "id": line["uuid"],
        "model": "inbox/support",
        "results": [
            {"index": 2, "relevance_score": 3.0},
            {"index": 0, "relevance_score": 1.0},
            {"index": 1, "relevance_score": -1.0},
        ],
    }
    assert response.headers["x-arm"] == "stable"
    assert (line["rows"], line["code"], line["outputs"][0]["value"]) == (1, 200, {"ranking": [2, 0, 1]})


def test_the_best_few_can_be_returned_with_their_texts(serve, rerank):
    serve(**RANKING)

    found = rerank(
        ASKED | {"top_n": 1, "return_documents": True, "documents": ["late", {"text": "card"}]}
    ).json()

    assert found["results"] == [{"index": 1, "relevance_score": 2.0, "document": {"text": "card"}}]


def test_the_model_may_be_left_out_where_the_token_has_one(installation, server, rerank):
    rankings = {"support": TOKEN, "other": TOKEN, "third": OTHER_TOKEN}
    digest = installation.artifact(**RANKING)
    installation.publish(**{name: endpoint(digest, token=token) for name, token in rankings.items()})
    follow(server)
    unnamed = {name: ASKED[name] for name in ("query", "documents")}

    several, one = rerank(unnamed), rerank(unnamed, OTHER_TOKEN)

    assert (several.status_code, one.status_code) == (400, 200)
    assert several.json()["error"] == "This token can use several models: name one in model."
    assert (one.json()["model"], one.headers["x-model-version"]) == ("inbox/third", version_of(digest))
    assert rerank(ASKED, OTHER_TOKEN).status_code == 404


def test_what_is_no_request_is_refused_with_its_reason(serve, rerank):
    serve(**RANKING)
    for body, sentence in (
        (b"[", "The body isn't valid JSON."),
        (b"[]", 'The body must be a JSON object with "query" and "documents".'),
        ({"documents": ["a"]}, "query must be a string"),
        (ASKED | {"model": 7}, "query must be a string, and model"),
        (ASKED | {"documents": []}, "documents must be a list of 1 to 64 texts."),
        (ASKED | {"documents": ["a"] * 65}, "documents must be a list of 1 to 64 texts."),
        (ASKED | {"documents": [{"text": 1}]}, "Each document must be a string"),
        (ASKED | {"top_n": 0}, "top_n must be a whole number of at least 1."),
        (ASKED | {"top_n": True}, "top_n must be a whole number of at least 1."),
        (ASKED | {"query": "a" * 100_001}, "TEXT: Text 0 has 100001 characters"),
    ):
        response = rerank(body)
        assert response.status_code == 400
        assert response.json()["error"].startswith(sentence)


def test_a_model_that_ranks_nothing_says_so(serve, rerank, kept):
    serve()

    response = rerank(ASKED)

    assert (response.status_code, response.json()["error"]) == (
        400,
        "This model doesn't rank documents. Use its /v2 address.",
    )
    assert kept()[0]["code"] == 400


def test_it_needs_a_token_and_post(serve, rerank, client):
    serve(**RANKING)

    assert rerank(ASKED, "wrong").status_code == 401
    assert client.get("/v1/rerank", headers=auth()).status_code == 405


def test_the_request_of_the_guide_is_answered_as_there(installation, server, rerank):
    installation.publish(**{"support-inbox/answers-prod": endpoint(installation.artifact(**RANKING))})
    follow(server)
    asked = re.search(r"/v1/rerank .+?-d '(.+?)'", GUIDE, re.DOTALL)[1]
    shown = json.loads(re.search(r'^\{"id".+\]\}$', GUIDE, re.MULTILINE)[0])

    found = rerank(asked.encode()).json()

    assert found.keys() == shown.keys()
    assert [each.keys() for each in found["results"]] == [each.keys() for each in shown["results"]]
