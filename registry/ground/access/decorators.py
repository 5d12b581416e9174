"""What each view needs. Every URL declares it, and a test fails for one that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from registry.ground.access import policy, roles

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Needs:
    """What a URL asks of a person.

    action: a key of roles.ACTIONS, "signed_in" or "public". model: what the `uuid` of the URL names. see: the
    action that makes it visible.
    """

    action: str
    model: type[Model] | None = None
    see: str = ""

    def check(self, user: policy.Person, kwargs: dict[str, Any]) -> None:
        """Raises Http404 when the object is not visible to the user, PermissionDenied when it is but the
        action is not theirs.
        """
        if self.model is None:
            return
        if not self.allows_at_once(user, kwargs):
            subject = policy.get_visible(user, self.model, self.see or self.action, uuid=kwargs["uuid"])
            if self.see:
                policy.require(user, self.action, subject)
        policy.remember_granted(user, self.model, self.action, kwargs["uuid"])

    def allows_at_once(self, user: policy.Person, kwargs: dict[str, Any]) -> bool:
        """Whether one statement says yes: to those who may take the action, where everyone who may do so may
        look.
        """
        if (
            self.model is None
            or not self.see
            or not roles.roles_for(self.action) <= roles.roles_for(self.see)
        ):
            return False
        return policy.visible_to(user, self.model, self.action).filter(uuid=kwargs["uuid"]).exists()


def needs(action: str, model: type[Model] | None = None, *, see: str = "") -> Callable[[View], View]:
    """Only signed-in people whose role allows `action` on the object named by the URL's uuid.

    see: where looking needs less than doing, the action that makes the object visible: then a person who may
    look but not do gets 403 with the roles that may, and a stranger gets 404. Without a model the view's
    query filters by `visible_to` itself.
    """

    def decorate(view: View) -> View:
        need = Needs(action, model, see)

        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(way_back(request))
            need.check(request.user, kwargs)
            response = view(request, *args, **kwargs)
            # it may hold texts, and outlive the session in a cache
            response.headers.setdefault("Cache-Control", "private, no-store")
            return response

        checked.needs = need  # type: ignore[attr-defined]
        return checked

    return decorate


def way_back(request: HttpRequest) -> str:
    """Where to continue after signing in: this page, or, where a form was sent, the page of the form, since
    only that can be opened.
    """
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    referer = urlsplit(request.headers.get("Referer", ""))
    return (
        f"{referer.path or '/'}{'?' + referer.query if referer.query else ''}"
        if referer.netloc == request.get_host()
        else "/"
    )


def signed_in(view: View) -> View:
    """Any signed-in person: what is shown depends on the person alone."""
    return needs("signed_in")(view)


def public(view: View) -> View:
    """Anyone, without signing in."""
    view.needs = Needs("public")  # type: ignore[attr-defined]
    return view
