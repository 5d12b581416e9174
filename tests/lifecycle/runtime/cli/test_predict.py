"""endpoints predict calls the inference server; each prediction has the id that feedback refers to."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.inference.models import OTHER_TOKEN, TOKEN


@pytest.fixture
def predict_command(command, inference_server, monkeypatch):
    monkeypatch.setenv("LIFECYCLE_URL", "http://127.0.0.1:9")  # the site is not needed to ask
    monkeypatch.setenv("LIFECYCLE_TOKEN", TOKEN)
    return command


def test_one_text_gives_one_line(predict_command):
    result = predict_command("endpoints", "predict", "support", "card lost")

    head, row = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert head.split() == ["LABEL", "CONFIDENCE", "PREDICTION", "VERSION"]
    assert row.split()[:2] == ["card", "0.826"]
    assert row.split()[3:] == ["tiny", "1.0.0"]
    assert str(UUID(row.split()[2])) == row.split()[2]


def test_stdin_is_one_text_a_line_and_each_answer_has_its_own_name(predict_command):
    result = predict_command(
        "endpoints", "predict", "support", "-", "--json", stdin="card lost\n\nmoney late\n"
    )

    first, second = result.json
    assert (result.code, first["label"], second["label"]) == (0, "card", "money")
    assert second["prediction"] == f"{first['prediction']}:1"
    assert sorted(first["scores"]) == ["card", "money", "other"]


def test_predictions_of_other_tasks_are_shown_as_their_outputs(predict_command, monkeypatch):
    monkeypatch.setenv("LIFECYCLE_TOKEN", OTHER_TOKEN)

    result = predict_command("endpoints", "predict", "topics", "card lost")
    (found,) = predict_command("endpoints", "predict", "topics", "card lost", "--json").json

    head, *rows = result.out.splitlines()
    assert (result.code, head.split()) == (0, ["OUTPUT", "VALUES", "PREDICTION", "VERSION"])
    assert [row.split()[0] for row in rows] == ["SCORES", "DECIDED", "THRESHOLDS", "LABELS"]
    assert found["outputs"]["LABELS"] == ['["card"]']
    assert found["version"] == "tiny 1.0.0"


def test_many_texts_go_in_requests_of_64(predict_command):
    result = predict_command("endpoints", "predict", "support", "-", "--json", stdin="card lost\n" * 130)

    assert [each["prediction"].partition(":")[2] for each in result.json] == [
        *["", *map(str, range(1, 64))] * 2,
        "",
        "1",
    ]
    assert len({each["prediction"].partition(":")[0] for each in result.json}) == 3


def test_no_text_is_a_usage_error(predict_command):
    result = predict_command("endpoints", "predict", "support", "-", stdin="\n")

    assert (result.code, result.out, result.err) == (
        2,
        "",
        "There is no text. Give one, or one per line on stdin with -.\n",
    )


def test_an_invalid_token_is_reported(predict_command, monkeypatch):
    monkeypatch.setenv("LIFECYCLE_TOKEN", "lc_wrong")

    result = predict_command("endpoints", "predict", "support", "card lost")

    assert (result.code, result.out) == (1, "")
    assert result.err.endswith("Log in again: lifecycle login\n")


def test_an_inference_server_that_does_not_answer_is_named(predict_command, monkeypatch):
    monkeypatch.setenv("LIFECYCLE_INFERENCE_URL", "http://127.0.0.1:9")

    result = predict_command("endpoints", "predict", "support", "card lost", during=lambda: None)

    assert (result.code, result.out) == (3, "")
    assert (
        result.err
        == "http://127.0.0.1:9 doesn't respond: Connection refused. Is it running, and is the address"
        " right?\n"
    )
