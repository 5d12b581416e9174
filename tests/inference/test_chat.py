"""OpenAI's chat completions and completions: answers, streams, their fields, and what is refused."""

import math

import pytest

from tests.inference.models import auth
from tests.inference.writing import CHAT, HELLO, events, writing

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with writing(tmp_path_factory.mktemp("chat")) as made:
        yield made


@pytest.fixture
def client(world):
    return world[1]


@pytest.fixture
def post(client):
    def ask(path=CHAT, **fields):
        body = {"model": "inbox/first"} | ({"messages": HELLO} if path == CHAT else {"prompt": "my order"})
        return client.post(path, json=body | fields, headers=auth())

    return ask


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

    found, last = events(post(stream=True, stream_options={"include_usage": True}).text)

    assert last == "[DONE]"
    assert {each["object"] for each in found} == {"chat.completion.chunk"}
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    parts = [each["choices"][0]["delta"].get("content", "") for each in found[:-1]]
    assert "".join(parts) == whole["choices"][0]["message"]["content"]
    assert found[-2]["choices"][0]["finish_reason"] == "length"
    assert (found[-1]["choices"], found[-1]["usage"]) == ([], whole["usage"])
    assert all(each["usage"] is None for each in found[:-1])


def test_a_completion_continues_its_prompt_without_a_frame(post, client):
    whole = post("/v1/completions", max_tokens=5).json()

    found, last = events(post("/v1/completions", max_tokens=5, stream=True).text)

    assert (whole["object"], whole["usage"]["prompt_tokens"]) == ("text_completion", 2)
    assert len(whole["choices"][0]["text"].split()) == 5
    assert "".join(each["choices"][0]["text"] for each in found) == whole["choices"][0]["text"]
    assert (found[-1]["choices"][0]["finish_reason"], last) == ("length", "[DONE]")


def test_an_answer_ends_before_a_stop_text_and_counts_every_token(post):
    words = post().json()["choices"][0]["message"]["content"].split()
    stop = f"{words[2]} {words[3]}"

    whole = post(stop=stop).json()
    found, _ = events(post(stop=["never", stop], stream=True).text)

    assert whole["choices"][0]["message"]["content"] == " ".join(words[:2])
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert 4 <= whole["usage"]["completion_tokens"] <= 12
    parts = [each["choices"][0]["delta"].get("content", "") for each in found]
    assert "".join(parts) == " ".join(words[:2])


def test_a_seed_gives_the_same_text_again_and_others_other_texts(post):
    def text(**fields):
        return post(**fields).json()["choices"][0]["message"]["content"]

    greedy = text()
    drawn = [text(temperature=1.5, seed=seed) for seed in (1, 2, 3)]

    assert [text(temperature=1.5, seed=seed) for seed in (1, 2, 3)] == drawn
    assert len({greedy, *drawn}) > 2
    assert text(temperature=1.5, seed=1, top_p=1e-9) == greedy == text(temperature=0, seed=9)


def test_log_probabilities_are_those_of_the_model(post, world):
    import torch

    from lifecycle.runtime.engine.decoders import open_decoder

    installation, _, server = world
    answer = post(logprobs=True, top_logprobs=2, max_tokens=3).json()["choices"][0]
    streamed, _ = events(post(logprobs=True, top_logprobs=2, max_tokens=3, stream=True).text)

    writer = server.router.table.endpoints["inbox/first"].arms[0].engine
    root = server.router.table.endpoints["inbox/first"].arms[0].arm.root_digest
    folder = installation.serving / "artifacts" / root
    model = open_decoder(folder, installation.serving / "bases" / writer.card.base_digest, writer.card)
    ids = [*writer.version.chat([("user", HELLO[0]["content"])]).ids]
    content = answer["logprobs"]["content"]
    for each in content:
        with torch.no_grad():
            logs = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1], -1)
        best = torch.topk(logs, 2)
        assert each["logprob"] == pytest.approx(float(best.values[0]), abs=1e-4)
        assert [rival["logprob"] for rival in each["top_logprobs"]] == pytest.approx(
            best.values.tolist(), abs=1e-4
        )
        assert each["token"] == writer.version.spelled(int(best.indices[0]))
        assert bytes(each["bytes"]).decode() == each["token"]
        ids.append(int(best.indices[0]))
    parts = [each["choices"][0]["logprobs"] for each in streamed]
    assert [one for part in parts if part for one in part["content"]] == content


@pytest.mark.parametrize(
    ("path", "fields", "status", "param", "code"),
    [
        (CHAT, {"model": "inbox/none"}, 404, None, "model_not_found"),
        (CHAT, {"model": "inbox/support"}, 400, "model", None),
        (CHAT, {"messages": []}, 400, "messages", None),
        (CHAT, {"messages": [*HELLO, {"role": "assistant", "content": "x"}]}, 400, "messages", None),
        (CHAT, {"messages": [{"role": "robot", "content": "x"}]}, 400, "messages[0].role", None),
        (CHAT, {"max_tokens": 127}, 400, "messages", "context_length_exceeded"),
        ("/v1/completions", {"prompt": "card " * 128}, 400, "prompt", "context_length_exceeded"),
        (CHAT, {"temperature": -1}, 400, "temperature", None),
        (CHAT, {"tools": [{}]}, 400, "tools", "unsupported_value"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_openais_form(path, fields, status, param, code, post):
    response = post(path, **fields)

    assert response.status_code == status
    error = response.json()["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert error["message"]


def test_a_token_is_needed_and_models_are_those_that_write(client):
    refused = client.get("/v1/models")
    listed = client.get("/v1/models", headers=auth()).json()

    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert [each["id"] for each in listed["data"]] == ["inbox/first", "inbox/second", "inbox/tuned"]


def test_the_same_prompt_gets_the_same_answer_over_the_open_inference_protocol(client, post):
    body = {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": [HELLO[0]["content"]]}]}

    found = {}
    for name in ("first", "second", "tuned"):
        response = client.post(f"/v2/models/inbox/{name}/infer", json=body, headers=auth())
        outputs = {each["name"]: each["data"] for each in response.json()["outputs"]}
        found[name] = outputs["RESPONSE"][0]
        chat = post(model=f"inbox/{name}", logprobs=True).json()["choices"][0]
        logs = [each["logprob"] for each in chat["logprobs"]["content"]]
        assert outputs["RESPONSE"] == [chat["message"]["content"]]
        assert outputs["FINISH"] == [chat["finish_reason"]]
        assert outputs["TOKENS"] == [12]
        assert outputs["CONFIDENCE"][0] == pytest.approx(math.exp(sum(logs) / len(logs)), rel=1e-5)

    assert len(set(found.values())) == 3
