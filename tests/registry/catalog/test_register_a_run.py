"""From a run's page to its version: one click where there is one model, a choice where there are several."""

import pytest

from lifecycle.modeling.training import ports as training
from registry.catalog.actions import create_model
from registry.catalog.models import ModelVersion
from tests.support.registry import make_version


@pytest.fixture
def run(project, mia, ana):
    return make_version(project, mia, ana).run


def test_the_only_model_is_taken_at_once(run, mia, client_for):
    model = run.versions.get().model

    answer = client_for(mia).get(f"/models/runs/{run.uuid}/register/")

    assert answer["Location"] == f"/models/{model.uuid}/register/?run={run.uuid}"


def test_several_models_are_a_choice(run, project, mia, client_for):
    other = create_model(project=project, name="Other", slug="other", purpose="x", actor=mia)

    page = client_for(mia).get(f"/models/runs/{run.uuid}/register/").content.decode()

    assert f"/models/{other.uuid}/register/?run={run.uuid}" in page


@pytest.mark.parametrize(("who", "status"), [("ana", 403), ("gita", 403), ("otto", 404)])
def test_others_do_not_register(run, request, client_for, who, status):
    assert (
        client_for(request.getfixturevalue(who)).get(f"/models/runs/{run.uuid}/register/").status_code
        == status
    )
    assert ModelVersion.objects.count() == 1


def test_the_thread_of_a_run_goes_on_to_its_version(run):
    version = run.versions.get()

    assert [(step.label, step.text) for step in training.later_steps(run)] == [("Version", str(version))]
