"""Lead, governance, audit and organisation admin are given by admins without a part in the project: by two
where there are two.
"""

from __future__ import annotations

import json
import re

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from datasets_app.datasets.models import Dataset
from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog.models import RegisteredModel
from registry.ground.access import actions, governing, policy
from registry.ground.access.models import Project, RoleProposal, User
from registry.ground.access.policy import roles_of
from registry.ground.access.queries import known_people
from registry.ground.access.roles import ADMIN, GOVERNING, WORKING, Role
from registry.ground.ledger.models import Event
from tests.support import registry
from tests.support.people import PASSWORD, make_admin, make_person, make_project
from tests.support.unchanged import refused


@pytest.fixture
def adele(db) -> User:
    """A second organisation admin."""
    return make_admin("adele")


@pytest.fixture
def waiting(project, adam, adele, otto) -> RoleProposal:
    """Adam proposed Otto as governance reviewer."""
    return actions.grant(user=otto, role=Role.GOVERNANCE, root=project, actor=adam, password=PASSWORD)


def state() -> tuple:
    groups = sorted(User.objects.values_list("username", "groups__name", "is_organisation_admin"), key=str)
    return (
        groups,
        list(RoleProposal.objects.values_list("state", "closed_by")),
        Event.objects.count(),
        Project.objects.count(),
    )


def events_about(user: User) -> list[tuple[str, str, dict]]:
    rows = (
        Event.objects.filter(object_id=str(user.uuid))
        .order_by("pk")
        .values_list("verb", "actor", "canonical")
    )
    return [(verb, actor, json.loads(canonical)["payload"]) for verb, actor, canonical in rows]


@pytest.mark.parametrize("role", sorted(GOVERNING))
def test_a_lead_neither_gives_nor_takes_a_governing_role(project, lee, gita, otto, role):
    before = state()

    for act, user in ((actions.grant, otto), (actions.revoke, gita)):
        with pytest.raises(PermissionDenied):
            act(user=user, role=Role(role), root=project, actor=lee, password=PASSWORD)

    assert state() == before


def test_a_lead_still_gives_and_takes_the_other_roles(project, lee, otto):
    for role in WORKING:
        actions.grant(user=otto, role=role, root=project, actor=lee)
    assert roles_of(otto, project) == list(WORKING)

    for role in WORKING:
        actions.revoke(user=otto, role=role, root=project, actor=lee)
    assert roles_of(otto, project) == []


def test_the_only_admin_gives_and_takes_at_once(project, adam, otto):
    for act, held in ((actions.grant, [Role.AUDITOR]), (actions.revoke, [])):
        assert act(user=otto, role=Role.AUDITOR, root=project, actor=adam, password=PASSWORD) is None
        assert roles_of(otto, project) == held

    assert [(verb, actor) for verb, actor, _ in events_about(otto)] == [
        ("access.role_granted", str(adam.uuid)),
        ("access.role_revoked", str(adam.uuid)),
    ]


def whole(project: Project, lead: User) -> Project:
    return project


def model(project: Project, lead: User) -> RegisteredModel:
    return registry.make_model(project, lead)


def dataset(project: Project, lead: User) -> Dataset:
    return Dataset.objects.create(project=project, slug="inbox", name="Inbox", language="en", created_by=lead)


ROOTS = pytest.mark.parametrize("root", [whole, model, dataset])


@ROOTS
def test_an_admin_with_a_part_in_the_project_changes_none_of_its_governing_roles(
    project, adam, adele, lee, otto, waiting, root
):
    actions.grant(user=adele, role=Role.ANALYST, root=root(project, lee), actor=None)
    before = state()

    with pytest.raises(PermissionDenied):
        actions.grant(user=otto, role=Role.AUDITOR, root=project, actor=adele, password=PASSWORD)
    with pytest.raises(PermissionDenied):
        governing.confirm(proposal_id=waiting.uuid, actor=adele, password=PASSWORD)
    with pytest.raises(PermissionDenied):
        governing.end(proposal_id=waiting.uuid, actor=adele)

    assert state() == before


