"""Pages of policies: what is asked of a version before it serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
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
    rules = queries.read(policy)
    gates = [(name, settings, stated(settings)) for name, settings in rules.gates.items()]
    context = {
        "policy": policy,
        "rules": rules,
        "gates": gates,
        "history": history,
        "in_force": history[0],
    }
    return render(request, "registry/policies/detail.html", context)


def stated(settings: Mapping[str, Any]) -> list[str]:
    """A gate's settings in lines, as the policy names them; those of each task in a line of its own."""
    general = {key: value for key, value in settings.items() if key not in ("blocking", "tasks")}
    tasks = settings.get("tasks", {}).items()
    own = [f"{task}: {'not applied' if each is None else inline(each)}" for task, each in tasks]
    return [inline(general), *own] if general else own


def inline(value: Any) -> str:
    """A setting in one line, such as `metric macro_f1, at_least 0.7`."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {inline(each)}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
