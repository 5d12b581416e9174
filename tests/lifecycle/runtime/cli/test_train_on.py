"""A run's model becomes a base from a shell."""

from __future__ import annotations

import pytest

from lifecycle.modeling.training.models import BaseModel
from tests.support import training


@pytest.fixture
def snapshot(project, mia):
    return training.make_snapshot(project, mia, name="Inbox")


def test_a_model_becomes_a_base_and_prints_how_to_start_from_it(as_person, mia, snapshot):
    run = training.make_run(snapshot, mia, splits=())

    result = as_person(mia)("base-models", "create", "1")
    again = as_person(mia)("base-models", "create", str(run.uuid), "--json")

    base = BaseModel.objects.get(kind="run")
    assert (result.code, result.err) == (0, "")
    assert (
        result.out
        == "Run 1 is a base model once its weights are merged.\nStart from it: lifecycle runs launch"
        ' DATASET@NUMBER --base "Run 1"\n'
    )
    assert (again.json["uuid"], again.json["run"]) == (str(base.uuid), str(run.uuid))


def test_a_run_of_adapters_is_refused_with_what_to_do(as_person, mia, snapshot):
    training.make_run(snapshot, mia, strategy="adapter", splits=())

    result = as_person(mia)("base-models", "create", "1")

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(
        "Bottleneck adapters doesn't change the base weights, so another run can't start from Run 1."
    )
    assert not BaseModel.objects.filter(kind="run").exists()
