"""Every endpoint as the inference servers need to know it, in a fixed number of statements, however many
endpoints there are.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from lifecycle.runtime.task_types.by_key.types import DEFAULT
from registry.catalog.models import Endpoint, ModelVersion
from registry.catalog.rules import task_type
from registry.endpoints import rules
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments, published, rollback
from registry.ground.access import policy
from registry.ground.access.actions import token_digest
from registry.ground.access.models import ApiToken

Arm = Deployment.Arm


def routes() -> list[rules.Route]:
    """Every endpoint with a live version, and those that answer nothing since theirs went into quarantine."""
    arms: dict[int, dict[str, Deployment]] = defaultdict(dict)
    for row in deployments.running().select_related("endpoint__model__project", "version__model"):
        arms[row.endpoint_id][row.arm] = row
    own, back, experiments, given, revoked = (
        rules.Token(token_digest(published.web_token())),
        standbys(),
        salts(),
        tokens(),
        withdrawn(),
    )
    known = [
        *(found[Arm.STABLE].endpoint for found in arms.values() if Arm.STABLE in found),
        *rollback.emptied(),
    ]
    return [
        route(
            each,
            arms[each.pk],
            back.get(each.pk),
            experiments.get(each.pk),
            (own, *given.get(each.pk, ())),
            revoked[each.pk],
        )
        for each in known
    ]


def route(
    endpoint: Endpoint,
    arms: dict[str, Deployment],
    back: ModelVersion | None,
    experiment: UUID | None,
    given: tuple[rules.Token, ...],
    revoked: list[str],
) -> rules.Route:
    """One endpoint of the document. arms: what runs on it; back: what is kept loaded for a rollback;
    experiment: see `salts`; revoked: see `withdrawn`.
    """
    return rules.Route(
        name=endpoint.full_name,
        uuid=str(endpoint.uuid),
        salt=str(experiment or endpoint.uuid),
        task=task_of(arms),
        stable=served(arms[Arm.STABLE]) if Arm.STABLE in arms else None,
        canary=served(arms[Arm.CANARY]) if Arm.CANARY in arms else None,
        shadow=served(arms[Arm.SHADOW]) if Arm.SHADOW in arms else None,
        standby=rules.ServedVersion(str(back.uuid), str(back), back.root_digest) if back else None,
        tokens=given,
        keep_text=endpoint.keep_text,
        withdrawn=tuple(revoked),
    )


def task_of(arms: dict[str, Deployment]) -> str:
    """What the live version of an endpoint answers; of one without, as of a new one."""
    return task_type(arms[Arm.STABLE].version.facts).key if Arm.STABLE in arms else DEFAULT


def served(deployment: Deployment) -> rules.ServedVersion:
    """A version as the document names it."""
    version = deployment.version
    return rules.ServedVersion(
        str(version.uuid), str(version), version.root_digest, deployment.share, str(deployment.uuid)
    )


def standbys() -> dict[int, ModelVersion]:
    """What a rollback would make live, by endpoint: `rollback.rollback_target` of all at once."""
    rows = rollback.goes_back(deployments.live()).select_related("version__model", "version__folder")
    return {row.endpoint_id: row.version for row in rows}


def withdrawn() -> dict[int, list[str]]:
    """The root digests of the versions in quarantine that ever ran on an endpoint: no server continues
    answering with them.
    """
    found: dict[int, list[str]] = defaultdict(list)
    rows = Deployment.objects.filter(version__state=ModelVersion.State.QUARANTINED).order_by()
    for endpoint, digest in rows.values_list("endpoint_id", "version__root_digest").distinct():
        found[endpoint].append(digest)
    return found


def salts() -> dict[int, UUID]:
    """What the buckets of an endpoint with a canary hang on: the first deployment of that canary.

    It stays while the canary widens, so that a key keeps its arm, and the next canary falls to other keys:
    else the same customers would try out each of them.
    """
    approvals = deployments.running().filter(arm=Arm.CANARY).values("approval")
    return dict(
        Deployment.objects.filter(arm=Arm.CANARY, approval__in=approvals)
        .order_by("-id")
        .values_list("endpoint_id", "uuid")
    )


def tokens() -> dict[int, list[rules.Token]]:
    """The live tokens that may ask, by endpoint: its own, those of programs; and, for trying out, those with
    the scope infer of people whose role allows it there, unless they are limited to another project.
    """
    mine: dict[int, list[tuple[rules.Token, int | None]]] = defaultdict(list)
    rows = ApiToken.objects.filter(revoked_at=None, expires_at__gt=timezone.now()).order_by()
    for user, digest, scopes, until, project in rows.values_list(
        "user_id", "digest", "scopes", "expires_at", "project_id"
    ):
        if ApiToken.Scope.INFER in scopes:
            mine[user].append((token(digest, until), project))
    found: dict[int, list[rules.Token]] = defaultdict(list)
    for endpoint, digest, until in (
        published.live_tokens().order_by().values_list("endpoint_id", "digest", "expires_at")
    ):
        found[endpoint].append(token(digest, until))
    projects = dict(Endpoint.objects.order_by().values_list("pk", Endpoint.project_path))
    for endpoint, people in policy.who_can_each("endpoints.infer", Endpoint.objects.all()).items():
        given = [each for person in people for each in mine.get(person, ())]
        found[endpoint] += [each for each, only in given if only in (None, projects[endpoint])]
    return found


def token(digest: str, until: datetime) -> rules.Token:
    """A token as the document names it."""
    return rules.Token(digest, until.isoformat(timespec="seconds"))
