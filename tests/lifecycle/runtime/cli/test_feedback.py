"""Feedback on one prediction or a file of them: sent in batches, continued where it stopped, counted once."""

from __future__ import annotations

import json

import pytest

from lifecycle.runtime.cli import batches
from lifecycle.runtime.inference.spool import timed_uuid
from monitoring.traffic import actions
from monitoring.traffic.models import Feedback, Prediction
from tests.support import endpoints


@pytest.fixture
def endpoint(live_endpoint):
    return live_endpoint


@pytest.fixture
def answered(endpoint):
    """Three requests: of one text, of two, of one. Returns the uuids of the requests."""
    two = (("where is it", "delivery", 0.8), ("too dear", "billing", 0.6))
    lines = [
        endpoints.spool_line(endpoint),
        endpoints.spool_line(endpoint, *two),
        endpoints.spool_line(endpoint),
    ]
    endpoints.write_segment(*lines)
    actions.ingest()
    assert Prediction.objects.count() == 4
    return [line["uuid"] for line in lines]


@pytest.fixture
def file(tmp_path):
    def write(*lines: object):
        path = tmp_path / "feedback.jsonl"
        path.write_text(
            "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        )
        return path

    return write


def test_a_wrong_prediction_with_the_right_label(as_person, ana, answered):
    result = as_person(ana)("feedback", "give", answered[0], "wrong", "--label", "refund")

    kept = Feedback.objects.get()
    assert (result.code, result.out, result.err) == (0, "Saved: wrong, refund.\n", "")
    assert (str(kept.prediction.uuid), kept.right, kept.label, kept.user) == (
        answered[0],
        False,
        "refund",
        ana,
    )


def test_the_second_text_of_a_request_is_named_as_predict_prints_it(as_person, ana, answered):
    result = as_person(ana)("feedback", "give", f"{answered[1]}:1", "right", "--json")

    assert result.json["right"] is True
    assert Feedback.objects.get().prediction.text == "too dear"


def test_a_label_that_is_close_to_one_is_corrected(as_person, ana, answered):
    result = as_person(ana)("feedback", "give", answered[0], "wrong", "--label", "refnd")

    assert (result.code, result.out) == (1, "")
    assert "Did you mean refund?" in result.err
    assert not Feedback.objects.exists()


def test_a_prediction_that_has_not_arrived_is_waited_for(as_person, ana, endpoint):
    line = endpoints.spool_line(endpoint)

    def arrives():
        endpoints.write_segment(line)
        actions.ingest()

    result = as_person(ana)("feedback", "give", line["uuid"], "right", during=arrives)

    assert (result.code, len(result.waits)) == (0, 1), result.err
    assert Feedback.objects.get().right


def test_the_wait_for_a_prediction_is_limited(as_person, ana, endpoint):
    result = as_person(ana)("feedback", "give", str(timed_uuid()), "right")

    assert (result.code, result.waits) == (1, [5.0] * 4)
    assert not Feedback.objects.exists()


def test_a_file_sent_twice_counts_once(as_person, ana, answered, file):
    path = file(
        {"prediction": answered[0], "right": False, "label": "refund"},
        "",
        {"prediction": f"{answered[1]}:1", "right": True},
        {"prediction": answered[1], "index": 0, "right": True},
    )

    result = [as_person(ana)("feedback", "send", str(path)) for _ in range(2)]

    assert [(each.code, each.out) for each in result] == [(0, "Feedback on 3 predictions is saved.\n")] * 2
    assert Feedback.objects.count() == 3


def test_many_lines_go_in_batches_and_a_stop_prints_where_to_continue(
    as_person, ana, answered, file, monkeypatch
):
    monkeypatch.setattr(batches, "BATCH", 2)
    path = file(
        {"prediction": answered[0], "right": True},
        {"prediction": answered[1], "right": True},
        {"prediction": answered[2], "right": True},
        {"prediction": answered[1] + ":1", "right": False, "label": "nothing"},
    )
    command = as_person(ana)

    stopped = command("feedback", "send", str(path))
    path.write_text(path.read_text().replace("nothing", "refund"))
    goes_on = command("feedback", "send", str(path), "--from", "3")

    assert (stopped.code, stopped.out) == (1, "")
    assert stopped.err.splitlines()[:2] == ["2 lines sent", f"2 lines sent. Continue with: {path} --from 3"]
    assert "'nothing'" in stopped.err
    assert (goes_on.code, goes_on.out) == (0, "Feedback on 2 predictions is saved.\n")
    assert Feedback.objects.count() == 4


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "Line 2 isn't JSON. Each line is one object."),
        ("[1]", "Line 2 isn't a JSON object."),
        (
            '{"prediction": "7", "right": true}',
            "Line 2: '7' isn't a prediction. Write it as `lifecycle endpoints predict` prints it.",
        ),
        ('{"right": "yes"}', 'Line 2: "right" must be true or false.'),
    ],
)
def test_an_unreadable_line_is_named_by_its_number(as_person, ana, answered, file, line, error):
    path = file({"prediction": answered[0], "right": True}, line)

    result = as_person(ana)("feedback", "send", str(path))

    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1] == error
    assert not Feedback.objects.exists()


def test_server_errors_are_named_by_line(as_person, ana, answered, file):
    path = file(
        "",
        {"prediction": answered[0], "right": True},
        "",
        {"prediction": answered[1], "right": True, "label": "x" * 200},
    )

    result = as_person(ana)("feedback", "send", str(path))

    assert result.code == 1
    assert result.err.splitlines()[-1].startswith("  line 4 label: ")
    assert not Feedback.objects.exists()


@pytest.mark.parametrize(
    "words",
    [[], ["5d0c"], ["5d0c", "right", "--file", "x"], ["--file", "nothing.jsonl"], ["5d0c", "perhaps"]],
)
def test_contradicting_options_are_a_usage_error(as_person, ana, project, words):
    result = as_person(ana)("feedback", "give", *words)

    assert (result.code, result.out) == (2, "")
    assert result.err


def test_a_file_that_is_not_there_is_named(as_person, ana, project):
    result = as_person(ana)("feedback", "send", "nothing.jsonl")

    assert (result.code, result.out) == (2, "")
    assert "nothing.jsonl can't be read" in result.err


def test_feedback_needs_its_own_scope(as_person, ana, answered):
    result = as_person(ana, "read", "label")("feedback", "give", answered[0], "right")

    assert (result.code, result.err) == (
        1,
        (
            "This token lacks the scope feedback. Create a token with that scope in your profile, then:"
            " lifecycle login\n"
        ),
    )
    assert not Feedback.objects.exists()
