"""What promotions register with lower rooms."""

from __future__ import annotations

from django.urls import reverse

from lifecycle.ground.jobs.models import Job
from registry.catalog.models import ModelVersion
from registry.catalog.verifications import Verification
from registry.promotions.models import GateResult


def request_url(job: Job) -> str:
    """The page of the request whose gates are checked."""
    return reverse("promotions:detail", args=[job.subject_uuid])


def verified_by_gate(version: ModelVersion) -> Verification | None:
    """The last check of a request for this version that hashed its stored files."""
    # empty where none was hashed
    rows = GateResult.objects.filter(request__version=version, gate="signature").exclude(value="")
    if (gate := rows.select_related("request").order_by("-pk").first()) is None:
        return None
    problem = gate.evidence if gate.status == GateResult.Status.FAILED else ""
    return Verification(gate.created_at, f"by the gates of promotion request {gate.request.number}", problem)
