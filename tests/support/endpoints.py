"""Endpoints with something live on them, and what a server would have written, for tests."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings

from lifecycle.runtime.inference.spool import timed_uuid
from registry.catalog.models import Alias, Endpoint, ModelVersion
from registry.endpoints import actions
from registry.endpoints.models import Deployment
from registry.ground.access.models import Project, User
from registry.ground.access.roles import Role
from registry.promotions.models import PromotionRequest
from tests.support import registry
from tests.support.people import make_person


class Crew:
    """The users that a deployment needs; created unless the test has created them."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def __getattr__(self, name: str) -> User:
        roles = {
            "mia": Role.ENGINEER,
            "ravi": Role.ADJUDICATOR,
            "lee": Role.LEAD,
            "gita": Role.GOVERNANCE,
            "omar": Role.ONCALL,
        }
        found = User.objects.filter(username=name).first()
        return found or make_person(name, project=self.project, role=roles[name])


def approved(
    project: Project, endpoint: Endpoint, version: ModelVersion, plan: dict[str, object] | None = None
) -> PromotionRequest:
    """A request by Mia, approved by Lee and Gita."""
    crew = Crew(project)
    return registry.approved_request(version, endpoint, crew.mia, crew.lee, crew.gita, plan)


def deployed_endpoint(
    project: Project, *, versions: int = 1, slug: str = "support-inbox-prod", test: int = 200
) -> Endpoint:
    """An endpoint on which so many versions went live one after the other: 1.0.0, 1.1.0 …; Omar deployed
    them. test: rows of their test split.
    """
    crew, endpoint, model = Crew(project), None, None
    snapshot = registry.make_snapshot(project, crew.ravi, test=test)
    for at in range(versions):
        version = registry.make_version(
            project, crew.mia, crew.ravi, model=model, snapshot=snapshot, semver=f"1.{at}.0"
        )
        model = version.model
        endpoint = endpoint or registry.make_endpoint(model, crew.mia, slug=slug)
        deploy(project, endpoint, version)
    assert endpoint is not None
    return Endpoint.objects.get(pk=endpoint.pk)


def next_version(endpoint: Endpoint) -> ModelVersion:
    """A version after those that went live on the endpoint: its minor number is how many
    were live.
    """
    project, crew, live = endpoint.model.project, Crew(endpoint.model.project), endpoint.alias.version
    semver = f"1.{endpoint.deployments.count()}.0"
    return registry.make_version(
        project, crew.mia, crew.ravi, model=live.model, snapshot=live.run.snapshot, semver=semver
    )


def with_approval(endpoint: Endpoint, plan: dict[str, object] | None = None) -> PromotionRequest:
    """An approved request for the next version."""
    return approved(endpoint.model.project, endpoint, next_version(endpoint), plan)


def deploy(project: Project, endpoint: Endpoint, version: ModelVersion) -> Deployment:
    """Through approval and the real action, by Omar."""
    return actions.deploy(request_id=approved(project, endpoint, version).uuid, actor=Crew(project).omar)


def copied(endpoint: Endpoint, slug: str, *, before: bool = True) -> Endpoint:
    """Another endpoint of the model as rows, for tests of many: the same is live on it, and unless `before`
    is false was before that.
    """
    fields = {
        name: getattr(endpoint, name) for name in ("model", "project", "environment", "policy", "created_by")
    }
    other = Endpoint.objects.create(slug=slug, **fields)
    Alias.objects.create(endpoint=other, version=endpoint.alias.version, moves=endpoint.alias.moves)
    for row in endpoint.deployments.order_by("id") if before else endpoint.deployments.filter(ended_at=None):
        row.pk, row.uuid, row.endpoint, row._state.adding = None, uuid.uuid4(), other, True
        row.save()
    return other


def routes() -> dict[str, Any]:
    """The routes document as it lies there."""
    document: dict[str, Any] = json.loads((Path(settings.DATA_DIR) / "serving" / "routes.json").read_bytes())[
        "document"
    ]
    return document


def write_status(
    *, name: str = "", epoch: int = 1, refused: dict[str, str] | None = None, **more: Any
) -> Path:
    """What an inference server writes about itself. refused: root digest → reason."""
    versions = {digest: {"state": "refused", "reason": reason} for digest, reason in (refused or {}).items()}
    status = {
        "epoch_applied": epoch,
        "epoch_seen": epoch,
        "at": now(),
        "pid": 1,
        "problem": "",
        "versions": versions,
        "endpoints": {},
    }
    path = Path(settings.DATA_DIR) / "serving" / (f"status.{name}.json" if name else "status.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(status | more))
    return path


def now() -> str:
    """As the server writes times."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def spool_line(
    endpoint: Endpoint, *answers: tuple[str, str, float], at: str = "", **more: Any
) -> dict[str, Any]:
    """One request as the server spools it. answers: (text, label, confidence)."""
    version = endpoint.alias.version
    answers = answers or (("I lost my card", "billing", 0.9),)
    digests = [sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text, _, _ in answers]
    inputs = [
        {"sha256": digest, "chars": len(text), "tokens": 4, "text": text}
        for digest, (text, _, _) in zip(digests, answers, strict=True)
    ]
    return {
        "uuid": str(timed_uuid()),
        "at": at or now(),
        "endpoint": endpoint.full_name,
        "version": str(version.uuid),
        "root_digest": version.root_digest,
        "arm": "stable",
        "status": "ok",
        "code": 200,
        "latency_ms": 5.0,
        "queue_ms": 0.1,
        "rows": len(answers),
        "inputs": inputs,
        "outputs": [
            {"label": label, "confidence": share, "scores": {label: share}} for _, label, share in answers
        ],
        "token": "01234567",
        "request_id": "",
        "epoch": 1,
    } | more


def error_line(endpoint: Endpoint, code: int = 503, **more: Any) -> dict[str, Any]:
    """A request that got no answer, as the server spools it."""
    nothing = {
        "version": None,
        "root_digest": None,
        "arm": None,
        "status": "error",
        "code": code,
        "rows": 0,
        "inputs": [],
        "outputs": [],
    }
    return spool_line(endpoint) | nothing | more


def write_segment(*lines: dict[str, Any] | bytes, name: str = "20260101-0001.jsonl") -> Path:
    """A complete segment in the spool."""
    path = Path(settings.DATA_DIR) / "spool" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    )
    return path
