"""Thresholds with a target precision or recall, requested with a multi-label run."""

from __future__ import annotations

import pytest

from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.refusals import Refused
from tests.support.training import multi_label_snapshot


@pytest.fixture
def snapshot(project, mia):
    return multi_label_snapshot(project, mia)


def thresholds_of(client, run) -> str:
    """The goal of the thresholds, as the page of a run shows it."""
    answer = client.get(f"/runs/{run.uuid}/")
    text = next(each["text"] for each in answer.context["provenance"] if each["label"] == "Thresholds")
    assert f"<bdi>{text}</bdi>" in answer.content.decode()
    return text


def test_multi_label_tasks_offer_it_and_the_run_page_shows_it(snapshot, base, mia, client_for):
    client = client_for(mia)
    form = client.get("/runs/launch/").context["form"]
    values = {
        name: form[name].value()
        for name in form.fields
        if not (form[name].value() is None or form[name].value() is False)
    }
    chosen = {"dataset_version": str(snapshot.uuid), "base": str(base.uuid), "strategy": "lora"}

    client.post(
        "/runs/launch/", {**values, **chosen, "operating_point": "recall", "operating_target": "0.95"}
    )

    run = Run.objects.get()
    assert (values["operating_point"], values["operating_target"]) == ("f1", 0.9)
    assert (run.spec["operating_point"], run.spec["operating_target"]) == ("recall", 0.95)
    shown = thresholds_of(client, run)
    assert "recall" in shown
    assert "0.95" in shown


def test_the_page_shows_the_default_of_best_f1(finished, mia, client_for):
    assert "F1" in thresholds_of(client_for(mia), finished)


@pytest.mark.parametrize(
    ("field", "value"), [("operating_point", "accuracy"), ("operating_target", 0), ("operating_target", 1.1)]
)
def test_values_out_of_range_are_errors_of_their_fields(snapshot, base, mia, field, value):
    with pytest.raises(Refused) as refused:
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={field: value})

    assert list(refused.value.fields) == [field]
    assert not Run.objects.exists()
