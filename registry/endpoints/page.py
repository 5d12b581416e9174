"""What the pages of endpoints show, put together from what is stored. Reads, never writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.forms import Form
from django.urls import reverse
from django.utils import timezone

from lifecycle.runtime.task_types.by_key.served import served_of
from lifecycle.runtime.task_types.by_key.types import DEFAULT
from lifecycle.runtime.task_types.served import Served
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Step
from registry.catalog.models import Endpoint, ModelVersion
from registry.catalog.queries import freeze_of
from registry.catalog.rules import task_type
from registry.endpoints import history, rules, steering
from registry.endpoints.models import Deployment, Fault, Routes
from registry.endpoints.queries import deployments as deployment_queries
from registry.endpoints.queries import faults, listing, reports, rollback
from registry.endpoints.servers import ClosedArm, ServerState
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.roles import sentence
from registry.promotions import plans
from registry.promotions.models import PromotionRequest


@dataclass(frozen=True, slots=True)
class Server:
    """The state of one inference server for an endpoint. kind: a mark of ui.marks; note: what is wrong or
    awaited.
    """

    name: str
    kind: str
    word: str
    note: str
    state: ServerState


@dataclass(frozen=True, slots=True)
class Lane:
    """What runs in one arm. share: of 1, of a shadow: of the copied requests; bar: a kind of ui.marks; stop:
    the dialog that ends it.
    """

    deployment: Deployment
    share: float
    words: str
    bar: str
    closed: ClosedArm | None
    fault: Fault | None
    stop: dict[str, str]

    @property
    def key(self) -> str:
        """For ids of the page."""
        return str(self.deployment.uuid)

    @property
    def fault_share(self) -> str:
        """Of its requests, what the drill hits."""
        return rules.percent(self.fault.share) if self.fault else ""


def detail(user: User, endpoint: Endpoint, older_than: int | None = None) -> dict[str, Any]:
    """Everything of one endpoint that does not come from measured traffic. older_than: the page of its
    history.
    """
    live, canary, before = (
        deployment_queries.live_deployment(endpoint),
        deployment_queries.canary_of(endpoint),
        rollback.last_live(endpoint),
    )
    waiting = listing.waiting(endpoint)
    deployments, older = deployment_queries.page_of_deployments(endpoint, older_than)
    back = live.version if live and canary else before.version if before else None
    return {
        "endpoint": endpoint,
        "live": live,
        "canary": canary,
        "before": before,
        "back": back,
        "waiting": waiting,
        "lanes": lanes(endpoint),
        "thread": thread(endpoint, live, canary, waiting),
        "freeze": freeze_of(endpoint),
        "changes": history.changes(deployments),
        "older": older,
        "older_than": older_than,
        "may": {
            name: policy.can(user, f"endpoints.{name}", endpoint)
            for name in ("deploy", "roll_back", "infer", "manage_tokens")
        },
        "why_not": why_nots(user, endpoint, live, canary, back, waiting),
        "slots": slots(endpoint),
        "shadow": deployment_queries.shadow_of(endpoint),
        "drills": faults.drills_run(),
        "start_url": (
            find_url("rollouts:start", uuid=waiting.uuid)
            if waiting and plans.canary_of(waiting.plan) and live and not canary
            else ""
        ),
        "emptied": rollback.emptied_by(endpoint) if live is None else None,
        "text_days": settings.PREDICTION_TEXT_DAYS,
        "samples": served_by(live).samples(settings.INFERENCE_URL, endpoint.full_name),
        "dialogs": dialogs(endpoint, live, canary, before, waiting),
    }


def other_plan(waiting: PromotionRequest | None, live: Deployment | None) -> str:
    """Why an approval doesn't deploy as the button would; "" where it does."""
    if waiting is None or waiting.plan.get("kind") != plans.Kind.CANARY:
        return ""
    if live is None:
        return (
            "Nothing is live here, so the approved canary can't start. Request promotion again with all"
            " traffic at once."
        )
    return (
        f"The approved plan is a {plans.sentence(waiting.plan)}. Start the canary, or request promotion"
        " again."
    )


def slots(endpoint: Endpoint) -> dict[str, str]:
    """The parts of the page that upper rooms fill, by name; empty where no room answers."""
    names = {
        "rollout": "rollouts:panel",
        "traffic": "traffic:endpoint",
        "recent": "traffic:recent",
        "shadow": "traffic:shadow",
        "drift": "drift:panel",
        "alerts": "alerts:panel",
        "retraining": "retraining:panel",
    }
    found = {slot: find_url(name, uuid=endpoint.uuid) for slot, name in names.items()}
    return {
        slot: f"{url}?few=1" if url and slot in ("recent", "shadow") else url for slot, url in found.items()
    }