def test_without_the_right_password_nothing_changes_but_the_trail(project, adele, otto, waiting):
    groups, proposals, events, projects = state()

    for at, attempt in enumerate(
        (
            lambda: actions.grant(user=otto, role=Role.LEAD, root=project, actor=adele, password="guess"),
            lambda: governing.confirm(proposal_id=waiting.uuid, actor=adele, password=""),
            lambda: governing.change(
                person=otto, role=ADMIN, project=None, gives=True, actor=adele, password="guess"
            ),
            lambda: actions.create_project(name="New", slug="new", lead=otto, actor=adele, password="guess"),
        ),
        start=1,
    ):
        with pytest.raises(Refused) as refusal:
            attempt()
        assert list(refusal.value.fields) == ["password"]
        assert state() == (groups, proposals, events + at, projects)
    assert set(Event.objects.order_by("-pk").values_list("verb", flat=True)[:4]) == {"access.sign_in_failed"}


def test_of_two_admins_one_proposes_and_the_other_confirms(project, adam, adele, otto, waiting):
    assert roles_of(otto, project) == []

    done = governing.confirm(proposal_id=waiting.uuid, actor=adele, password=PASSWORD)

    assert roles_of(otto, project) == [Role.GOVERNANCE]
    assert (done.state, done.closed_by, done.proposed_by) == ("confirmed", adele, adam)
    payload, group = (
        {
            "role": "governance",
            "proposal": str(waiting.uuid),
        },
        f"access.project:{project.uuid}:governance",
    )
    assert events_about(otto) == [
        ("access.role_proposed", str(adam.uuid), payload | {"gives": True}),
        ("access.role_granted", str(adele.uuid), payload | {"root": group, "proposed_by": str(adam.uuid)}),
    ]


def test_a_role_is_taken_by_two_as_it_is_given_by_two(project, adam, adele, gita):
    proposal = actions.revoke(user=gita, role=Role.GOVERNANCE, root=project, actor=adam, password=PASSWORD)
    assert roles_of(gita, project) == [Role.GOVERNANCE]

    governing.confirm(proposal_id=proposal.uuid, actor=adele, password=PASSWORD)

    assert roles_of(gita, project) == []


def test_no_one_confirms_their_own_proposal_nor_a_role_for_themself(project, adam, adele, waiting):
    own = actions.grant(user=adele, role=Role.AUDITOR, root=project, actor=adam, password=PASSWORD)
    before = state()

    for proposal, actor in ((waiting, adam), (own, adele)):
        with pytest.raises(PermissionDenied):
            governing.confirm(proposal_id=proposal.uuid, actor=actor, password=PASSWORD)

    assert state() == before


def test_a_proposal_that_someone_wrote_into_the_database_is_not_confirmed(project, adam, adele, otto):
    forged = RoleProposal.objects.create(
        project=project, person=otto, role=Role.LEAD, gives=True, proposed_by=adele
    )

    with refused(by=Conflict):
        governing.confirm(proposal_id=forged.uuid, actor=adam, password=PASSWORD)


def test_a_proposal_that_was_moved_to_another_project_is_not_confirmed(project, adam, adele, otto, waiting):
    elsewhere = make_project("elsewhere", "Elsewhere")
    RoleProposal.objects.update(project=elsewhere)
    before = state()

    with pytest.raises(Conflict):
        governing.confirm(proposal_id=waiting.uuid, actor=adele, password=PASSWORD)

    assert state() == before
    assert (RoleProposal.objects.get().state, roles_of(otto, elsewhere)) == ("open", [])


def confirm_and_take_back(project, adam, adele, otto, waiting):
    governing.confirm(proposal_id=waiting.uuid, actor=adele, password=PASSWORD)
    otto.groups.clear()


