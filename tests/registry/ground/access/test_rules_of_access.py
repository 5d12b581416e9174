"""Rules of roles, people, and tokens, one case each at its limit: every branch that lets someone in or keeps
them out.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone

from datasets_app.datasets.models import Dataset
from lifecycle.runtime.refusals import Conflict
from registry.ground.access import actions, governing, policy
from registry.ground.access.models import ApiToken, Project, User
from registry.ground.access.policy import roles_of
from registry.ground.access.roles import ADMIN, GOVERNING, Role
from registry.ground.access.tokens import find
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.people import PASSWORD, make_admin
from tests.support.unchanged import contents, refused


@pytest.fixture
def adele(db) -> User:
    """A second organisation admin."""
    return make_admin("adele")


def payloads(user: User, *verbs: Verb) -> list[dict]:
    rows = Event.objects.filter(object_id=str(user.uuid), verb__in=verbs).order_by("pk")
    return [json.loads(row.canonical)["payload"] for row in rows]


def denied(act, **given) -> None:
    """It raises PermissionDenied, and no table has a row more or less."""
    before = contents()
    with pytest.raises(PermissionDenied):
        act(**given)
    assert contents() == before


# ── Roles ───────────────────────────────────────────────────────────────────
def test_a_lead_gives_no_role_to_themself(project, lee):
    denied(actions.grant, user=lee, role=Role.ENGINEER, root=project, actor=lee)

    assert roles_of(lee, project) == [Role.LEAD]


def test_an_admin_takes_no_role_of_their_own_but_a_lead_does(project, adam, lee):
    for person in (adam, lee):
        actions.grant(user=person, role=Role.ANALYST, root=project, actor=None)

    denied(actions.revoke, user=adam, role=Role.ANALYST, root=project, actor=adam)
    actions.revoke(user=lee, role=Role.ANALYST, root=project, actor=lee)

    assert (roles_of(adam, project), roles_of(lee, project)) == ([Role.ANALYST], [Role.LEAD])


@pytest.mark.parametrize("role", sorted(GOVERNING))
@pytest.mark.parametrize("act", [actions.grant, actions.revoke])
def test_governing_roles_belong_to_whole_projects(project, adam, lee, otto, act, role):
    inbox = Dataset.objects.create(project=project, slug="inbox", name="Inbox", language="en", created_by=lee)

    denied(act, user=otto, role=Role(role), root=inbox, actor=adam, password=PASSWORD)


def test_giving_a_role_twice_and_taking_what_no_one_has_is_recorded_once(project, lee, otto):
    for _ in range(2):
        actions.grant(user=otto, role=Role.ANALYST, root=project, actor=lee)
    for _ in range(2):
        actions.revoke(user=otto, role=Role.ANALYST, root=project, actor=lee)

    both = {
        "project": str(project.uuid),
        "role": "analyst",
        "root": f"access.project:{project.uuid}:analyst",
    }
    given = payloads(otto, Verb.ROLE_GRANTED, Verb.ROLE_REVOKED)
    assert [{key: each.get(key) for key in ("role", "root")} for each in given] == [
        {key: both[key] for key in ("role", "root")}
    ] * 2
    rows = Event.objects.filter(object_id=str(otto.uuid), verb__in=[Verb.ROLE_GRANTED, Verb.ROLE_REVOKED])
    assert {str(row.project) for row in rows} == {both["project"]}


def test_taking_one_role_leaves_the_others_and_other_people(project, lee, otto, ana):
    for role in (Role.ANALYST, Role.ENGINEER):
        actions.grant(user=otto, role=role, root=project, actor=lee)
    before = roles_of(ana, project)

    actions.revoke(user=otto, role=Role.ENGINEER, root=project, actor=lee)

    assert (roles_of(otto, project), roles_of(ana, project)) == ([Role.ANALYST], before)


def test_a_role_that_was_taken_and_given_again_is_held_since_the_second_time(project, lee, otto):
    root = policy.group_name(project, Role.ANALYST)
    since = []
    for act in (actions.grant, actions.revoke, actions.grant):
        act(user=otto, role=Role.ANALYST, root=project, actor=lee)
        since.append(policy.held_since([otto]).get((str(otto.uuid), root)))

    events = Event.objects.filter(object_id=str(otto.uuid), verb=Verb.ROLE_GRANTED).order_by("pk")
    assert since == [events[0].at, None, events[1].at]


# ── Governing roles ─────────────────────────────────────────────────────────
def test_another_role_in_the_project_is_not_the_governing_one(project, adam, gita):
    before = contents()

    with pytest.raises(Conflict):
        actions.revoke(user=gita, role=Role.AUDITOR, root=project, actor=adam, password=PASSWORD)

    assert (contents(), roles_of(gita, project)) == (before, [Role.GOVERNANCE])


def change_admin(person: User, actor: User, *, gives: bool):
    return governing.change(
        person=person, role=ADMIN, project=None, gives=gives, actor=actor, password=PASSWORD
    )


def test_who_is_an_admin_already_is_made_none_again(adam, adele):
    before = contents()

    with pytest.raises(Conflict):
        change_admin(adele, adam, gives=True)

    assert contents() == before


def test_a_dismissed_admin_manages_no_project_though_another_admin_remains(project, adam, adele):
    """As the request knows them: the dismissal came while it waited."""
    User.objects.filter(pk=adam.pk).update(is_organisation_admin=False)

    seen = [policy.can(each, "access.manage_members", project) for each in (adam, adele)]

    assert (adam.is_organisation_admin, seen) == (True, [False, True])
    assert not policy.is_organisation_admin(adam)


def test_people_who_were_deactivated_hold_nothing(project, adam, adele, ana):
    root = policy.group_name(project, Role.ANALYST)
    assert (policy.can(ana, "datasets.view", project), root in ana.groups.values_list("name", flat=True)) == (
        True,
        True,
    )
    User.objects.filter(pk__in=[ana.pk, adele.pk]).update(is_active=False)
    fresh = User.objects.get(pk=ana.pk)

    assert (policy.can(fresh, "datasets.view", project), policy.can_somewhere(fresh, "datasets.view")) == (
        False,
        False,
    )
    assert list(policy.organisation_admins()) == [adam]


def test_a_token_for_one_project_opens_no_other(project, adam, ana):
    other = Project.objects.create(name="Other", slug="other")
    for role, person in ((Role.ANALYST, ana), (Role.ANALYST, adam)):
        actions.grant(user=person, role=role, root=other, actor=None)
    for person in (ana, adam):
        person.limited_to = project.pk

    assert list(policy.visible_to(ana, Project, "datasets.view")) == [project]
    assert list(policy.visible_to(adam, Project, "access.manage_members")) == [project]
    assert policy.can(ana, "datasets.view", other) is False


def test_the_only_admin_stays_one(adam):
    with refused():
        change_admin(adam, adam, gives=False)

    adam.refresh_from_db()
    assert adam.is_organisation_admin


def test_an_admin_proposes_their_own_dismissal_which_the_other_confirms(adam, adele):
    proposal = change_admin(adam, adam, gives=False)
    adam.refresh_from_db()
    assert adam.is_organisation_admin

    governing.confirm(proposal_id=proposal.uuid, actor=adele, password=PASSWORD)

    adam.refresh_from_db()
    proposal.refresh_from_db()
    assert (adam.is_organisation_admin, proposal.state, proposal.closed_by) == (False, "confirmed", adele)
    (payload,) = payloads(adam, Verb.ADMIN_REVOKED)
    assert (payload["proposal"], payload["proposed_by"]) == (str(proposal.uuid), str(adam.uuid))


def test_a_confirmed_role_names_its_proposal(project, adam, adele, otto, gita):
    made = [
        act(user=user, role=Role.GOVERNANCE, root=project, actor=adam, password=PASSWORD)
        for act, user in ((actions.grant, otto), (actions.revoke, gita))
    ]
    for proposal in made:
        governing.confirm(proposal_id=proposal.uuid, actor=adele, password=PASSWORD)

    named = payloads(otto, Verb.ROLE_GRANTED) + payloads(gita, Verb.ROLE_REVOKED)[-1:]
    assert [(each["proposal"], each["proposed_by"]) for each in named] == [
        (str(proposal.uuid), str(adam.uuid)) for proposal in made
    ]


# ── People ──────────────────────────────────────────────────────────────────
def test_no_admin_deactivates_themself(adam, adele):
    with refused():
        actions.deactivate_user(user_id=adam.uuid, actor=adam)

    adam.refresh_from_db()
    assert adam.is_active


def test_an_admin_with_a_role_elsewhere_deactivates_who_governs(project, adam, gita):
    other = Project.objects.create(name="Other", slug="other")
    actions.grant(user=adam, role=Role.ANALYST, root=other, actor=None)

    actions.deactivate_user(user_id=gita.uuid, actor=adam)

    gita.refresh_from_db()
    assert not gita.is_active


def test_a_short_name_is_given_to_one_project(project, adam):
    with refused("slug"):
        actions.create_project(name="Again", slug=project.slug, actor=adam, password=PASSWORD)


def test_a_project_without_an_actor_has_no_lead(lee):
    made = actions.create_project(name="Demo", slug="demo", actor=None, lead=lee, is_demo=True)

    assert (made.name, made.is_demo, roles_of(lee, made)) == ("Demo", True, [])


def person(adam: User, **given) -> User:
    return actions.create_user(
        **{"username": "nora", "display_name": "Nora", "email": "", "password": None, "actor": adam} | given
    )


def test_a_user_name_that_reads_like_a_display_name_makes_no_account(adam):
    person(adam, username="first", display_name="Nora Nott")

    with refused("username"):
        person(adam, username="nora nott", display_name="Somebody")


def test_an_address_belongs_to_one_account_and_none_to_many(adam):
    first = person(adam, email="Nora@Example.org")
    person(adam, username="una", display_name="Una")
    person(adam, username="ursa", display_name="Ursa")

    with refused("email"):
        person(adam, username="vera", display_name="Vera", email="nora@example.org")

    assert (first.email, first.emailaddress_set.get().email) == ("Nora@example.org", "nora@example.org")
    made = Event.objects.filter(verb=Verb.USER_CREATED, actor=str(adam.uuid))
    assert set(made.values_list("object_id", flat=True)) == {
        str(uuid)
        for uuid in User.objects.filter(username__in=["nora", "una", "ursa"]).values_list("uuid", flat=True)
    }


# ── Tokens ──────────────────────────────────────────────────────────────────
def token_of(user: User, name: str = "nightly") -> tuple[ApiToken, str]:
    return actions.create_token(user=user, name=name, scopes=["read"], days=1)


def test_the_use_of_one_token_is_not_the_use_of_another(mia):
    (_, secret), (other, _) = token_of(mia), token_of(mia, "weekly")

    find(secret)

    assert ApiToken.objects.get(pk=other.pk).last_used_at is None


def test_a_use_within_the_minute_that_another_request_noted_is_not_noted_again(mia):
    token, secret = token_of(mia)
    now = timezone.now()
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=now - timedelta(seconds=55))

    find(secret)

    assert ApiToken.objects.get(pk=token.pk).last_used_at == now - timedelta(seconds=55)


def test_spaces_around_a_token_do_not_matter_and_a_refusal_names_the_scheme(mia):
    _, secret = token_of(mia)

    good = Client().get("/api/v1/me/", headers={"Authorization": f"Bearer   {secret}  "})
    bad = Client().get("/api/v1/me/", headers={"Authorization": "Bearer lc_unknown"})

    assert (good.status_code, bad.status_code, bad.headers["WWW-Authenticate"]) == (200, 401, "Bearer")


@pytest.mark.parametrize(("days", "good"), [(0, False), (1, True), (366, True), (367, False)])
def test_a_token_lasts_a_day_to_a_year(mia, days, good):
    if not good:
        with refused("days"):
            actions.create_token(user=mia, name="n", scopes=["read"], days=days)
        return
    token, secret = actions.create_token(user=mia, name="n", scopes=["read"], days=days)
    assert token.expires_at - token.created_at > timedelta(days=days, minutes=-1)
    assert len(secret) == len("lc_") + 43  # 32 random bytes in base64


def test_a_token_that_is_revoked_twice_ended_once(mia, adam):
    token, _ = token_of(mia)
    first = actions.revoke_token(token_id=token.uuid, actor=mia).revoked_at

    again = actions.revoke_token(token_id=token.uuid, actor=adam)

    assert (again.pk, again.revoked_at) == (token.pk, first)
    assert Event.objects.filter(verb=Verb.TOKEN_REVOKED).count() == 1
