"""A version with a threshold for one label applies it wherever a prediction is returned."""

from __future__ import annotations

import pytest

from lifecycle.runtime import bundle
from lifecycle.runtime.inference import engines
from lifecycle.runtime.inference.engines import read_card
from lifecycle.runtime.refusals import Refused
from tests.inference.conftest import follow
from tests.inference.models import ask, auth, endpoint

UNLABELED = "hello"  # a third each: without a threshold the first label is predicted


def chosen(threshold, label="other"):
    """The threshold in lifecycle.json."""
    return {"format": 2, "deciding": {"label": label, "by": "recall", "target": 0.9, "threshold": threshold}}


def infer(installation, server, client, *texts, **card):
    """{output: data} of an endpoint whose version has this card."""
    installation.publish(support=endpoint(installation.artifact(**card)))
    follow(server)
    answer = client.post("/v2/models/support/infer", json=ask(*texts), headers=auth())
    assert answer.status_code == 200
    return {each["name"]: each["data"] for each in answer.json()["outputs"]}


def test_the_label_and_its_confidence_are_those_of_the_threshold(installation, server, client):
    found = infer(installation, server, client, UNLABELED, "card", **chosen(0.3))

    assert found["LABEL"] == ["other", "card"]
    assert found["CONFIDENCE"] == pytest.approx([1 / 3, 0.909443], abs=1e-6)


def test_below_the_threshold_the_likeliest_of_the_others_is_the_answer(installation, server, client):
    assert infer(installation, server, client, UNLABELED, **chosen(0.4))["LABEL"] == ["card"]
    assert infer(installation, server, client, "card", **chosen(0.95, "card"))["LABEL"] == ["money"]


def test_the_spool_and_the_models_description_agree(installation, server, client):
    infer(installation, server, client, UNLABELED, **chosen(0.3))
    server.spool.stop()

    (kept,) = installation.spooled()
    described = client.get("/v2/models/support", headers=auth()).json()["parameters"]
    assert (kept["outputs"][0]["label"], kept["outputs"][0]["confidence"]) == ("other", 0.333333)
    assert described["deciding"] == {"label": "other", "threshold": 0.3}


def test_without_a_threshold_nothing_is_described_and_the_likeliest_answers(installation, server, client):
    assert infer(installation, server, client, UNLABELED)["LABEL"] == ["card"]
    assert "deciding" not in client.get("/v2/models/support", headers=auth()).json()["parameters"]


def test_what_is_kept_of_an_answer_is_the_label_that_was_given(installation):
    folder = installation.serving / "artifacts" / installation.artifact(**chosen(0.3))

    prediction = engines.load(folder, bundle.manifest(folder)).predict([UNLABELED])

    assert [(each["label"], each["confidence"]) for each in prediction.spooled()] == [("other", 0.333333)]


@pytest.mark.parametrize(
    "card",
    [
        chosen(0.3, "unknown"),
        chosen(1.3),
        chosen("high"),
        {"format": 2},
        {"format": 2, "deciding": None},
        {"format": 3},
    ],
)
def test_a_threshold_that_cannot_be_applied_is_refused_and_never_left_out(installation, card):
    folder = installation.serving / "artifacts" / installation.artifact(**card)

    with pytest.raises(Refused, match=r"lifecycle\.json is invalid"):
        read_card((folder / "lifecycle.json").read_bytes())