@pytest.mark.parametrize(
    "finish",
    [
        lambda project, adam, adele, otto, waiting: governing.end(proposal_id=waiting.uuid, actor=adam),
        lambda project, adam, adele, otto, waiting: governing.end(proposal_id=waiting.uuid, actor=adele),
        confirm_and_take_back,
    ],
    ids=["withdrawn", "rejected", "confirmed"],
)
def test_a_proposal_that_has_ended_is_not_confirmed_though_someone_set_it_back(
    project, adam, adele, otto, waiting, finish
):
    finish(project, adam, adele, otto, waiting)
    RoleProposal.objects.update(state="open", closed_by=None, closed_at=None)
    before = state()

    with pytest.raises(Conflict):
        governing.confirm(proposal_id=waiting.uuid, actor=adele, password=PASSWORD)

    assert state() == before
    assert roles_of(otto, project) == []


def test_an_admin_does_not_leave_a_project_to_govern_it_at_once(project, adam, otto):
    actions.grant(user=adam, role=Role.ENGINEER, root=project, actor=None)

    with refused(by=PermissionDenied):
        actions.revoke(user=adam, role=Role.ENGINEER, root=project, actor=adam)


@pytest.mark.parametrize(("who", "ended"), [("adam", "withdrawn"), ("adele", "rejected")])
def test_a_proposal_is_withdrawn_by_its_author_and_refused_by_another(
    project, otto, waiting, request, who, ended
):
    actor = request.getfixturevalue(who)

    assert governing.end(proposal_id=waiting.uuid, actor=actor).state == ended

    assert (roles_of(otto, project), events_about(otto)[-1][:2]) == (
        [],
        (f"access.role_proposal_{ended}", str(actor.uuid)),
    )
    agnes = make_admin("agnes")
    with refused(by=Conflict, naming=(ended,)):
        governing.confirm(proposal_id=waiting.uuid, actor=agnes, password=PASSWORD)
    with refused(by=Conflict, naming=(ended,)):
        governing.end(proposal_id=waiting.uuid, actor=actor)


def lose_admin(adam, otto, project):
    User.objects.filter(pk=adam.pk).update(is_organisation_admin=False)


def join(adam, otto, project):
    actions.grant(user=adam, role=Role.ENGINEER, root=project, actor=None)


def leave(adam, otto, project):
    User.objects.filter(pk=otto.pk).update(is_active=False)


def hold_it(adam, otto, project):
    actions.grant(user=otto, role=Role.GOVERNANCE, root=project, actor=None)


@pytest.mark.parametrize("change", [lose_admin, join, leave, hold_it])
def test_a_proposal_is_judged_again_when_it_is_confirmed(project, adam, adele, otto, waiting, change):
    change(adam, otto, project)
    before = state()

    with pytest.raises((Conflict, Refused)):
        governing.confirm(proposal_id=waiting.uuid, actor=adele, password=PASSWORD)

    assert state() == before


