"""What the inference servers report, as the people of a project may read it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from registry.catalog.models import Endpoint
from registry.endpoints.models import Deployment
from registry.endpoints.servers import ClosedArm, ServerState, server_states, written_states

MISSED_FOR = timedelta(hours=1)
ELSEWHERE = "It rejected the config because of an endpoint in another project."


def projects_named(text: str) -> set[int]:
    """The keys of the projects whose endpoints a sentence names: what others may not learn of."""
    named = set(re.findall(r"([\w-]+)/([\w-]+)", text))
    rows = Endpoint.objects.filter(slug__in={slug for _, slug in named}).values_list(
        "project__slug", "slug", "project"
    )
    return {key for project, slug, key in rows if (project, slug) in named}


def problem_for(project_id: int, problem: str) -> str:
    """What a project may learn of a server's sentence: all of it, unless it names an endpoint of another
    project.
    """
    return problem if projects_named(problem) <= {project_id} else ELSEWHERE


def server_states_for(endpoint: Endpoint) -> list[ServerState]:
    """What every running server reports, as the people of an endpoint's project may read it."""
    project_id = endpoint.model.project_id
    return [
        replace(state, problem=problem_for(project_id, state.problem)) if state.problem else state
        for state in server_states()
    ]


def recently_dead(now: datetime) -> list[ServerState]:
    """The servers that fell silent within the last hour; an older file is of a server that no one misses."""
    return [
        state for state in written_states() if not state.lives and state.at and now - state.at < MISSED_FOR
    ]


def guard_of(deployment: Deployment) -> ClosedArm | None:
    """What a server reports of a canary that it closed; None when none did. It counts even if the server has
    died since.
    """
    closed = [arm for state in written_states() for arm in state.closed]
    return next((arm for arm in closed if arm.deployment == str(deployment.uuid)), None)
