"""May this person do this to that? One answer in two forms: `can` for one object, `visible_to` for lists;
`who_can` turns it round.

A model shows where it hangs: `project_path` (a lookup to its Project, "pk" for Project itself) and, below a
dataset or a registered model, `root_path` with `root_model`. Grants are given to groups on those roots alone;
is_superuser and is_staff give nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Exists, Model, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.http import Http404
from guardian.models import BaseGenericObjectPermission, GroupObjectPermissionBase
from guardian.utils import get_group_obj_perms_model

from registry.ground.access import roles
from registry.ground.access.models import Project, User
from registry.ground.ledger import accounts
from registry.ground.ledger.verbs import Verb

M = TypeVar("M", bound=Model)
Person = User | AnonymousUser
# keys that no row has: they represent a user's and a project's in a statement that is kept
PERSON, PROJECT = -1, -2


def held(user: Person, root: type[Model], action: str) -> RawSQL:
    """The keys of the roots on which the user's roles allow the action, as a subquery."""
    sql, params = written(root, action, is_limited(user))
    keys = {PERSON: user.pk, PROJECT: getattr(user, "limited_to", None)}
    return RawSQL(sql, [keys.get(param, param) for param in params])  # noqa: S611  Django's own words


@cache
def written(root: type[Model], action: str, limited: bool) -> tuple[str, tuple[Any, ...]]:
    """The statement of `held`, with PERSON and PROJECT among its parameters: a page asks ten times, and
    Django takes longer to write it than to run it.
    """
    codenames = [f"role_{role.value}" for role in roles.roles_for(action)]
    grants = get_group_obj_perms_model(root).objects.filter(permission__codename__in=codenames)
    grants = grants.filter(group__user=PERSON, group__user__is_active=True)
    if limited:
        path = root.project_path  # type: ignore[attr-defined]
        grants = grants.filter(**{"content_object" if path == "pk" else f"content_object__{path}": PROJECT})
    sql, params = grants.values("content_object").query.get_compiler(connection=connection).as_sql()
    return sql, tuple(params)


def organisation_admins() -> QuerySet[User]:
    """The active people who manage people and projects."""
    return User.objects.filter(is_active=True, is_organisation_admin=True)


def is_organisation_admin(user: User) -> bool:
    """By the database now."""
    return organisation_admins().filter(pk=user.pk).exists()


def is_limited(user: Person) -> bool:
    """Whether the request came with a token that is limited to one project."""
    return getattr(user, "limited_to", None) is not None


def within(user: Person, rows: QuerySet[M], project_path: str) -> QuerySet[M]:
    """Only the rows of the project that the request's token is limited to; all of them for a session, and for
    a token without a limit.
    """
    only = getattr(user, "limited_to", None)
    return rows if only is None else rows.filter(**{project_path: only})


def visible_to(user: Person, what: type[M] | QuerySet[M], action: str) -> QuerySet[M]:
    """The rows on which the user may take the action, in one statement."""
    rows: QuerySet[M] = what._default_manager.all() if isinstance(what, type) else what
    model = rows.model
    allowed = Q(**{f"{model.project_path}__in": held(user, Project, action)})  # type: ignore[attr-defined]
    if (
        model is Project
        and action in roles.ADMIN_ACTIONS
        and isinstance(user, User)
        and user.is_organisation_admin
    ):
        rows = within(user, rows, "pk")
        # as the database says now: the request may have waited
        allowed |= Q(Exists(organisation_admins().filter(pk=user.pk)))
    if root_path := getattr(model, "root_path", None):
        allowed |= Q(**{f"{root_path}__in": held(user, root_model(model), action)})
    return rows.filter(allowed)


def root_model(model: type[Model]) -> type[Model]:
    """The model at the end of `root_path`: Dataset or RegisteredModel."""
    path: str = model.root_path  # type: ignore[attr-defined]
    for part in [] if path == "pk" else path.split("__"):
        model = model._meta.get_field(part).related_model  # type: ignore[assignment]
    return model


def can(user: Person, action: str, subject: Model) -> bool:
    """Whether the user may take the action on this saved object; agrees with `visible_to` by construction."""
    return is_granted(user, type(subject), action, uuid=getattr(subject, "uuid", None)) or may_now(
        user, action, subject
    )


