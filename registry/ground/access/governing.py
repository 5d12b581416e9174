"""Roles of control, and who gives them: an organisation admin without a part in the project, two of them
where there are two.

With a second admin a change is a proposal that waits until another admin confirms it; a sole one's change
takes effect at once. Who is an organisation admin is changed in the same way.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone
from guardian.shortcuts import assign_perm

from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access import policy, step_up
from registry.ground.access.models import Project, RoleProposal, User
from registry.ground.access.roles import ADMIN, Role
from registry.ground.ledger import accounts
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

State = RoleProposal.State
ENDED_BY = frozenset(
    {
        Verb.ROLE_PROPOSAL_WITHDRAWN,
        Verb.ROLE_PROPOSAL_REJECTED,
        Verb.ROLE_GRANTED,
        Verb.ROLE_REVOKED,
        Verb.ADMIN_GRANTED,
        Verb.ADMIN_REVOKED,
    }
)


def change(
    *,
    person: User,
    role: str,
    project: Project | None,
    gives: bool,
    actor: User,
    password: str,
    code: str = "",
) -> RoleProposal | None:
    """Give or take a governing role. None: it is done, since no one else could confirm; else the proposal
    that waits for another admin.

    role: of roles.GOVERNING on a project, or ADMIN without one. code: of an authenticator app, where the
    actor has one. Raises PermissionDenied (no admin, or one with a role in the project), Refused (wrong
    password or code) or Conflict (it is so already, or proposed already). Call it outside a transaction.
    """
    check_governor(actor, project)
    step_up.confirm_password(actor, password, code)
    return change_confirmed(person=person, role=role, project=project, gives=gives, actor=actor)


@transaction.atomic
def change_confirmed(
    *, person: User, role: str, project: Project | None, gives: bool, actor: User
) -> RoleProposal | None:
    """The same for an action that has asked for the password itself."""
    lock_admins()
    person = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    check_governor(actor, project)
    wanted = RoleProposal(project=project, person=person, role=role, gives=gives, proposed_by=actor)
    check_change(wanted, actor)
    if not policy.organisation_admins().exclude(pk=actor.pk).exists():
        carry_out(wanted, actor)
        return None
    try:
        with transaction.atomic():
            wanted.save()
    except IntegrityError as error:
        raise Conflict(
            "A change to this role is already proposed.", next_step="Confirm or withdraw it first."
        ) from error
    note(actor, Verb.ROLE_PROPOSED, wanted)
    return wanted


def confirm(*, proposal_id: UUID, actor: User, password: str, code: str = "") -> RoleProposal:
    """Carry out what another admin proposed. Raises as `change` does; call it outside a transaction."""
    check_governor(actor, RoleProposal.objects.select_related("project").get(uuid=proposal_id).project)
    step_up.confirm_password(actor, password, code)
    with transaction.atomic():
        lock_admins()
        proposal = lock(proposal_id)
        check_governor(actor, proposal.project)
        if proposal.proposed_by_id == actor.pk:
            raise PermissionDenied("You proposed this, so another organisation admin must confirm it.")
        if not is_recorded(proposal):
            raise Conflict(
                "The audit log has no such open proposal.",
                next_step="Contact an auditor, then propose it yourself.",
            )
        if not may_govern(proposal.proposed_by, proposal.project):
            raise Conflict(
                f"{proposal.proposed_by} can no longer propose this change.",
                next_step="Reject it and propose it yourself.",
            )
        check_change(proposal, actor)
        carry_out(proposal, actor, proposal=proposal.uuid, proposed_by=proposal.proposed_by.uuid)
        return close(proposal, State.CONFIRMED, actor)


@transaction.atomic
def end(*, proposal_id: UUID, actor: User) -> RoleProposal:
    """Let a proposal come to nothing: withdrawn by who made it, rejected by another admin. Raises
    PermissionDenied or Conflict.
    """
    lock_admins()
    proposal = lock(proposal_id)
    check_governor(actor, proposal.project)
    own = proposal.proposed_by_id == actor.pk
    note(actor, Verb.ROLE_PROPOSAL_WITHDRAWN if own else Verb.ROLE_PROPOSAL_REJECTED, proposal)
    return close(proposal, State.WITHDRAWN if own else State.REJECTED, actor)


def lock_admins() -> None:
    """One change at a time: of two admins who dismiss each other the second finds that they are none any
    more.
    """
    list(policy.organisation_admins().select_for_update(no_key=True).order_by("pk").values_list("pk"))


def may_govern(user: User, project: Project | None) -> bool:
    """Whether, by the database now, the person is an organisation admin, and holds no role in the project,
    nor on a part of it.
    """
    return policy.is_organisation_admin(user) and (
        project is None or project.pk not in policy.projects_of(user)
    )


def check_governor(actor: User, project: Project | None) -> None:
    """Raises PermissionDenied unless the person may change who governs the project, or the organisation where
    it is None.
    """
    if not may_govern(actor, project):
        here = " without a role in this project" if project else ""
        raise PermissionDenied(f"Only an organisation admin{here} can change this role.")


def check_change(wanted: RoleProposal, actor: User) -> None:
    """Raises PermissionDenied, Refused or Conflict where the change cannot be made now. The row of its person
    is locked.
    """
    if wanted.gives and wanted.person_id == actor.pk:
        raise PermissionDenied("You can't give yourself a role. Ask another organisation admin.")
    if wanted.gives and not wanted.person.is_active:
        raise Refused(
            f"{wanted.person} has no active account.", fields={"user": ["Choose an active person."]}
        )
    if wanted.gives == holds(wanted):
        state = "already has this role" if wanted.gives else "doesn't have this role"
        raise Conflict(f"{wanted.person} {state}: {wanted.get_role_display()}.", next_step="Reload the page.")
    if (
        wanted.role == ADMIN
        and not wanted.gives
        and not policy.organisation_admins().exclude(pk=wanted.person_id).exists()
    ):
        raise Refused("This is the only organisation admin.", next_step="Add another one first.")


def holds(wanted: RoleProposal) -> bool:
    """Whether the person holds the role at present."""
    if wanted.project is None:
        return wanted.person.is_organisation_admin
    return wanted.person.groups.filter(name=policy.group_name(wanted.project, Role(wanted.role))).exists()


def carry_out(wanted: RoleProposal, actor: User, **payload: UUID) -> None:
    """Make the change, with its Event."""
    person = wanted.person
    if wanted.project is None:
        person.is_organisation_admin = wanted.gives
        person.save(update_fields=["is_organisation_admin"])
        record(actor, Verb.ADMIN_GRANTED if wanted.gives else Verb.ADMIN_REVOKED, person, **payload)
        return
    act = give if wanted.gives else take
    act(person, Role(wanted.role), wanted.project, actor, **payload)


def give(user: User, role: Role, root: Model, actor: User | None, **payload: UUID) -> None:
    """Put a person into the group of a (root, role) pair, with the Event; nothing where they are in it. In
    the caller's transaction.
    """
    group, _ = Group.objects.get_or_create(name=policy.group_name(root, role))
    assign_perm(f"role_{role.value}", group, root)
    if not group.user_set.filter(pk=user.pk).exists():
        group.user_set.add(user)
        policy.forget_roles(user)
        record(
            actor,
            Verb.ROLE_GRANTED,
            user,
            project=policy.project_uuid(root),
            role=role.value,
            root=group.name,
            **payload,
        )


def take(user: User, role: Role, root: Model, actor: User | None, **payload: UUID) -> None:
    """The reverse of `give`."""
    group = Group.objects.filter(name=policy.group_name(root, role), user=user).first()
    if group:
        group.user_set.remove(user)
        policy.forget_roles(user)
        record(
            actor,
            Verb.ROLE_REVOKED,
            user,
            project=policy.project_uuid(root),
            role=role.value,
            root=group.name,
            **payload,
        )


def lock(proposal_id: UUID) -> RoleProposal:
    """An open proposal, locked with the row of its person. Raises Conflict where it is closed."""
    rows = RoleProposal.objects.select_for_update(of=("self",), no_key=True).select_related(
        "project", "proposed_by"
    )
    proposal = rows.get(uuid=proposal_id)
    if proposal.state != State.OPEN:
        raise Conflict(
            f"This proposal is already {proposal.get_state_display().lower()}.", next_step="Reload the page."
        )
    proposal.person = User.objects.select_for_update(no_key=True).get(pk=proposal.person_id)
    return proposal


def is_recorded(proposal: RoleProposal) -> bool:
    """Whether the audit log has the proposal by its proposer and no end of it: a row that was written into
    the database has no event, and one that was set back to open has the event of its end.
    """
    person, uuid = str(proposal.person.uuid), str(proposal.uuid)
    events = accounts.events_about(person, {Verb.ROLE_PROPOSED, *ENDED_BY})
    of_it = [event for event in events if event.payload.get("proposal") == uuid]
    project = str(proposal.project.uuid) if proposal.project else None
    wanted = (Verb.ROLE_PROPOSED, str(proposal.proposed_by.uuid), project, proposal.role, proposal.gives)
    return [
        (event.verb, event.actor, event.project, event.payload.get("role"), event.payload.get("gives"))
        for event in of_it
    ] == [wanted]


def close(proposal: RoleProposal, state: str, actor: User) -> RoleProposal:
    """Write how a locked proposal ended."""
    proposal.state, proposal.closed_by, proposal.closed_at = state, actor, timezone.now()
    proposal.save(update_fields=["state", "closed_by", "closed_at"])
    return proposal


def note(actor: User, verb: Verb, proposal: RoleProposal) -> None:
    """The Event of a proposal; it is about the person."""
    project = proposal.project.uuid if proposal.project else None
    record(
        actor,
        verb,
        proposal.person,
        project=project,
        role=proposal.role,
        gives=proposal.gives,
        proposal=proposal.uuid,
    )