@pytest.mark.postgres
def test_one_change_is_proposed_once(project, adam, adele, otto, waiting):
    governing.change(person=otto, role=ADMIN, project=None, gives=True, actor=adam, password=PASSWORD)
    before = state()

    with pytest.raises(Conflict):
        actions.grant(user=otto, role=Role.GOVERNANCE, root=project, actor=adele, password=PASSWORD)
    with pytest.raises(Conflict):
        governing.change(person=otto, role=ADMIN, project=None, gives=True, actor=adele, password=PASSWORD)
    for wrong in ({"role": "admin", "project": project}, {"role": "lead", "project": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            RoleProposal.objects.create(person=otto, gives=True, proposed_by=adam, **wrong)

    assert state() == before


def test_who_is_an_organisation_admin_is_changed_by_two_as_well(adam, adele, otto):
    made = governing.change(person=otto, role=ADMIN, project=None, gives=True, actor=adam, password=PASSWORD)
    governing.confirm(proposal_id=made.uuid, actor=adele, password=PASSWORD)
    assert sorted(policy.organisation_admins().values_list("username", flat=True)) == [
        "adam",
        "adele",
        "otto",
    ]

    removal = governing.change(
        person=adele, role=ADMIN, project=None, gives=False, actor=adam, password=PASSWORD
    )
    with refused(naming=(str(adele),)):
        actions.deactivate_user(user_id=adele.uuid, actor=adam)
    governing.confirm(proposal_id=removal.uuid, actor=User.objects.get(pk=otto.pk), password=PASSWORD)
    actions.deactivate_user(user_id=adele.uuid, actor=adam)

    assert sorted(policy.organisation_admins().values_list("username", flat=True)) == ["adam", "otto"]
    assert [verb for verb, _, _ in events_about(adele)] == [
        "access.role_proposed",
        "access.admin_revoked",
        "access.user_deactivated",
    ]


def test_the_last_admin_stays_one_and_no_admin_is_made_with_the_account(adam):
    before = state()

    with refused():
        governing.change(person=adam, role=ADMIN, project=None, gives=False, actor=adam, password=PASSWORD)
    with pytest.raises(PermissionDenied):
        actions.create_user(
            username="eve", display_name="Eve", email="", password=PASSWORD, actor=adam, admin=True
        )

    assert state() == before


@ROOTS
def test_an_admin_with_a_part_in_a_project_deactivates_none_of_those_who_govern_it(
    project, adam, gita, lee, ana, root
):
    actions.grant(user=adam, role=Role.ENGINEER, root=root(project, lee), actor=None)

    with refused(by=PermissionDenied, naming=(str(gita),)):
        actions.deactivate_user(user_id=gita.uuid, actor=adam)

    assert actions.deactivate_user(user_id=ana.uuid, actor=adam).is_active is False


@pytest.mark.parametrize("second", [False, True])
def test_who_makes_a_project_names_its_lead_and_is_not_it(adam, otto, client_for, request, second):
    if second:
        request.getfixturevalue("adele")
    form = {"name": "New", "slug": "new", "lead": "adam", "password": PASSWORD}
    client, before = client_for(adam), state()
    assert client.post("/access/projects/create/", form).status_code == 422
    assert state() == before

    assert client.post("/access/projects/create/", form | {"lead": "otto"}).status_code == 302

    made = Project.objects.get(slug="new")
    assert roles_of(otto, made) == ([] if second else [Role.LEAD])
    assert list(RoleProposal.objects.values_list("project", "role", "person")) == (
        [(made.pk, "lead", otto.pk)] if second else []
    )


@pytest.mark.postgres
def test_the_pages_propose_show_confirm_and_end(project, adam, adele, otto, gita, lee, client_for):
    first, second = client_for(adam), client_for(adele)
    about = f"/access/projects/{project.uuid}/"
    form = {"governing-user": "otto", "governing-role": "auditor", "governing-password": PASSWORD}

    assert first.post(f"{about}grant/", form | {"governing-password": "guess"}).status_code == 422
    assert not RoleProposal.objects.exists()
    assert first.post(f"{about}grant/", form).status_code == 302
    proposal = RoleProposal.objects.get()
    assert [
        (f'data-proposal="{proposal.uuid}"' in page, "Otto" in page, "Auditor" in page)
        for page in (
            second.get(about).content.decode(),
            second.get("/access/people/").content.decode(),
            client_for(lee).get(about).content.decode(),
        )
    ] == [(True, True, True)] * 3
    assert (
        second.post(f"/access/proposals/{proposal.uuid}/confirm/", {"password": "guess"}).status_code == 422
    )
    assert (
        second.post(f"/access/proposals/{proposal.uuid}/confirm/", {"password": PASSWORD}).status_code == 302
    )
    assert roles_of(otto, project) == [Role.AUDITOR]

    removal = form | {"governing-user": "gita", "governing-role": "governance"}
    assert first.post(f"{about}revoke/", removal).status_code == 302
    assert second.post(f"/access/proposals/{RoleProposal.objects.latest('pk').uuid}/end/").status_code == 302
    admin = {"admin-user": "otto", "admin-password": PASSWORD, "admin-gives": "1"}
    assert first.post("/access/people/admins/", admin).status_code == 302
    assert list(RoleProposal.objects.order_by("pk").values_list("role", "gives", "state")) == [
        ("auditor", True, "confirmed"),
        ("governance", False, "rejected"),
        ("admin", True, "open"),
    ]


def test_a_lead_is_refused_by_every_door(project, lee, otto, gita, client_for):
    client, before = client_for(lee), state()
    page = {"governing-user": "otto", "governing-role": "governance", "governing-password": PASSWORD}
    api = {"user": str(otto.uuid), "role": "governance", "password": PASSWORD}

    assert client.post(f"/access/projects/{project.uuid}/grant/", page).status_code == 403
    assert (
        client.post(
            f"/access/projects/{project.uuid}/grant/", {"user": "otto", "role": "governance"}
        ).status_code
        == 422
    )
    assert (
        client.post(
            f"/api/v1/projects/{project.uuid}/members/", api, content_type="application/json"
        ).status_code
        == 403
    )
    assert (
        client.delete(
            f"/api/v1/projects/{project.uuid}/members/", api, content_type="application/json"
        ).status_code
        == 403
    )

    assert state() == before


def test_the_api_proposes_lists_confirms_and_ends(project, adam, adele, otto, client_for):
    first, second, kind = client_for(adam), client_for(adele), {"content_type": "application/json"}
    body = {"user": str(otto.uuid), "role": "lead", "password": PASSWORD}
    path = f"/api/v1/projects/{project.uuid}/members/"

    made = first.post(path, body, **kind)
    assert (made.status_code, made.json()["state"], made.json()["project"]) == (
        202,
        "open",
        str(project.uuid),
    )
    assert [row["uuid"] for row in second.get("/api/v1/role-proposals/").json()] == [made.json()["uuid"]]
    done = second.post(
        f"/api/v1/role-proposals/{made.json()['uuid']}/confirm/", {"password": PASSWORD}, **kind
    )
    assert (done.status_code, done.json()["state"], roles_of(otto, project)) == (
        200,
        "confirmed",
        [Role.LEAD],
    )
    taken = first.delete(path, body, **kind).json()
    assert first.post(f"/api/v1/role-proposals/{taken['uuid']}/end/").json()["state"] == "withdrawn"


def test_a_lead_is_offered_the_people_of_their_projects_and_an_admin_all(project, lee, adam, ana, otto):
    make_person("zoe", project=make_project("other"), role=Role.ANALYST)

    assert list(known_people(lee).values_list("username", flat=True)) == ["ana", "lee"]
    assert list(known_people(adam).values_list("username", flat=True)) == [
        "adam",
        "ana",
        "lee",
        "otto",
        "zoe",
    ]
    assert not known_people(otto).exists()


def test_the_page_of_a_project_names_no_one_of_another(project, lee, ana, client_for):
    make_person("zoe", project=make_project("other"), role=Role.ANALYST)

    page = client_for(lee).get(f"/access/projects/{project.uuid}/").content.decode()

    assert 'value="ana"' in page
    assert "zoe" not in page.lower()


def test_the_page_says_of_a_rejected_proposal_what_its_button_says(client_for, waiting, adele):
    page = client_for(adele).get("/access/people/").content.decode()
    answer = client_for(adele).post(f"/access/proposals/{waiting.uuid}/end/", follow=True)

    button = re.search(rf'formaction="/access/proposals/{waiting.uuid}/end/"[^>]*>([^<]*)</button>', page)[1]
    said = str(next(iter(answer.context["messages"])))
    verb, what = button.split()
    assert said.lower() == f"{what} {verb}ed".lower()
    assert RoleProposal.objects.get().state == "rejected"
