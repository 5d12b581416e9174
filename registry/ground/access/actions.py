"""People, projects, roles and tokens: who gives them to whom."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone

from lifecycle.runtime.refusals import Refused
from registry.ground.access import governing, names, policy, queries, step_up
from registry.ground.access.digests import digest
from registry.ground.access.models import PLACEHOLDER, ApiToken, Project, RoleProposal, User
from registry.ground.access.roles import GOVERNING, Role
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

TOKEN_PREFIX = "lc_"  # noqa: S105
TOKEN_DAYS_MAX = 366
TAKEN, APART = "This name looks the same as another user's.", "Choose a different one."


def create_project(
    *,
    name: str,
    slug: str,
    actor: User | None,
    lead: User | None = None,
    password: str = "",
    code: str = "",
    is_demo: bool = False,
) -> Project:
    """Make a workspace. actor: an organisation admin, whose password is asked again; or None for the system
    (set-up and demo).

    lead: whom the actor makes its first lead, or proposes where there is a second admin: never themself. Call
    it outside a transaction.
    """
    if actor:
        governing.check_governor(actor, None)
        step_up.confirm_password(actor, password, code)
    with transaction.atomic():
        if Project.objects.filter(slug=slug).exists():
            raise Refused(
                f"A project with the short name {slug} already exists.",
                fields={"slug": ["Choose another short name."]},
            )
        project = Project.objects.create(name=name, slug=slug, is_demo=is_demo)
        record(actor, Verb.PROJECT_CREATED, project, project=project.uuid, slug=slug)
        if actor and lead:
            governing.change_confirmed(person=lead, role=Role.LEAD, project=project, gives=True, actor=actor)
    return project


@transaction.atomic
def create_user(
    *,
    username: str,
    display_name: str,
    email: str,
    password: str | None,
    actor: User | None,
    admin: bool = False,
) -> User:
    """Make a person who can sign in. password None: sign-in by other means, or after a reset. admin: for the
    system; people go by `governing.change`.
    """
    if actor and (admin or not policy.is_organisation_admin(actor)):
        raise PermissionDenied(
            "Only organisation admins can add people. Add the person first, then make them an admin."
        )
    if User.objects.filter(username=username).exists():
        raise username_taken(username)
    if email and EmailAddress.objects.filter(email=email.lower(), verified=True).exists():
        raise Refused(
            "Another account has this e-mail address.",
            fields={"email": ["Enter an address no other account uses."]},
        )
    if User.objects.filter(name_key=names.key(username)).exists():
        raise Refused(TAKEN, next_step=APART, fields={"username": [TAKEN]})
    name, key = free_name(display_name)
    with taken_meanwhile(username):
        user = User.objects.create_user(
            username=username,
            email=email,
            password=password,
            display_name=name,
            name_key=key,
            is_organisation_admin=admin,
        )
    if email:  # an admin vouches for it; what a person changes it to has to be confirmed from there
        EmailAddress.objects.create(user=user, email=email.lower(), verified=True, primary=True)
    record(actor, Verb.USER_CREATED, user, admin=admin)
    return user


def make_placeholders(names: Mapping[str, str], *, origin: str) -> dict[str, User]:
    """Create people without an account, the authors of imported work: they can't sign in, have no role, and
    can't be chosen anywhere.

    names: each person's name in the file, by a key that is the same whenever the same file is uploaded.
    origin: the file's name. Existing ones are returned unchanged. In the caller's transaction; returns them
    by key.
    """
    wanted = {f"{PLACEHOLDER}{hashlib.sha256(key.encode()).hexdigest()[:40]}": key for key in names}
    known = {user.username: user for user in User.objects.filter(username__in=wanted)}
    fresh = [
        User(
            username=username,
            first_name=names[key][:150],
            display_name=f"{names[key][:40]}, from {origin}"[:80],
            is_active=False,
            password=make_password(None),
        )
        for username, key in wanted.items()
        if username not in known
    ]
    User.objects.bulk_create(fresh)
    return {wanted[user.username]: user for user in (*known.values(), *fresh)}


@transaction.atomic
def deactivate_user(*, user_id: UUID, actor: User) -> User:
    """End a person's access at once: no sign-in, no grant counts, no token works. Their work stays.

    Raises PermissionDenied for who is no organisation admin or has a part in a project that the person
    governs, and Refused for an organisation admin, who is dismissed by `governing.change` first.
    """
    user = User.objects.select_for_update(no_key=True).get(uuid=user_id)
    if not policy.is_organisation_admin(actor):
        raise PermissionDenied("Only an organisation admin can deactivate people.")
    if user.pk == actor.pk:
        raise Refused("You can't deactivate yourself.", next_step="Ask another organisation admin.")
    if user.is_organisation_admin:
        raise Refused(
            f"{user} is an organisation admin.", next_step="Remove the organisation admin role first."
        )
    own = policy.projects_of(actor)
    if any(
        project in own and not GOVERNING.isdisjoint(held)
        for project, held in queries.roles_by_project(user).items()
    ):
        raise PermissionDenied(
            f"You have a role in a project that {user} governs. Another organisation admin can deactivate"
            " them."
        )
    user.is_active = False
    user.save(update_fields=["is_active"])
    record(actor, Verb.USER_DEACTIVATED, user)
    return user


def grant(
    *, user: User, role: Role, root: Model, actor: User | None, password: str = "", code: str = ""
) -> RoleProposal | None:
    """Give a person a role on a project, dataset or registered model. Giving it twice changes nothing.

    actor: None for the system. A governing role on a project is given by `governing.change`, which asks for
    the password again and may return a proposal. Raises PermissionDenied for who manages no members, and for
    a role to oneself.
    """
    if actor and role in GOVERNING:
        return governing.change(
            person=user,
            role=role,
            project=governed(root),
            gives=True,
            actor=actor,
            password=password,
            code=code,
        )
    with transaction.atomic():
        if actor:
            require_manager(actor, root)
            if actor.pk == user.pk:
                raise PermissionDenied(
                    "You can't give yourself a role. Ask another ML lead or an organisation admin."
                )
        governing.give(user, role, root, actor)
    return None


def revoke(
    *, user: User, role: Role, root: Model, actor: User | None, password: str = "", code: str = ""
) -> RoleProposal | None:
    """Take a role away, a governing one by `governing.change`. Taking away what is not held changes
    nothing.
    """
    if actor and role in GOVERNING:
        return governing.change(
            person=user,
            role=role,
            project=governed(root),
            gives=False,
            actor=actor,
            password=password,
            code=code,
        )
    with transaction.atomic():
        if actor:
            require_manager(actor, root)
            # who would else govern the project at once
            if actor.pk == user.pk and actor.is_organisation_admin:
                raise PermissionDenied(
                    "You can't remove your own role. Ask another organisation admin or a lead."
                )
        governing.take(user, role, root, actor)
    return None


def governed(root: Model) -> Project:
    """The project itself: people hold governing roles nowhere else."""
    if not isinstance(root, Project):
        raise PermissionDenied("Governing roles can only be assigned on a whole project.")
    return root


def require_manager(actor: User, root: Model) -> None:
    """Raises PermissionDenied unless the actor leads the project or is an organisation admin."""
    project = Project.objects.get(uuid=policy.project_uuid(root))
    policy.require(actor, "access.manage_members", project)


@transaction.atomic
def create_token(
    *, user: User, name: str, scopes: list[str], days: int, project: Project | None = None
) -> tuple[ApiToken, str]:
    """Make a token for oneself; the secret is returned once and kept only as its hash. days: 1 to 366.
    project: the only one it opens.
    """
    unknown = sorted(set(scopes) - set(ApiToken.Scope.values))
    if unknown or not scopes:
        raise Refused(
            f"Choose token scopes from {', '.join(ApiToken.Scope.values)}.",
            fields={"scopes": ["Choose at least one scope."]},
        )
    secret, kept = new_secret(days)
    token = ApiToken.objects.create(user=user, name=name, scopes=sorted(set(scopes)), project=project, **kept)
    only = project.uuid if project else None
    record(
        user,
        Verb.TOKEN_CREATED,
        token,
        scopes=token.scopes,
        expires_at=token.expires_at,
        limited_to=only,
        digest=token.digest,
    )
    return token, secret


@transaction.atomic
def revoke_token(*, token_id: UUID, actor: User) -> ApiToken:
    """End a token at once. One's own, or anyone's for an organisation admin."""
    token = ApiToken.objects.select_for_update().get(uuid=token_id)
    if token.user_id != actor.pk and not policy.is_organisation_admin(actor):
        raise PermissionDenied("Only the owner of a token or an organisation admin can revoke it.")
    if token.revoked_at is None:
        end_token(token, actor)
    return token


def end_token(token: ApiToken, actor: User, *, reason: str = "") -> None:
    """Revoke a live token, in the caller's transaction."""
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    record(actor, Verb.TOKEN_REVOKED, token, user=token.user.uuid, reason=reason)


