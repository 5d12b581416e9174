"""What the pages of endpoints show, put together from what is stored. Reads, never writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Step
from registry.access import policy
from registry.access.models import User
from registry.access.roles import sentence
from registry.catalog.models import Endpoint, ModelVersion
from registry.catalog.queries import freeze_of
from registry.endpoints import queries
from registry.endpoints.models import Deployment, Routes
from registry.endpoints.queries import ServerState
from registry.promotions.models import PromotionRequest


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the timeline. kind: ok, bad, now or empty."""

    kind: str
    title: str
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class Server:
    """How one inference server stands to an endpoint. kind: a mark of ui.marks; said: what is wrong or waited for."""

    name: str
    kind: str
    word: str
    said: str
    state: ServerState


def detail(user: User, endpoint: Endpoint) -> dict[str, Any]:
    """Everything of one endpoint that does not come from measured traffic."""
    live, before = queries.live_deployment(endpoint), queries.last_live(endpoint)
    waiting = queries.waiting(endpoint)
    deployments, older = queries.page_of_deployments(endpoint)
    return {
        "endpoint": endpoint, "live": live, "before": before, "waiting": waiting, "seen": endpoint.alias.moves,
        "thread": thread(endpoint, live, waiting), "freeze": freeze_of(endpoint), "changes": changes(deployments), "older": older,
        "may": {name: policy.can(user, f"endpoints.{name}", endpoint) for name in ("deploy", "roll_back", "infer")},
        "why_not_deploy": why_not(user, "endpoints.deploy", endpoint), "why_not_roll_back": why_not_roll_back(user, endpoint, before),
        "traffic": [find_url(f"traffic:{name}", uuid=endpoint.uuid) for name in ("endpoint", "recent")],
        "quarantined": live is not None and live.version.state == ModelVersion.State.QUARANTINED,
        "curl": curl(endpoint), "servers": servers(endpoint, live),
        "dialogs": dialogs(endpoint, live, before, waiting),
    }  # fmt: skip


def dialogs(endpoint: Endpoint, live: Deployment | None, before: Deployment | None, waiting: PromotionRequest | None) -> dict[str, Any]:
    """What the two dialogs say and send."""
    found: dict[str, Any] = {}
    if live and before:
        text = f"All traffic goes from {live.version.semver} to {before.version.semver} within a second; requests that run are answered."
        if before.cause == Deployment.Cause.PROMOTION and before.end_reason and live.cause == Deployment.Cause.ROLLBACK:
            text += f" {before.version.semver} was taken back before: {before.end_reason}"
        found["roll_back"] = {"title": f"Roll back to {before.version.semver}?", "text": text, "seen": {"seen": endpoint.alias.moves}}
    if waiting:
        text = f"All traffic goes to {waiting.version.semver} within a second. Everything the approval rests on is read again first."
        if live:
            text += f" {live.version.semver} stays loaded for a rollback."
        title = f"Deploy {waiting.version.semver} to {endpoint.slug}?"
        found["deploy"] = {"title": title, "text": text, "request": {"request": waiting.uuid}}
    return found


def why_not(user: User, action: str, endpoint: Endpoint) -> str:
    """The roles that may, for somebody who may not; empty otherwise."""
    return "" if policy.can(user, action, endpoint) else sentence(action)


def why_not_roll_back(user: User, endpoint: Endpoint, before: Deployment | None) -> str:
    """Why the button does nothing; empty when it does something."""
    if before is None:
        return "No other active version was ever live here."
    return why_not(user, "endpoints.roll_back", endpoint)


def thread(endpoint: Endpoint, live: Deployment | None, waiting: PromotionRequest | None) -> list[Step]:
    """From the snapshot to the live version, and what would replace it."""
    version = live.version if live else waiting.version if waiting else None
    if version is None:
        return []
    run, approval = version.run, live.approval if live else waiting
    steps = [
        Step("Snapshot", f"s{run.snapshot.number}", find_url("snapshots:detail", uuid=run.snapshot.uuid)),
        Step("Run", str(run.number), find_url("training:detail", uuid=run.uuid)),
        Step("Version", version.semver, reverse("catalog:version", args=[version.uuid])),
    ]
    if approval:
        steps.append(Step("Promotion", f"request {approval.number}", reverse("promotions:detail", args=[approval.uuid])))
    if live is None:
        return [*steps, Step(endpoint.get_environment_display(), "approved, not deployed", at="next")]
    steps.append(Step(endpoint.get_environment_display(), f"{version.semver}, live", at="now"))
    if waiting:
        steps.append(Step("Approved", waiting.version.semver, reverse("promotions:detail", args=[waiting.uuid]), "next"))
    return steps


def changes(deployments: list[Deployment]) -> list[Change]:
    """The timeline, newest first."""
    lines = []
    for each in deployments:
        back = each.cause == Deployment.Cause.ROLLBACK
        title = f"Rolled back to {each.version.semver}" if back else f"{each.version.semver} deployed"
        lines.append(Change("now" if each.ended_at is None else "bad" if back else "", title, each))
    return lines


def servers(endpoint: Endpoint, live: Deployment | None) -> dict[str, Any]:
    """What the servers have applied, beside what was published."""
    published = Routes.objects.values_list("published_epoch", flat=True).first() or 0
    lines = [server(state, endpoint, live, published) for state in queries.server_states()]
    return {"published": published, "lines": lines, "pending": any(line.kind == "wait" for line in lines)}


def server(state: ServerState, endpoint: Endpoint, live: Deployment | None, published: int) -> Server:
    """One server's standing, the worst first."""
    name = state.name or "server"
    if live and (reason := state.refusal_of(live.version)):
        return Server(name, "bad", f"refused {live.version.semver}", f"{reason} {going_on(state, endpoint)}".strip(), state)
    if state.epoch < published:
        return Server(name, "wait", f"epoch {state.epoch}", f"The server has not taken epoch {published} yet.", state)
    if state.problem:
        return Server(name, "warn", f"epoch {state.epoch}", state.problem, state)
    return Server(name, "ok", f"epoch {state.epoch} applied", "", state)


def going_on(state: ServerState, endpoint: Endpoint) -> str:
    """What a server that refused a version answers with instead."""
    answering = ModelVersion.objects.filter(uuid__in=state.answers.get(endpoint.slug, [])).first()
    return f"It goes on answering with {answering.semver}." if answering else "It answers with nothing for this endpoint."


def curl(endpoint: Endpoint) -> str:
    """How a client calls it."""
    return (
        f"curl {settings.INFERENCE_URL}/v2/models/{endpoint.slug}/infer \\\n"
        '  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n'
        """  -d '{"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": ["I lost my card"]}]}'"""
    )


def as_of(endpoint: Endpoint, moment: datetime) -> dict[str, Any]:
    """Which version was live at a moment."""
    return {"endpoint": endpoint, "asked_at": moment, "was": queries.live_at(endpoint, moment)}