def lanes(endpoint: Endpoint) -> list[Lane]:
    """What runs, the live version first."""
    injected = {fault.deployment_id: fault for fault in faults.faults_on(endpoint)}
    bars = {"stable": "reference", "canary": "judged", "shadow": "ghost"}
    return [
        Lane(
            row,
            share / rules.ALL,
            rules.percent(share),
            bars[row.arm],
            reports.guard_of(row),
            injected.get(row.pk),
            stopping(row),
        )
        for row, share in deployment_queries.arms_of(endpoint)
    ]


def stopping(row: Deployment) -> dict[str, str]:
    """The text of the dialog that ends a canary or a shadow."""
    name = row.version.semver
    if row.arm == Deployment.Arm.CANARY:
        return {
            "url": reverse("endpoints:stop_canary", args=[row.uuid]),
            "title": f"Stop canary {name}?",
            "confirm": "Stop canary",
            "text": (
                f"All traffic goes back to the live version within a second. {name} needs a new approval to"
                " serve clients again."
            ),
        }
    return {
        "url": reverse("endpoints:stop_shadow", args=[row.uuid]),
        "title": f"Stop shadow {name}?",
        "confirm": "Stop shadow",
        "text": "Requests are no longer copied to it. Comparisons so far are kept.",
    }


def why_nots(
    user: User,
    endpoint: Endpoint,
    live: Deployment | None,
    canary: Deployment | None,
    back: ModelVersion | None,
    waiting: PromotionRequest | None,
) -> dict[str, str]:
    """Why each button does nothing, for a person; empty where it does something."""
    nothing = "" if live else "Nothing is live here."
    drills = (
        ""
        if faults.drills_run()
        else "No inference server is running with drills enabled (INFERENCE_DRILLS=1)."
    )
    running = (
        f"{canary.version.semver} is running as a canary. Stop it or widen it to all traffic first."
        if canary
        else ""
    )
    shadow = "A shadow is already running." if deployment_queries.shadow_of(endpoint) else ""
    return {
        "deploy": why_not(user, "endpoints.deploy", endpoint) or running or other_plan(waiting, live),
        "roll_back": ("" if back else rules.NOTHING_BEFORE) or why_not(user, "endpoints.roll_back", endpoint),
        "steer": (
            why_not(user, "endpoints.set_share", endpoint)
            or (steering.why_not_by_hand(canary) if canary else "")
        ),
        "stop_shadow": why_not(user, "endpoints.shadow", endpoint),
        "shadow": why_not(user, "endpoints.shadow", endpoint) or nothing or shadow,
        "drill": why_not(user, "endpoints.inject_fault", endpoint) or nothing or drills,
        "lift": why_not(user, "endpoints.inject_fault", endpoint),
    }


def dialogs(
    endpoint: Endpoint,
    live: Deployment | None,
    canary: Deployment | None,
    before: Deployment | None,
    waiting: PromotionRequest | None,
) -> dict[str, Any]:
    """What the two dialogs of the head show and send."""
    found: dict[str, Any] = {}
    if live and canary:
        text = (
            f"Canary {canary.version.semver} ends, and all traffic goes to {live.version.semver} within a"
            " second."
        )
        found["roll_back"] = back_to(
            endpoint, live.version.semver, f"{text} In-flight requests finish.", canary.version.semver
        )
    elif live and before:
        text = (
            f"All traffic goes from {live.version.semver} to {before.version.semver} within a second;"
            " in-flight requests finish."
        )
        text += f" {live.version.semver} needs a new approval to serve here again."
        found["roll_back"] = back_to(endpoint, before.version.semver, text, live.version.semver)
    if waiting:
        text = (
            f"All traffic goes to {waiting.version.semver} within a second. Everything the approval covers is"
            " re-checked first."
        )
        if waiting.plan.get("kind") == plans.Kind.SHARE:
            part = rules.percent(waiting.plan["share"])
            text = (
                f"{waiting.version.semver} gets {part} of requests within a second, as approved. No rule"
                " controls it."
            )
        if live:
            text += f" {live.version.semver} stays loaded for a rollback."
        title = f"Deploy {waiting.version.semver} to {endpoint.slug}?"
        found["deploy"] = {"title": title, "text": text, "request": {"request": waiting.uuid}}
    return found