def new_secret(days: int) -> tuple[str, dict[str, Any]]:
    """A token's secret of 256 random bits, and the columns that are kept of it: digest and expires_at. days:
    1 to 366. Raises Refused.
    """
    if not 1 <= days <= TOKEN_DAYS_MAX:
        raise Refused(
            f"A token can last 1 to {TOKEN_DAYS_MAX} days.",
            fields={"days": [f"Choose 1 to {TOKEN_DAYS_MAX}."]},
        )
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    return secret, {"digest": token_digest(secret), "expires_at": timezone.now() + timedelta(days=days)}


def token_digest(secret: str) -> str:
    """sha256 of a token's secret, in hex; enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8")).hexdigest()


def set_preferences(user: User, **values: Any) -> None:
    """Keep a person's own settings: theme, single_keys."""
    for name, value in values.items():
        setattr(user, name, value)
    user.save(update_fields=list(values))


@transaction.atomic
def rename(*, actor: User, name: str) -> None:
    """Change one's own display name. The event holds digests, so that names can be erased.

    Raises Refused for one that reads like another person's.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    old, (user.display_name, user.name_key) = user.display_name, free_name(name, besides=user)
    if user.display_name != old:
        with taken_meanwhile():
            user.save(update_fields=["display_name", "name_key"])
        record(actor, Verb.NAME_CHANGED, user, old=digest("name", old), new=digest("name", user.display_name))


def free_name(name: str, *, besides: User | None = None) -> tuple[str, str]:
    """The name as it is kept, and its key, once no one else reads like that, by display name or user name.
    Raises Refused.
    """
    kept = names.clean(name)
    key = names.key(kept)
    others = User.objects.exclude(pk=besides.pk) if besides else User.objects.all()
    accounts = others.exclude(username__startswith=PLACEHOLDER)
    if key and (others.filter(name_key=key).exists() or accounts.filter(username_key=key).exists()):
        raise Refused(TAKEN, next_step=APART, fields={"display_name": [TAKEN]})
    return kept, key


@contextmanager
def taken_meanwhile(username: str = "") -> Iterator[None]:
    """Handle a name that was taken between check and write, by the constraint. Raises Refused that names the
    field.

    username: of the account that is made, which may be what was taken.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if username and User.objects.filter(username=username).exists():
            raise username_taken(username) from error
        raise Refused(TAKEN, next_step=APART, fields={"display_name": [TAKEN]}) from error


def username_taken(username: str) -> Refused:
    """The refusal of a user name that someone has."""
    return Refused(f"The user name {username} is taken.", fields={"username": ["Choose another user name."]})
