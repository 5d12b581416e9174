"""Pages of policies: what is asked of a version before it serves."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from registry.ground.access.decorators import signed_in
from registry.ground.access.requests import SignedInRequest
from registry.policies import queries


@require_safe
@signed_in
def policies(request: SignedInRequest) -> HttpResponse:
    """All policies with their versions."""
    return render(request, "registry/policies/list.html", {"policies": queries.visible_to(request.user)})


@require_safe
@signed_in
def detail(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One version: gates, steps, terms, its text and its history."""
    policy = queries.get_visible(request.user, uuid)
    history = [row for row in queries.visible_to(request.user) if row.name == policy.name]
    context = {"policy": policy, "rules": queries.read(policy), "history": history, "in_force": history[0]}
    return render(request, "registry/policies/detail.html", context)
