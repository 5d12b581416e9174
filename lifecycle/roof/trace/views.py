from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from datasets_app.datasets.models import Item
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.queries import of_subject
from lifecycle.roof.trace import actions, queries
from lifecycle.ui.respond import redirect_or_refresh, respond
from monitoring.traffic.models import Prediction
from registry.catalog.models import ModelVersion
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest


@require_safe
@needs("trace.view", Prediction)
def prediction(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """A prediction's chain down to the dataset version, and the nearest training items with their
    annotators.
    """
    rows = Prediction.objects.select_related(
        "endpoint__model__project", "deployment", "version__model", "version__run__snapshot__dataset"
    )
    found = rows.get(uuid=uuid)
    reads = policy.can(request.user, "traffic.read_texts", found)
    jobs = [of_subject(found).filter(kind=kind).first() for kind in ("trace.neighbours", "trace.attribution")]
    context = {
        "prediction": found,
        "chain": queries.prediction_chain(found),
        "neighbours": queries.neighbours(request.user, found),
        "job": jobs[0],
        "reads": reads,
        "explained": queries.explained(found) if reads else [],
        "explaining": jobs[1],
        "working": any(job and not job.is_finished for job in jobs),
    }
    return respond(request, "trace/prediction.html", "chain", context)


@require_POST
@needs("trace.view", Prediction)
def neighbours(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Find the ten training items nearest to this text for the model."""
    found = Prediction.objects.select_related("endpoint__model__project", "version").get(uuid=uuid)
    actions.find_neighbours(prediction=found, actor=request.user)
    return redirect_or_refresh(request, reverse("trace:prediction", args=[uuid]))


@require_POST
@needs("traffic.read_texts", Prediction, see="trace.view")
def attribution(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Compute how much each word of this text changes the prediction."""
    found = Prediction.objects.select_related("endpoint__model__project", "version").get(uuid=uuid)
    actions.attribute_words(prediction=found, actor=request.user)
    return redirect_or_refresh(request, reverse("trace:prediction", args=[uuid]))


@require_safe
@needs("trace.view", Item)
def item(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """An item's lineage: its annotators, and the dataset versions, runs, versions, and endpoints above it."""
    found = Item.objects.select_related("dataset__project", "upload__blob", "upload__uploaded_by").get(
        uuid=uuid
    )
    reads = policy.can(request.user, "datasets.read_samples", found)
    context = {"item": found, "touched": queries.item_touched(request.user, found), "reads": reads}
    context |= {"may_gold": policy.can(request.user, "labeling.gold", found)}
    return respond(request, "trace/item.html", "touched", context)


@require_safe
@needs("trace.view", Snapshot)
def snapshot(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """A dataset version's lineage: its runs, their versions, and deployments."""
    found = Snapshot.objects.select_related("dataset").get(uuid=uuid)
    return respond(
        request,
        "trace/snapshot.html",
        "touched",
        {"snapshot": found, "above": queries.above(request.user, [found])},
    )


@require_safe
@needs("trace.view", ModelVersion)
def version(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """A version's origin as links of its chain."""
    found = ModelVersion.objects.select_related("model", "run__snapshot", "run__base", "registered_by").get(
        uuid=uuid
    )
    return respond(
        request, "trace/version.html", "chain", {"version": found, "chain": queries.version_links(found)}
    )