def may_now(user: Person, action: str, subject: Model) -> bool:
    """The same by the database alone."""
    return visible_to(user, type(subject), action).filter(pk=subject.pk).exists()


def can_somewhere(user: Person, action: str) -> bool:
    """Whether the user may take the action in any project: for showing a navigation item or a button on an
    empty page.
    """
    if action in roles.ADMIN_ACTIONS:
        return visible_to(user, Project, action).exists()
    return not roles.roles_for(action).isdisjoint(roles_somewhere(user))


def roles_somewhere(user: Person) -> frozenset[str]:
    """The roles that the user holds in any project. Asked once and remembered with the user, who lives as
    long as a request.
    """
    if (known := getattr(user, "_roles_somewhere", None)) is not None:
        return known
    grants = within(user, get_group_obj_perms_model(Project).objects.all(), "content_object")
    grants = grants.filter(group__user=user.pk, group__user__is_active=True)
    names = frozenset(
        name.removeprefix("role_")
        for name in grants.values_list("permission__codename", flat=True).distinct()
    )
    user._roles_somewhere = names  # type: ignore[union-attr]
    return names


def remember_granted(user: Person, what: type[Model], action: str, uuid: UUID) -> None:
    """What a view was asked for and allowed need not be asked again by its page. An action asks the database,
    since a role may have been taken while it waited for its lock. Only for a request's own user.
    """
    user._granted = {*getattr(user, "_granted", ()), (what, action, uuid)}  # type: ignore[union-attr]


def is_granted(user: Person, what: type[Model], action: str, **lookup: Any) -> bool:
    """Whether the view of this request has found that its user may take the action on the row of this
    uuid.
    """
    return (what, action, lookup.get("uuid")) in getattr(user, "_granted", ())


def forget_roles(user: User) -> None:
    """What was remembered of a user whose roles have changed."""
    user._roles_somewhere, user._granted = None, set()  # type: ignore[attr-defined]


def require(user: Person, action: str, subject: Model) -> None:
    """Raises PermissionDenied with a sentence that names the roles that may, unless the user may take the
    action now: never by memory.
    """
    if not may_now(user, action, subject):
        raise PermissionDenied(roles.sentence(action))


def sole(rows: QuerySet[M]) -> M | None:
    """The row of a lookup that no two rows match. Without an order, which takes Django as long to write as
    the rest of a wide statement.
    """
    return next(iter(rows.order_by()[:1]), None)


def get_visible(user: Person, what: type[M] | QuerySet[M], action: str, **lookup: Any) -> M:
    """The one row that matches, among those the user may see. Raises Http404 alike for what is hidden and
    what does not exist.
    """
    rows: QuerySet[M] = what._default_manager.all() if isinstance(what, type) else what
    known = is_granted(user, rows.model, action, **lookup)
    row = sole((rows if known else visible_to(user, rows, action)).filter(**lookup))
    if row is None:
        raise Http404("Not found, or you don't have access.")
    return row


def get_permitted(user: Person, what: type[M] | QuerySet[M], action: str, **lookup: Any) -> M:
    """The one row that matches, where the user may take the action: `get` and `require` in one statement.

    Raises DoesNotExist, or PermissionDenied as `require` does.
    """
    rows: QuerySet[M] = what._default_manager.all() if isinstance(what, type) else what
    row = sole(visible_to(user, rows, action).filter(**lookup))
    if row is None:
        row = rows.get(**lookup)
        require(user, action, row)
    return row


def who_can(action: str, subject: Model) -> QuerySet[User]:
    """The active people whose roles allow the action on this object; separation of duties is asked
    elsewhere.
    """
    codenames = [f"role_{role.value}" for role in roles.roles_for(action)]
    return people_with(codenames, subject)


def who_can_each(action: str, rows: QuerySet[M]) -> dict[int, set[int]]:
    """The keys of the people who may take the action on each row, by its key: `who_can` of all of them in
    three statements.
    """
    codenames = [f"role_{role.value}" for role in roles.roles_for(action)]
    model = rows.model
    roots: dict[str, type[Model]] = {model.project_path: Project}  # type: ignore[attr-defined]
    if path := getattr(model, "root_path", None):
        roots[path] = root_model(model)
    people: dict[str, dict[int, set[int]]] = {path: {} for path in roots}
    for path, root in roots.items():
        grants = get_group_obj_perms_model(root).objects.filter(
            permission__codename__in=codenames, group__user__is_active=True
        )
        for key, person in grants.filter(content_object__in=rows.order_by().values(path)).values_list(
            "content_object", "group__user"
        ):
            people[path].setdefault(key, set()).add(person)
    return {
        row: set().union(*(people[path].get(key, ()) for path, key in zip(roots, keys, strict=True)))
        for row, *keys in rows.order_by().values_list("pk", *roots)
    }