def back_to(endpoint: Endpoint, semver: str, text: str, keep: str) -> dict[str, Any]:
    """The dialog of a rollback. keep: what the safe button leaves in place."""
    seen = {"seen": endpoint.alias.moves}
    return {
        "title": f"Roll back to {semver}?",
        "text": text,
        "match": semver,
        "cancel": f"Keep {keep}",
        "seen": seen,
    }


def why_not(user: User, action: str, endpoint: Endpoint) -> str:
    """The roles that may, for someone who may not; empty otherwise."""
    return "" if policy.can(user, action, endpoint) else sentence(action)


def thread(
    endpoint: Endpoint, live: Deployment | None, canary: Deployment | None, waiting: PromotionRequest | None
) -> list[Step]:
    """From the snapshot to what is judged: the canary, or the live version and what would replace it."""
    judged = canary or live
    version = judged.version if judged else waiting.version if waiting else None
    if version is None:
        return []
    run, approval = version.run, judged.approval if judged else waiting
    steps = [
        Step(
            "Dataset version", f"v{run.snapshot.number}", find_url("snapshots:detail", uuid=run.snapshot.uuid)
        ),
        Step("Run", str(run.number), find_url("training:detail", uuid=run.uuid)),
        Step("Version", version.semver, reverse("catalog:version", args=[version.uuid])),
    ]
    if approval:
        steps.append(
            Step(
                "Promotion", f"request {approval.number}", reverse("promotions:detail", args=[approval.uuid])
            )
        )
    place = endpoint.get_environment_display()
    if canary and live:
        share = Step("Canary", f"{rules.percent(canary.share)}, {version.semver}", at="now")
        return [*steps, share, Step(place, f"replaces {live.version.semver}", at="next")]
    if live is None:
        return [*steps, Step(place, "approved, not deployed", at="next")]
    steps.append(Step(place, f"{version.semver}, live", at="now"))
    if waiting:
        steps.append(
            Step(
                "Approved", waiting.version.semver, reverse("promotions:detail", args=[waiting.uuid]), "next"
            )
        )
    return steps


def servers(endpoint: Endpoint) -> dict[str, Any]:
    """What each server has applied, the published version, and how many running servers have applied it."""
    published = Routes.objects.values_list("published_epoch", flat=True).first() or 0
    running = list(deployment_queries.serving(endpoint))
    lines = [server(state, endpoint, running, published) for state in reports.server_states_for(endpoint)]
    lines += [
        Server(state.name or "server", "bad", "Not running", "", state)
        for state in reports.recently_dead(timezone.now())
    ]
    applied = sum(line.state.lives and line.state.epoch >= published for line in lines)
    return {
        "published": published,
        "applied": applied,
        "lines": lines,
        "pending": any(line.kind == "wait" for line in lines),
    }


def server(state: ServerState, endpoint: Endpoint, running: list[Deployment], published: int) -> Server:
    """One server's standing, the worst first."""
    name = state.name or "server"
    for row in running:
        if reason := state.refusal_of(row.version):
            goes_on = going_on(state, endpoint) if row.arm == Deployment.Arm.STABLE else ""
            return Server(name, "bad", f"refused {row.version.semver}", f"{reason} {goes_on}".strip(), state)
    if state.epoch < published:
        return Server(
            name,
            "wait",
            f"config v{state.epoch}",
            f"Config v{published} not applied yet. {state.problem}".strip(),
            state,
        )
    if state.problem:
        return Server(name, "warn", f"config v{state.epoch}", state.problem, state)
    return Server(name, "ok", f"config v{state.epoch} live", "", state)


def going_on(state: ServerState, endpoint: Endpoint) -> str:
    """What a server that refused a version answers with instead."""
    answering = ModelVersion.objects.filter(uuid__in=state.answers.get(endpoint.full_name, [])).first()
    return f"It keeps serving {answering.semver}." if answering else "It serves nothing on this endpoint."


def served_by(live: Deployment | None) -> Served:
    """How predictions of the live version are requested; as single labels while there is none."""
    return served_of(task_type(live.version.facts).key if live else DEFAULT)


def as_of(endpoint: Endpoint, moment: datetime) -> dict[str, Any]:
    """Which version was live at a moment, and what else ran."""
    others = deployment_queries.all_at(endpoint, moment).exclude(arm=Deployment.Arm.STABLE)
    return {
        "endpoint": endpoint,
        "asked_at": moment,
        "was": deployment_queries.live_at(endpoint, moment),
        "beside": list(others),
    }


def form(endpoint: Endpoint, title: str, text: str, confirm: str, asked: Form) -> dict[str, Any]:
    """A page that holds one form."""
    return {"endpoint": endpoint, "title": title, "text": text, "confirm": confirm, "form": asked}
