from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lifecycle.roof.demo import start
from lifecycle.roof.demo.people import PEOPLE, is_demo_here, one_click_allowed
from registry.ground.access.credentials import note_sign_in
from registry.ground.access.decorators import public
from registry.ground.access.models import User


@require_safe
@never_cache
@public
def begin(request: HttpRequest, token: str) -> HttpResponse:
    """Let this browser sign in by one click. 404 unless this is the demo on this machine and the token is the
    printed one.
    """
    if not is_demo_here(request) or not start.is_token(token):
        raise Http404("Page not found, or you don't have access.")
    response = redirect(settings.LOGIN_REDIRECT_URL if request.user.is_authenticated else settings.LOGIN_URL)
    start.remember(response)
    return response


@require_POST
@public
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in as one of the demo's people. 404 unless this is the demo on this machine and the browser has
    the start token.
    """
    username = request.POST.get("username", "")
    if not one_click_allowed(request) or username not in {person.username for person in PEOPLE}:
        raise Http404("Page not found, or you don't have access.")
    user = get_object_or_404(User, username=username, is_active=True, email__endswith="@demo.invalid")
    with transaction.atomic():
        login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
        note_sign_in(user, methods=["demo"])
    return redirect(settings.LOGIN_REDIRECT_URL)
