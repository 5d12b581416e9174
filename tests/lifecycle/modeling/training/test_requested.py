"""A form is for the requested data, base, and strategy; if one is missing, it shows which and starts
nothing.
"""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.utils.html import escape

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import launch_page
from lifecycle.modeling.training.models import Estimate, Run, Sweep
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from tests.support.people import make_person, make_project
from tests.support.training import make_base, make_run, make_snapshot

HTMX = {"HTTP_HX_REQUEST": "true"}
# shown at
FORMS = {
    "/runs/launch/": "/runs/launch/",
    "/runs/estimates/": "/runs/launch/",
    "/runs/sweeps/new/": "/runs/sweeps/new/",
}
EVERY_FORM = pytest.mark.parametrize("address", list(FORMS))


@pytest.fixture
def older(project, mia):
    return make_snapshot(project, mia, name="Older")


@pytest.fixture
def newer(older, project, mia):
    return make_snapshot(project, mia, name="Newer")


@pytest.fixture
def base(newer, project, mia):
    return make_base(project, mia, name="older-base")


@pytest.fixture
def hidden(shown, project):
    """A dataset version of another project."""
    other = make_project("other", "Other")
    return make_snapshot(other, make_person("nora", project=other, role=Role.LEAD))


@pytest.fixture
def few(monkeypatch):
    """A form that lists only the newest row."""
    monkeypatch.setattr(launch_page, "OFFERED", 1)


@pytest.fixture
def shown(newer, base, mia) -> dict[str, dict[str, object]]:
    """The initial data of each form, by the URL that it is sent to."""
    client = Client()
    client.force_login(mia)
    found = {}
    for address, page in FORMS.items():
        context = client.get(page).context
        form = context["form"]
        values = {
            name: value
            for name in form.fields
            if (value := form[name].value()) is not None and value is not False
        }
        chosen = {
            "dataset_version": str(context["snapshot"].uuid),
            "base": str(context["base"].uuid),
            "strategy": str(context["strategy"]),
        }
        found[address] = values | chosen
    return found


def made() -> list[Run | Estimate | Sweep]:
    return [row for model in (Run, Estimate, Sweep) for row in model.objects.all()]


@EVERY_FORM
def test_a_version_and_a_base_older_than_those_listed_are_accepted(
    client_for, mia, project, older, base, shown, few, address
):
    make_base(project, mia, name="newer-base")

    answer = client_for(mia).post(
        address, shown[address] | {"dataset_version": str(older.uuid), "base": str(base.uuid)}
    )

    assert answer.status_code == 302
    assert [(each.snapshot, each.base) for each in made()] == [(older, base)]


def test_the_form_lists_the_requested_rows_after_the_newest(
    client_for, mia, project, older, newer, base, few
):
    latest = make_base(project, mia, name="newer-base")

    context = client_for(mia).get(f"/runs/launch/?dataset_version={older.uuid}&base={base.uuid}").context

    assert (context["snapshot"], context["snapshots"]) == (older, [newer, older])
    assert (context["base"], context["bases"]) == (base, [latest, base])
    assert context["not_there"] == []


def test_the_settings_of_a_run_on_an_older_version_keep_that_version(client_for, mia, older, newer, few):
    run = make_run(older, mia, splits=(), rank=4)

    context = client_for(mia).get(f"/runs/launch/?like={run.uuid}").context

    assert (context["snapshot"], context["form"]["rank"].value(), context["not_there"]) == (older, 4, [])


@EVERY_FORM
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset_version", uuid.UUID(int=7)),
        ("dataset_version", "newest"),
        ("base", uuid.UUID(int=7)),
        ("strategy", "prompt"),
        ("strategy", "magic"),
    ],
)
def test_a_missing_object_is_refused_and_not_replaced(client_for, mia, shown, address, name, value):
    jobs, events = Job.objects.count(), Event.objects.count()

    answer = client_for(mia).post(address, shown[address] | {name: str(value)}, **HTMX)

    assert answer.status_code == 422
    assert answer.context["form"].non_field_errors() == [launch_page.NOT_THERE[name]]
    assert escape(launch_page.NOT_THERE[name]) in answer.content.decode()
    assert (made(), Job.objects.count(), Event.objects.count()) == ([], jobs, events)


@EVERY_FORM
def test_a_version_without_permission_to_train_is_refused_as_missing(client_for, mia, shown, hidden, address):
    answer = client_for(mia).post(address, shown[address] | {"dataset_version": str(hidden.uuid)})

    assert answer.status_code == 422
    assert answer.context["form"].non_field_errors() == [launch_page.NOT_THERE["dataset_version"]]
    assert made() == []


@EVERY_FORM
def test_a_base_that_does_not_fit_the_data_is_refused(client_for, mia, project, shown, address):
    decoder = make_base(project, mia, name="decoder")
    decoder.facts |= {"decoder": True}
    decoder.save(update_fields=["facts"])

    answer = client_for(mia).post(address, shown[address] | {"base": str(decoder.uuid)})

    assert answer.status_code == 422
    assert answer.context["form"].non_field_errors() == [launch_page.NOT_THERE["base"]]
    assert made() == []


@pytest.mark.parametrize("address", ["/runs/launch/", "/runs/sweeps/new/"])
@pytest.mark.parametrize("name", ["like", "dataset_version", "base", "strategy"])
def test_the_page_names_the_missing_object_and_shows_the_first(
    client_for, mia, older, newer, base, address, name
):
    answer = client_for(mia).get(address, {name: uuid.UUID(int=7)})

    context = answer.context
    assert answer.status_code == 200
    assert context["not_there"] == [launch_page.NOT_THERE[name]]
    assert answer.content.decode().count(f"<p>{escape(launch_page.NOT_THERE[name])}</p>") == 1
    assert (context["snapshot"], context["base"], context["strategy"]) == (newer, base, "lora")


@EVERY_FORM
def test_by_default_the_first_is_selected(client_for, mia, newer, base, shown, address):
    given = {
        name: value
        for name, value in shown[address].items()
        if name not in ("dataset_version", "base", "strategy")
    }

    answer = client_for(mia).post(address, given)

    assert answer.status_code == 302
    assert [(each.snapshot, each.base, each.strategy) for each in made()] == [(newer, base, "lora")]


@EVERY_FORM
def test_without_data_to_train_on_a_message_says_that_nothing_was_started(client_for, ana, shown, address):
    answer = client_for(ana).post(address, shown[address])

    assert answer.status_code == 422
    assert "No dataset version to train on" in answer.content.decode()
    assert escape(launch_page.NOT_THERE["dataset_version"]) in answer.content.decode()
    assert made() == []
