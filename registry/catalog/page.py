"""What the catalog's pages show, put together from what is stored. Reads, never writes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.forms import Form
from django.urls import reverse

from lifecycle.ground.jobs.queries import about, of_subject
from lifecycle.ground.jobs.rules import State
from lifecycle.modeling.evaluation.rules import metrics_of
from lifecycle.modeling.training.thresholds import threshold_of
from lifecycle.runtime.task_types.by_key.measures import NAMED, measures_of
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Figure, Step
from lifecycle.ui.numbers import count, decimals
from registry.catalog import card as cards
from registry.catalog import queries, rules, serving, signed_cards, verifications
from registry.catalog.models import Endpoint, ModelVersion, RegisteredModel
from registry.ground.access import policy
from registry.ground.access.models import User


def form(title: str, confirm: str, asked: Form, model: RegisteredModel | None = None) -> dict[str, Any]:
    """A page that holds one form."""
    back = reverse("catalog:model", args=[model.uuid]) if model else reverse("catalog:list")
    return {"title": title, "confirm": confirm, "form": asked, "model": model, "back": back}


def model(user: User, found: RegisteredModel, before: int | None) -> dict[str, Any]:
    """A model with a page of its versions, its endpoints and what runs for it now."""
    job = of_subject(found).filter(kind="catalog.register").first()
    lines, older = queries.version_lines(found, before)
    endpoints = [
        (endpoint, queries.freeze_of(endpoint)) for endpoint in queries.endpoints(user).filter(model=found)
    ]
    may = {
        action: policy.can(user, f"catalog.{action}", found)
        for action in ("register", "create_endpoint", "freeze")
    }
    return {
        "model": found,
        "lines": lines,
        "older": older,
        "before": before,
        "endpoints": endpoints,
        "may": may,
        "job": job if job and job.state != State.SUCCEEDED else None,
    }


def version(user: User, uuid: UUID) -> dict[str, Any]:
    """A version with its thread, card, files and what was verified when. Raises Http404."""
    running = (
        about(ModelVersion, uuid)
        .filter(kind="catalog.verify", state__in=[State.QUEUED, State.RUNNING])
        .first()
    )
    export_job = about(ModelVersion, uuid).filter(kind="catalog.export").first()
    found = policy.get_visible(user, queries.versions(user), "catalog.view", uuid=uuid)
    card = queries.newest_card(found)
    may = {
        action: policy.can(user, f"catalog.{action}", found)
        for action in ("edit_card", "download", "quarantine")
    }
    kind, serving = rules.task_type(found.facts), rules.serving(found.facts)
    return {
        "version": found,
        "state_kind": found.mark,
        "kind": kind,
        "deciding": (
            threshold_of(deciding, "test")
            if (deciding := found.facts["evaluation"].get("deciding"))
            else None
        ),
        "thread": thread(found),
        "figures": figures(found),
        "serving": serving,
        "rounded": "bf16" if kind.writes_text else "int8",
        "rounding": measures_of(kind.key).metrics[serving.metric] if serving.metric else None,
        "card": card,
        "card_body": cards.body(card.text) if card else "",
        "card_problem": signed_cards.problem(card) if card else "",
        "card_history": list(found.cards.select_related("author").order_by("-revision")[:20]),
        "checked": verifications.of_stored(found),
        "served": verifications.of_served_copy(found),
        "job": running,
        "export": queries.made_export(card) if card else None,
        "export_job": export_job if export_job and export_job.state != State.SUCCEEDED else None,
        "may": may,
        "quarantine_text": quarantine_text(found) if may["quarantine"] else "",
        "live_on": list(Endpoint.objects.filter(alias__version=found).values_list("slug", flat=True)),
        "promotions_url": find_url("promotions:of_version", uuid=found.uuid),
        "deployments_url": find_url("endpoints:of_version", uuid=found.uuid),
        "promote_url": promote_url(user, found),
        "suggest_url": suggest_url(user, found),
        "train_on_url": train_on_url(user, found),
    }


def quarantine_text(found: ModelVersion) -> str:
    """What a quarantine would do now, as the dialog says it before the click."""
    effects = serving.effects(found) or ["It isn't serving traffic."]
    return " ".join(
        ["It can't be served or downloaded again, and its open promotion requests are voided.", *effects]
    )


def suggest_url(user: User, found: ModelVersion) -> str:
    """Where to have this version suggest labels for the dataset that it learned from; "" where this person or
    this version cannot.
    """
    dataset = found.run.snapshot.dataset
    if not rules.task_type(found.facts).prelabels:
        return ""
    if found.state != ModelVersion.State.ACTIVE or not policy.can(user, "labeling.manage", dataset):
        return ""
    address = find_url("evaluation:suggest", uuid=dataset.uuid)
    return f"{address}?model=version:{found.uuid}" if address else ""


def train_on_url(user: User, found: ModelVersion) -> str:
    """Where another run is started from this version's weights; "" where this person may not, or it is not
    active.
    """
    able = found.state == ModelVersion.State.ACTIVE and policy.can(user, "training.launch", found.run)
    address = find_url("training:detail", uuid=found.run.uuid)
    return f"{address}#train-on" if able and address else ""


def promote_url(user: User, found: ModelVersion) -> str:
    """Where to request promotion of this version; "" where this person or this version cannot."""
    able = found.state == ModelVersion.State.ACTIVE
    if not able or not policy.can(user, "promotions.request", found):
        return ""
    return f"{find_url('promotions:new')}?version={found.uuid}" if find_url("promotions:new") else ""


def thread(found: ModelVersion) -> list[Step]:
    """From the snapshot to what this version may serve."""
    run, snapshot = found.run, found.run.snapshot
    return [
        Step("Dataset version", f"v{snapshot.number}", find_url("snapshots:detail", uuid=snapshot.uuid)),
        Step("Run", str(run.number), find_url("training:detail", uuid=run.uuid)),
        Step("Evaluation", "test split", find_url("evaluation:detail", uuid=found.evaluation.uuid)),
        Step("Version", found.semver, at="now"),
        Step("Promotion", "requests", "#promotions", at="next"),
    ]


def figures(found: ModelVersion) -> list[Figure]:
    """The numbers that people look for first, each with its interval."""
    known = queries.measures(found.evaluation.report)
    shown = []
    for name in metrics_of(found.evaluation.report).strip:
        measure = known.get(name)
        value = decimals(measure["value"]) if measure else None
        shown.append(
            Figure(
                NAMED[name].title,
                value,
                sub=f"{decimals(measure['low'])} to {decimals(measure['high'])}" if measure else "",
            )
        )
    return [*shown, Figure("Test rows", count(found.evaluation.rows), sub="frozen")]
