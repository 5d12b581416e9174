"""Each project numbers its own runs, so a number alone is ambiguous: lists show the project, and
PROJECT/NUMBER finds one.
"""

from __future__ import annotations

import pytest

from lifecycle.modeling.training import actions
from registry.catalog.models import RegisteredModel
from tests.support import registry, training
from tests.support.people import crew, make_project


@pytest.fixture
def runs(project, mia):
    """Run 1 of each of two projects, that of inbox first."""
    made = []
    for each in (project, make_project("claims", "Claims")):
        crew(each, "mia")
        made.append(
            training.make_run(training.make_snapshot(each, mia, name=each.name), mia, succeeded=False)
        )
    return made


def test_a_number_that_two_projects_have_is_refused_with_names_that_work(as_person, mia, runs):
    command = as_person(mia)
    actions.begin(runs[1].uuid)
    actions.fail(runs[1].uuid, "one_class", "All rows have one label.", "Label more.")

    unclear, by_name, by_option = (
        command("runs", "watch", "1"),
        command("runs", "watch", "claims/1"),
        command("runs", "watch", "1", "--project", "claims"),
    )
    missing = command("runs", "watch", "other/1")

    assert (unclear.code, unclear.err) == (2, "2 projects have a run 1. Choose one of claims/1, inbox/1.\n")
    assert by_name.out == by_option.out == "Run 1 failed: All rows have one label. Label more.\n"
    assert (missing.code, missing.err.startswith("There is no project other, or you don't have access.")) == (
        1,
        True,
    )


def test_lists_name_the_project_and_what_is_printed_next_finds_the_run(as_person, mia, runs):
    command = as_person(mia)

    listed, launched = command("runs", "list"), command("runs", "launch", "claims@1")

    assert {tuple(line.split()[:2]) for line in listed.out.splitlines()} == {
        ("RUN", "PROJECT"),
        ("1", "inbox"),
        ("1", "claims"),
    }
    assert launched.out.splitlines()[1] == "Follow it: lifecycle runs watch claims/2"


def test_a_model_is_created_in_the_project_that_is_named(as_person, mia, runs):
    command = as_person(mia)

    unclear = command("models", "create", "support")
    made = command(
        "models", "create", "support", "--project", "claims", "--purpose", "Route messages", "--field", "slug"
    )
    twice = command("models", "create", "support", "--project", "claims")

    assert (unclear.code, unclear.err) == (2, "Choose a project with --project: claims, inbox.\n")
    model = RegisteredModel.objects.get()
    assert (made.out, twice.code) == ("support\n", 1)
    assert (model.project, model.name, model.purpose) == (runs[1].project, "support", "Route messages")
    assert command("models", "list").out.splitlines()[1].split() == ["support", "claims", "support"]


def test_the_only_project_needs_no_name(as_person, project, mia):
    assert as_person(mia)("models", "create", "support", "--name", "Support").code == 0
    assert RegisteredModel.objects.get().project == project


def test_a_slug_of_an_endpoint_that_two_projects_have_is_refused_with_names_that_work(
    as_person, mia, project
):
    for each in (project, make_project("claims", "Claims")):
        crew(each, "mia")
        registry.make_endpoint(registry.make_model(each, mia), mia, slug="support-triage")
    command = as_person(mia)

    unclear, by_name = (
        command("endpoints", "status", "support-triage"),
        command("endpoints", "status", "claims/support-triage"),
    )
    by_option, missing = (
        command("endpoints", "status", "support-triage", "--project", "claims"),
        command("endpoints", "status", "other/support-triage"),
    )

    assert (unclear.code, unclear.err) == (
        2,
        (
            "2 projects have an endpoint support-triage. Choose one of claims/support-triage,"
            " inbox/support-triage.\n"
        ),
    )
    assert by_name.out == by_option.out
    assert by_name.out.splitlines()[0].split() == ["Endpoint", "claims/support-triage", "(production)"]
    assert (
        missing.code,
        missing.err.startswith("There is no endpoint other/support-triage, or you don't have access."),
    ) == (1, True)
