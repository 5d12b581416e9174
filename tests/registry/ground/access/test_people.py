"""Who gives roles, who adds people, and who does not."""

import pytest

from lifecycle.runtime.refusals import Refused
from registry.ground.access import step_up
from registry.ground.access.models import Project, User
from registry.ground.access.policy import roles_of
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.people import PASSWORD, confirm
from tests.support.unchanged import refused


@pytest.mark.postgres
def test_a_lead_gives_and_takes_roles_and_both_are_events(project, lee, otto, client_for):
    client, form = client_for(lee), {"user": "otto", "role": "analyst"}

    client.post(f"/access/projects/{project.uuid}/grant/", form)
    assert roles_of(otto, project) == [Role.ANALYST]
    client.post(f"/access/projects/{project.uuid}/revoke/", form)
    assert roles_of(otto, project) == []

    about_otto = Event.objects.filter(object_id=str(otto.uuid), actor=str(lee.uuid)).order_by("id")
    assert [event.verb for event in about_otto] == [Verb.ROLE_GRANTED, Verb.ROLE_REVOKED]


@pytest.mark.parametrize(("who", "status"), [("ana", 403), ("gita", 403), ("otto", 404)])
def test_others_give_no_roles(project, client_for, request, who, status):
    person, otto = request.getfixturevalue(who), request.getfixturevalue("otto")
    before = roles_of(otto, project)

    answer = client_for(person).post(
        f"/access/projects/{project.uuid}/grant/", {"user": "otto", "role": "analyst"}
    )

    assert answer.status_code == status
    assert roles_of(otto, project) == before


def test_an_organisation_admin_manages_people_of_any_project_but_sees_no_role_of_their_own(
    project, adam, otto, client_for
):
    client_for(adam).post(f"/access/projects/{project.uuid}/grant/", {"user": "otto", "role": "engineer"})

    assert roles_of(otto, project) == [Role.ENGINEER]
    assert roles_of(adam, project) == []


@pytest.mark.postgres
def test_an_admin_adds_a_person_who_can_sign_in(adam, client_for, client):
    form = {"username": "nora", "display_name": "Nora", "first_password": "a long enough phrase"}
    for again in ("", "guess"):
        assert client_for(adam).post("/access/people/", form | {"password": again}).status_code == 422
    assert not User.objects.filter(username="nora").exists()

    client_for(adam).post("/access/people/", form | {"password": PASSWORD})

    assert client.login(username="nora", password="a long enough phrase")


def test_a_weak_first_password_adds_no_one(adam, client_for):
    form = {"username": "nora", "display_name": "Nora", "first_password": "short", "password": PASSWORD}
    answer = client_for(adam).post("/access/people/", form)

    assert answer.status_code == 422
    assert not User.objects.filter(username="nora").exists()


def test_a_lead_does_not_see_the_page_of_people(lee, client_for):
    assert client_for(lee).get("/access/people/").status_code == 403


@pytest.mark.postgres
def test_a_deactivated_person_is_out_at_once(adam, mia, client_for):
    session = client_for(mia)

    client_for(adam).post(f"/access/people/{mia.uuid}/deactivate/")
    assert session.get("/access/profile/").status_code == 200

    confirm(client_for(adam)).post(f"/access/people/{mia.uuid}/deactivate/")

    assert session.get("/access/profile/").status_code == 302


@pytest.mark.postgres
def test_only_an_admin_creates_projects(lee, client_for):
    assert (
        client_for(lee).post("/access/projects/create/", {"name": "Mine", "slug": "mine"}).status_code == 403
    )
    assert not Project.objects.filter(slug="mine").exists()


def test_no_one_signs_up_alone(client, db):
    client.post(
        "/accounts/signup/",
        {"username": "eve", "email": "eve@example.org", "password1": "a long enough phrase"},
    )

    assert not User.objects.filter(username="eve").exists()


def test_a_wrong_password_is_refused_recorded_and_after_five_not_even_looked_at(gita):
    for _ in range(5):
        with pytest.raises(Refused):
            step_up.confirm_password(gita, "guess")

    with refused("password"):
        step_up.confirm_password(gita, PASSWORD)
    assert Event.objects.filter(verb=Verb.SIGN_IN_FAILED, actor=str(gita.uuid)).count() == 5


def test_the_right_password_passes_in_silence(gita):
    step_up.confirm_password(gita, PASSWORD)

    assert not Event.objects.filter(verb=Verb.SIGN_IN_FAILED).exists()


@pytest.mark.postgres
def test_the_theme_is_kept(mia, client_for):
    assert client_for(mia).post("/access/theme/", {"theme": "dark"}).status_code == 204
    assert client_for(mia).post("/access/theme/", {"theme": "pink"}).status_code == 422

    mia.refresh_from_db()
    assert mia.theme == "dark"


@pytest.mark.parametrize(
    "target", ["//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example"]
)
def test_signing_in_never_leads_away_from_the_site(client, mia, target):
    answer = client.post("/accounts/login/", {"login": "mia", "password": PASSWORD, "next": target})

    assert answer.status_code == 302
    assert "evil" not in answer["Location"]
