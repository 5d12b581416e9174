"""Who is here, with which roles."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone
from guardian.utils import get_group_obj_perms_model

from registry.ground.access.models import PLACEHOLDER, ApiToken, Project, RoleProposal, User
from registry.ground.access.policy import Person, visible_to
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event


@dataclass(frozen=True)
class Member:
    """A person of a project and the roles they hold in it, in the order of the table."""

    user: User
    roles: list[Role]


def members(project: Project) -> list[Member]:
    """The people with any role on the project, by name; two queries however many they are."""
    grants = (
        get_group_obj_perms_model(Project).objects.filter(content_object=project).select_related("permission")
    )
    role_of_group = {
        grant.group_id: Role(grant.permission.codename.removeprefix("role_")) for grant in grants
    }
    people = (
        User.objects.filter(groups__in=list(role_of_group))
        .distinct()
        .prefetch_related("groups")
        .order_by("display_name", "username")
    )
    order = list(Role)
    return [
        Member(
            user,
            sorted(
                {role_of_group[g.pk] for g in user.groups.all() if g.pk in role_of_group}, key=order.index
            ),
        )
        for user in people
    ]


def projects(user: Person) -> QuerySet[Project]:
    """The projects in which the person has a role; all of them for an organisation admin."""
    return visible_to(user, Project, "access.view_project").order_by("name")


def roles_by_project(user: Person) -> dict[int, list[Role]]:
    """The roles a person holds, by the key of the project, in the order of the table; one statement."""
    grants = get_group_obj_perms_model(Project).objects.filter(group__user=user.pk)
    found: dict[int, list[Role]] = {}
    for key, codename in grants.values_list("content_object", "permission__codename").distinct():
        found.setdefault(key, []).append(Role(codename.removeprefix("role_")))
    order = list(Role)
    return {key: sorted(held, key=order.index) for key, held in found.items()}


def open_proposals() -> QuerySet[RoleProposal]:
    """Changes of governing roles that wait for a second organisation admin, the oldest first."""
    return (
        RoleProposal.objects.filter(state=RoleProposal.State.OPEN)
        .select_related("project", "person", "proposed_by")
        .order_by("pk")
    )


def known_people(user: User) -> QuerySet[User]:
    """The active people whom the person may see in lists: all for an organisation admin, else those of their
    projects.
    """
    active = User.objects.filter(is_active=True).order_by("display_name", "username")
    if user.is_organisation_admin:
        return active
    groups = (
        get_group_obj_perms_model(Project)
        .objects.filter(content_object__in=projects(user).order_by().values("pk"))
        .values("group")
    )
    return active.filter(groups__in=groups).distinct()


def tokens(user: User) -> QuerySet[ApiToken]:
    """The person's own tokens, newest first, revoked ones too."""
    return ApiToken.objects.filter(user=user).select_related("project", "user").order_by("-created_at")


def all_tokens() -> QuerySet[ApiToken]:
    """Everybody's tokens that still open something, for an organisation admin."""
    live = ApiToken.objects.filter(revoked_at=None, expires_at__gt=timezone.now(), user__is_active=True)
    return live.select_related("user", "project").order_by("-created_at")


def live_tokens(user: User) -> QuerySet[ApiToken]:
    """The person's tokens that still open something."""
    return tokens(user).filter(revoked_at=None, expires_at__gt=timezone.now())


def people_without_role(limit: int) -> int:
    """How many active people hold no role anywhere and are no organisation admins, counted up to the
    limit.
    """
    return (
        User.objects.filter(is_active=True, is_organisation_admin=False, groups__isnull=True)
        .order_by()[:limit]
        .count()
    )


def people() -> QuerySet[User]:
    """Everybody who has an account, for an organisation admin."""
    return User.objects.exclude(username__startswith=PLACEHOLDER).order_by("display_name", "username")


def with_account(rows: QuerySet[User]) -> set[str]:
    """Those of these people who have an account, as uuids. No one becomes a placeholder by a name: the audit
    log has events about accounts alone.
    """
    found = {str(uuid): name.startswith(PLACEHOLDER) for uuid, name in rows.values_list("uuid", "username")}
    named = [uuid for uuid, is_placeholder in found.items() if is_placeholder]
    known = (
        Event.objects.filter(object_id__in=named).order_by().values_list("object_id", flat=True).distinct()
        if named
        else ()
    )
    return found.keys() - {*named} | {*known}
