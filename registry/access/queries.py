"""Who is here, with which roles."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone
from guardian.utils import get_group_obj_perms_model

from registry.access.models import PLACEHOLDER, ApiToken, Project, User
from registry.access.policy import Person, visible_to
from registry.access.roles import Role


@dataclass(frozen=True)
class Member:
    """A person of a project and the roles they hold in it, in the order of the table."""

    user: User
    roles: list[Role]


def members(project: Project) -> list[Member]:
    """The people with any role on the project, by name; two queries however many they are."""
    grants = get_group_obj_perms_model(Project).objects.filter(content_object=project).select_related("permission")
    role_of_group = {grant.group_id: Role(grant.permission.codename.removeprefix("role_")) for grant in grants}
    people = User.objects.filter(groups__in=list(role_of_group)).distinct().prefetch_related("groups").order_by("display_name", "username")
    order = list(Role)
    return [
        Member(user, sorted({role_of_group[g.pk] for g in user.groups.all() if g.pk in role_of_group}, key=order.index)) for user in people
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


def tokens(user: User) -> QuerySet[ApiToken]:
    """The person's own tokens, newest first, revoked ones too."""
    return ApiToken.objects.filter(user=user).select_related("project").order_by("-created_at")


def all_tokens() -> QuerySet[ApiToken]:
    """Everybody's tokens that still open something, for an organisation admin."""
    live = ApiToken.objects.filter(revoked_at=None, expires_at__gt=timezone.now(), user__is_active=True)
    return live.select_related("user", "project").order_by("-created_at")


def live_tokens(user: User) -> QuerySet[ApiToken]:
    """The person's tokens that still open something."""
    return tokens(user).filter(revoked_at=None, expires_at__gt=timezone.now())


def people_without_role(limit: int) -> int:
    """How many active people hold no role anywhere and are no organisation admins, counted up to the limit."""
    return User.objects.filter(is_active=True, is_organisation_admin=False, groups__isnull=True).order_by()[:limit].count()


def people() -> QuerySet[User]:
    """Everybody who has an account, for an organisation admin."""
    return User.objects.exclude(username__startswith=PLACEHOLDER).order_by("display_name", "username")
