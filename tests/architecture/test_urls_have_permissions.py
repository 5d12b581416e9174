"""Every URL declares its permission: one without is a security hole."""

import uuid
from collections.abc import Iterator
from typing import ClassVar
from unittest import mock

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.template.backends.django import Template
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.response import Response
from rest_framework.test import force_authenticate

from registry.ground.access.decorators import Needs
from registry.ground.access.models import User
from registry.ground.access.rest import View
from registry.ground.access.roles import ACTIONS

# Sign-in pages and the API's own description; they guard themselves.
OTHERS = ("accounts/", "api/schema/", "api/docs/")


def patterns(resolver=None, prefix="") -> list[tuple[str, URLPattern]]:
    found = []
    for part in (resolver or get_resolver()).url_patterns:
        path = prefix + str(part.pattern)
        found += patterns(part, path) if isinstance(part, URLResolver) else [(path, part)]
    return [(path, part) for path, part in found if not path.startswith(OTHERS)]


METHODS = ("get", "post", "put", "patch", "delete", "options")


def api_view(pattern: URLPattern) -> type[View] | None:
    view = getattr(pattern.callback, "view_class", None) or getattr(pattern.callback, "cls", None)
    return view if view is not None and issubclass(view, View) else None


def needs_of(pattern: URLPattern) -> list[Needs]:
    if view := api_view(pattern):
        return [*view.needs.values()]
    need = getattr(pattern.callback, "needs", None)
    return [need] if need else []


def declares(pattern: URLPattern) -> bool:
    """Whether there is something that a view needs, and all of it is known."""
    found = needs_of(pattern)
    return bool(found) and all(
        need.action in {*ACTIONS, "signed_in", "public"} and need.see in {"", *ACTIONS} for need in found
    )


def test_every_method_of_the_api_declares_what_it_needs_and_no_other_is_named():
    silent = []
    for path, part in patterns():
        if view := api_view(part):
            answered = {
                method.upper()
                for method in METHODS
                if hasattr(view, method) and method in view.http_method_names
            }
            silent += [f"{path}: {method}" for method in answered ^ set(view.needs)]

    assert not silent, (
        f"{len(silent)} methods are refused to all users, or declared and missing:\n" + "\n".join(silent)
    )


def test_a_method_without_a_declared_permission_is_refused_to_all_users(adam, mia, rf):
    class Forgotten(View):
        """A view with a method that declares no permission."""

        needs = {"GET": Needs("signed_in")}
        done: ClassVar[list[str]] = []

        def get(self, request):
            return Response("read")

        def delete(self, request):
            self.done.append("deleted")
            return Response("deleted")

    def ask(method: str, person: User) -> int:
        request = rf.generic(method, "/")
        force_authenticate(request, person)
        return Forgotten.as_view()(request).status_code

    answers = {
        method: {ask(method, person) for person in (mia, adam)}
        for method in ("GET", "HEAD", "DELETE", "OPTIONS", "POST")
    }
    assert answers == {"GET": {200}, "HEAD": {200}, "DELETE": {403}, "OPTIONS": {405}, "POST": {405}}
    assert Forgotten.done == []


def test_every_url_declares_what_it_needs():
    silent = [path for path, part in patterns() if not declares(part)]

    assert not silent, f"{len(silent)} URLs declare no permission, or an unknown one:\n" + "\n".join(silent)


REACHABLE = [(path, part) for path, part in patterns() if "<" not in path.replace("<uuid:uuid>", "")]


def asked(paths: list[str], client: Client) -> Iterator[tuple[str, str, HttpResponse]]:
    """Method, path and answer of every address, none of which lets anybody do anything. Pages are not
    rendered.
    """
    with mock.patch.object(Template, "render", return_value=""):
        for path in paths:
            for method in METHODS:
                cache.clear()  # no rate limit applies
                yield (
                    method,
                    path,
                    getattr(client, method)("/" + path.replace("<uuid:uuid>", str(uuid.uuid4()))),
                )


def is_sent_away(path: str, answer: HttpResponse) -> bool:
    """Whether an answer gives a visitor nothing."""
    if path.startswith("api/"):
        return answer.status_code in (401, 403, 405)
    return answer.status_code == 405 or (
        answer.status_code == 302 and answer["Location"].startswith("/accounts/login/")
    )


@pytest.mark.django_db
def test_a_visitor_gets_nothing():
    paths = [path for path, part in REACHABLE if not any(need.action == "public" for need in needs_of(part))]

    wrong = [
        f"{method.upper()} /{path}: {answer}"
        for method, path, answer in asked(paths, Client())
        if not is_sent_away(path, answer)
    ]
    assert not wrong, f"{len(wrong)} answers to a visitor:\n" + "\n".join(wrong)


def test_what_does_not_exist_is_404_for_everybody(mia, client_for):
    paths = [path for path, _ in REACHABLE if "<uuid:uuid>" in path]

    answers = asked(paths, client_for(mia))
    wrong = [
        f"{method.upper()} /{path}: {answer}"
        for method, path, answer in answers
        if answer.status_code not in (404, 405)
    ]
    assert not wrong, f"{len(wrong)} answers about nothing:\n" + "\n".join(wrong)
