"""The people of the tests.

Ana and Ben annotate, Ravi reviews, Mia trains, Lee leads, Gita governs, Omar is on call, Aida audits, Otto is
an outsider.
"""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.contrib.sessions.backends.db import SessionStore as DatabaseSession
from django.test import Client
from django.utils.crypto import get_random_string

from registry.ground.access.actions import create_project, grant
from registry.ground.access.models import Project, User
from registry.ground.access.roles import Role

PASSWORD = "correct horse battery"

PEOPLE: dict[str, Role | None] = {
    "ana": Role.ANALYST,
    "ben": Role.ANALYST,
    "ravi": Role.ADJUDICATOR,
    "mia": Role.ENGINEER,
    "lee": Role.LEAD,
    "gita": Role.GOVERNANCE,
    "omar": Role.ONCALL,
    "aida": Role.AUDITOR,
    "otto": None,
}


def make_project(slug: str = "inbox", name: str = "Inbox") -> Project:
    """A project without members; the same slug is the same project."""
    return Project.objects.filter(slug=slug).first() or create_project(name=name, slug=slug, actor=None)


def crew(project: Project, *names: str) -> list[User]:
    """These people of the tests, each with their role in the project."""
    return [make_person(name, project=project, role=PEOPLE[name]) for name in names]


def make_person(username: str, *, project: Project | None = None, role: Role | None = None) -> User:
    """A person who can sign in with PASSWORD, with one role on the project, or none; the same name is the
    same person.
    """
    user = User.objects.filter(username=username).first() or User.objects.create_user(
        username, email=f"{username}@example.test", password=PASSWORD, display_name=username.capitalize()
    )
    if project is not None and role is not None:
        grant(user=user, role=role, root=project, actor=None)
    return user


def sign_in(client: Client, user: User) -> None:
    """Have the requests of this client be those of a person: one statement, where `force_login` takes
    fourteen.
    """
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    if isinstance(session, DatabaseSession):
        # the key is new; `save` would query whether it exists
        session._session_key = get_random_string(32, VALID_KEY_CHARS)
        session.create_model_instance(session._session).save(force_insert=True)
    else:
        session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key


def make_admin(username: str) -> User:
    """An organisation admin without a role anywhere."""
    user = make_person(username)
    User.objects.filter(pk=user.pk).update(is_organisation_admin=True)
    return User.objects.get(pk=user.pk)


def confirm(client: Client) -> Client:
    """Have a signed-in client give the password again, as accounts are changed after that alone."""
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client
