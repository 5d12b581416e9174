"""An endpoint is asked over the inference server; the answer carries the name by which feedback is given."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.inference.models import TOKEN


@pytest.fixture
def asking(command, asked_server, monkeypatch):
    monkeypatch.setenv("LIFECYCLE_URL", "http://127.0.0.1:9")  # the site is not needed to ask
    monkeypatch.setenv("LIFECYCLE_TOKEN", TOKEN)
    return command


def test_one_text_gives_one_line(asking):
    said = asking("endpoints", "predict", "support", "card lost")

    head, row = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert head.split() == ["LABEL", "CONFIDENCE", "PREDICTION", "VERSION"]
    assert row.split()[:2] == ["card", "0.826"]
    assert row.split()[3:] == ["tiny", "1.0.0"]
    assert str(UUID(row.split()[2])) == row.split()[2]


def test_stdin_is_one_text_a_line_and_each_answer_has_its_own_name(asking):
    said = asking("endpoints", "predict", "support", "-", "--json", stdin="card lost\n\nmoney late\n")

    first, second = said.json
    assert (said.code, first["label"], second["label"]) == (0, "card", "money")
    assert second["prediction"] == f"{first['prediction']}:1"
    assert sorted(first["scores"]) == ["card", "money", "other"]


def test_many_texts_go_in_requests_of_64(asking):
    said = asking("endpoints", "predict", "support", "-", "--json", stdin="card lost\n" * 130)

    assert [each["prediction"].partition(":")[2] for each in said.json] == [*["", *map(str, range(1, 64))] * 2, "", "1"]
    assert len({each["prediction"].partition(":")[0] for each in said.json}) == 3


def test_no_text_is_a_mistake_in_the_call(asking):
    said = asking("endpoints", "predict", "support", "-", stdin="\n")

    assert (said.code, said.out, said.err) == (2, "", "There is no text. Give one, or one per line on stdin with -.\n")


def test_a_token_that_is_no_good_is_said_as_such(asking, monkeypatch):
    monkeypatch.setenv("LIFECYCLE_TOKEN", "lc_wrong")

    said = asking("endpoints", "predict", "support", "card lost")

    assert (said.code, said.out) == (1, "")
    assert said.err.endswith("Log in again: lifecycle login\n")


def test_an_inference_server_that_does_not_answer_is_named(asking, monkeypatch):
    monkeypatch.setenv("LIFECYCLE_INFERENCE_URL", "http://127.0.0.1:9")

    said = asking("endpoints", "predict", "support", "card lost", during=lambda: None)

    assert (said.code, said.out) == (3, "")
    assert said.err == "http://127.0.0.1:9 doesn't respond: Connection refused. Is it running, and is the address right?\n"