def holders(role: roles.Role, subject: Model) -> QuerySet[User]:
    """The active people who hold one role on this object."""
    return people_with([f"role_{role.value}"], subject)


def holds(user: User, role: roles.Role, subject: Model) -> bool:
    """Whether an active person holds one role on this object."""
    return holders(role, subject).filter(pk=user.pk).exists()


def held_since(people: Iterable[User]) -> dict[tuple[str, str], datetime]:
    """Since when each role is held, by (uuid of the person, name of the role's group), by the audit log:
    roles that no one gave, or that were removed since, are missing. One statement.
    """
    events = accounts.events_of([str(user.uuid) for user in people], {Verb.ROLE_GRANTED, Verb.ROLE_REVOKED})
    since: dict[tuple[str, str], datetime] = {}
    for person, logged in events.items():
        for event in logged:
            key = person, event.payload["root"]
            if event.verb == Verb.ROLE_GRANTED:
                since[key] = event.at
            else:
                since.pop(key, None)
    return since


def people_with(codenames: list[str], subject: Model) -> QuerySet[User]:
    """The active people with any of these grants on the object's project or root."""
    model = type(subject)
    groups = Q(groups__in=grant_groups(Project, codenames, root_key(subject, model.project_path)))  # type: ignore[attr-defined]
    if root_path := getattr(model, "root_path", None):
        groups |= Q(groups__in=grant_groups(root_model(model), codenames, root_key(subject, root_path)))
    return User.objects.filter(groups, is_active=True).distinct().order_by("pk")


def grant_groups(root: type[Model], codenames: list[str], key: Any) -> QuerySet[Any, Any]:
    """The groups that hold any of the permissions on one root."""
    return (
        get_group_obj_perms_model(root)
        .objects.filter(permission__codename__in=codenames, content_object=key)
        .values("group")
    )


def root_key(subject: Model, path: str) -> Any:
    """The primary key of the project or root of an object."""
    return type(subject)._default_manager.filter(pk=subject.pk).values_list(path, flat=True).first()


def group_name(root: Model, role: roles.Role) -> str:
    """The one group of a (root, role) pair."""
    return f"{root._meta.label_lower}:{root.uuid}:{role.value}"  # type: ignore[attr-defined]


def project_uuid(subject: Model) -> UUID:
    """The uuid of the project that an object belongs to: what an event names as its chain."""
    path: str = type(subject).project_path  # type: ignore[attr-defined]
    found: UUID = (
        type(subject)
        ._default_manager.values_list("uuid" if path == "pk" else f"{path}__uuid", flat=True)
        .get(pk=subject.pk)
    )
    return found


def grant_models() -> list[type[Model]]:
    """The tables whose rows give roles: one for each kind of root."""
    bases = [model for model in apps.get_models() if issubclass(model, GroupObjectPermissionBase)]
    return [model for model in bases if not issubclass(model, BaseGenericObjectPermission)]


def projects_of(user: User) -> set[int]:
    """The keys of the projects in which a person holds any role, on the project itself or on a dataset or
    model of it, whatever the request's token is limited to. A statement for each kind of root.
    """
    found: set[int] = set()
    for grants in grant_models():
        path: str = grants._meta.get_field("content_object").related_model.project_path  # type: ignore[union-attr]
        project = "content_object" if path == "pk" else f"content_object__{path}"
        found |= set(grants._default_manager.filter(group__user=user.pk).values_list(project, flat=True))
    return found


def roles_of(user: Person, project: Project) -> list[roles.Role]:
    """The roles a user holds on a project, in the order of the table."""
    grants = within(
        user,
        get_group_obj_perms_model(Project).objects.filter(group__user=user.pk, content_object=project),
        "content_object",
    )
    names = {name.removeprefix("role_") for name in grants.values_list("permission__codename", flat=True)}
    return [role for role in roles.Role if role.value in names]
