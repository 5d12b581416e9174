"""Business figures and the result of cases: with the model, and without it for those held out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict, Refused
from monitoring.traffic import queries
from monitoring.traffic.actions.ingest import waits_since
from monitoring.traffic.actions.missing import unknown
from monitoring.traffic.models import Kpi, Outcome, OutcomeDay, Side
from monitoring.traffic.outcomes import Arm, added, group_of, unpacked
from monitoring.traffic.rules import BATCH_MAX, SKEW
from monitoring.traffic.spool import EARLIEST
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

LARGEST = 1e12  # of a value, either way: its square still adds up without loss of what matters


@dataclass(frozen=True)
class Case:
    """The result of one case. uuid: the client's own, so that sending twice counts once; subject: what the
    case is known by, never kept.

    request: the uuid of the prediction's request, where the prediction's is derived from it.
    """

    uuid: UUID
    arm: str
    value: float
    at: datetime
    prediction: UUID | None = None
    subject: str = ""
    request: UUID | None = None


@transaction.atomic
def define_kpi(
    *,
    endpoint_id: UUID,
    name: str,
    direction: str,
    kind: str,
    holdout_share: float,
    actor: User,
    unit: str = "",
) -> Kpi:
    """Name a business figure that an endpoint is meant to move, and the share of cases held out to compare
    with.

    holdout_share: of all cases, 0 to 0.5. Raises PermissionDenied, Conflict (the name is taken) or Refused.
    """
    endpoint = (
        Endpoint.objects.select_for_update(of=("self",), no_key=True)
        .select_related("model__project")
        .get(uuid=endpoint_id)
    )
    policy.require(actor, "traffic.define_kpi", endpoint)
    name, unit = name.strip(), unit.strip()
    if not 0 < len(name) <= 80:
        raise Refused("The KPI's name isn't valid.", fields={"name": ["Enter a name of 1 to 80 characters."]})
    if len(unit) > 20:
        raise Refused("The unit is too long.", fields={"unit": ["Use up to 20 characters."]})
    for field, value, choices in (
        ("direction", direction, Kpi.Direction.values),
        ("kind", kind, Kpi.Kind.values),
    ):
        if value not in choices:
            raise Refused(
                f"{value!r} isn't a valid {field} of a KPI.",
                fields={field: [f"Choose one of {', '.join(choices)}."]},
            )
    if not (math.isfinite(holdout_share) and 0 <= holdout_share <= 0.5):
        raise Refused(
            "The hold-out share must be between 0 and 0.5.",
            fields={"holdout_share": ["Enter a share from 0 to 0.5."]},
        )
    if endpoint.kpis.filter(name=name).exists():
        raise Conflict(
            f"{endpoint} already has a KPI with this name.", fields={"name": ["Choose another name."]}
        )
    kpi = Kpi.objects.create(
        endpoint=endpoint,
        name=name,
        unit=unit,
        direction=direction,
        kind=kind,
        holdout_share=holdout_share,
        owner=actor,
    )
    record(
        actor,
        Verb.KPI_DEFINED,
        kpi,
        project=endpoint.model.project.uuid,
        endpoint=endpoint.uuid,
        name=name,
        unit=unit,
        direction=direction,
        kind=kind,
        holdout_share=holdout_share,
    )
    return kpi


def record_outcomes(*, kpi_id: UUID, cases: Sequence[Case], actor: User) -> list[Outcome]:
    """Take the result of up to 1,000 cases, all or nothing, with one event. A uuid that is known with the
    same content counts once.

    Raises PermissionDenied, Refused (a senseless value, arm or time; a prediction of another endpoint),
    Conflict (a uuid that is known with another content) or NotReady (a prediction that is not known yet).
    """
    if not 0 < len(cases) <= BATCH_MAX:
        raise Refused(f"A batch can have 1 to {BATCH_MAX:,} outcomes.", next_step="Send it in parts.")
    try:
        return _record_outcomes(kpi_id, cases, actor)
    except IntegrityError as error:  # another batch was quicker with one of these uuids under another figure
        raise Conflict(
            "Another request is recording an outcome of this batch.", next_step="Send the batch again."
        ) from error


@transaction.atomic
def _record_outcomes(kpi_id: UUID, cases: Sequence[Case], actor: User) -> list[Outcome]:
    kpi = (
        Kpi.objects.select_for_update(of=("self",), no_key=True)
        .select_related("endpoint__model__project")
        .get(uuid=kpi_id)
    )
    policy.require(actor, "traffic.record_outcomes", kpi)
    now = timezone.now()
    links = predictions_of(kpi, cases, actor)
    wanted = distinct(outcome(kpi, case, links, at, now) for at, case in enumerate(cases))
    known = {row.uuid: row for row in Outcome.objects.filter(uuid__in=wanted)}
    for row in known.values():
        check_same(row, wanted[row.uuid])
    fresh = [row for row in wanted.values() if row.uuid not in known]
    if fresh:
        subjects = known_subjects(kpi, fresh)
        Outcome.objects.bulk_create(fresh)
        add_to_days(kpi, fresh, subjects)
        digest = digest_of([[str(row.uuid), row.arm, row.value, row.at.isoformat()] for row in fresh])
        record(
            actor,
            Verb.OUTCOMES_RECORDED,
            kpi,
            project=kpi.endpoint.model.project.uuid,
            endpoint=kpi.endpoint.uuid,
            count=len(fresh),
            digest=digest,
        )
    return [known.get(key, row) for key, row in wanted.items()]


def predictions_of(kpi: Kpi, cases: Sequence[Case], actor: User) -> dict[UUID, int]:
    """The keys of the predictions that the cases name. Raises NotReady or Refused for unknown ones, Refused
    for foreign ones.
    """
    named = {case.prediction for case in cases if case.prediction}
    if not named:
        return {}
    waits = waits_since()
    rows = {
        uuid: (pk, endpoint)
        for uuid, pk, endpoint in (
            queries.visible(actor).filter(uuid__in=named).values_list("uuid", "pk", "endpoint")
        )
    }
    if missing := named - rows.keys():
        requests = {case.prediction: case.request for case in cases}
        raise unknown(min(missing), requests[min(missing)], waits)
    for uuid, (_, endpoint) in rows.items():
        if endpoint != kpi.endpoint_id:
            raise Refused(
                f"Prediction {uuid} isn't from {kpi.endpoint}.",
                fields={"prediction": ["Give a prediction of this endpoint."]},
            )
    return {uuid: pk for uuid, (pk, _) in rows.items()}


def outcome(kpi: Kpi, case: Case, links: dict[UUID, int], at: int, now: datetime) -> Outcome:
    """A case as it is kept. Raises Refused for what makes no sense; at: its place in the batch, for the
    message.
    """

    def refuse(field: str, sentence: str) -> Refused:
        return Refused(f"Outcome {at + 1}: {sentence}", fields={field: [sentence]})

    if case.arm not in Side.values:
        raise refuse("arm", f"{case.arm!r} isn't an arm. Use model or holdout.")
    if not math.isfinite(case.value) or abs(case.value) > LARGEST:
        raise refuse("value", "The value must be a finite number.")
    if kpi.kind == Kpi.Kind.SHARE and case.value not in (0, 1):
        raise refuse("value", f"{kpi.name} is a share of cases. Use 0 or 1.")
    if case.at.tzinfo is None or not EARLIEST <= case.at <= now + SKEW:
        raise refuse("at", "The time has no time zone, is in the future, or is before 2020.")
    if case.arm == Side.HOLDOUT and case.prediction:
        raise refuse("prediction", "A hold-out case has no prediction. Leave it empty.")
    if len(case.subject) > 200:
        raise refuse("subject", "Use up to 200 characters for the subject.")
    subject = (
        hashlib.sha256(f"{kpi.uuid}:{case.subject}".encode("utf-8", "replace")).hexdigest()
        if case.subject
        else ""
    )
    return Outcome(
        uuid=case.uuid,
        kpi=kpi,
        arm=case.arm,
        value=case.value,
        at=min(case.at, now),
        subject=subject,
        prediction_id=links[case.prediction] if case.prediction else None,
    )


def distinct(rows: Iterable[Outcome]) -> dict[UUID, Outcome]:
    """By uuid, in order. Raises Conflict where one batch says two things of a case."""
    found: dict[UUID, Outcome] = {}
    for row in rows:
        if row.uuid in found:
            check_same(found[row.uuid], row)
        found.setdefault(row.uuid, row)
    return found


def check_same(known: Outcome, given: Outcome) -> None:
    """Raises Conflict unless both say the same of the case."""
    if (known.kpi_id, known.arm, known.value) != (given.kpi_id, given.arm, given.value):
        raise Conflict(
            f"Outcome {known.uuid} is already recorded with different values.",
            next_step="Outcomes can't be changed. Use a new uuid for a new case.",
        )


def known_subjects(kpi: Kpi, rows: list[Outcome]) -> set[str]:
    """Of the subjects of these rows, those of which the figure has outcomes."""
    found = Outcome.objects.filter(kpi=kpi, subject__in={row.subject for row in rows if row.subject}).exclude(
        subject=""
    )
    return set(found.values_list("subject", flat=True).distinct())


def add_to_days(kpi: Kpi, rows: list[Outcome], known: set[str]) -> None:
    """Count new outcomes in the sums of their days, under the lock of the figure. known: subjects of which it
    had outcomes before.
    """
    places: dict[tuple[date, str], list[Outcome]] = {}
    for row in rows:
        places.setdefault((row.at.astimezone(UTC).date(), row.arm), []).append(row)
    days = {
        (row.day, row.arm): row
        for row in OutcomeDay.objects.filter(kpi=kpi, day__in={day for day, _ in places})
    }
    missing = [
        OutcomeDay(kpi=kpi, day=day, arm=arm, groups=Arm().packed)
        for day, arm in sorted(places)
        if (day, arm) not in days
    ]
    days |= {(row.day, row.arm): row for row in missing}
    for place, cases in places.items():
        day, named = days[place], {row.subject for row in cases if row.subject}
        fresh, unnamed = named - known, sum(not row.subject for row in cases)
        known |= named
        found = added(
            ((group_of(row.uuid, row.subject), row.value) for row in cases),
            subjects=len(fresh) + unnamed,
            unnamed=unnamed,
        )
        found += Arm(day.subjects, day.unnamed, unpacked(day.groups))
        day.n, day.total, day.subjects, day.unnamed, day.groups = (
            found.n,
            found.total,
            found.subjects,
            found.unnamed,
            found.packed,
        )
    OutcomeDay.objects.bulk_create(missing)
    changed = [days[place] for place in places if days[place] not in missing]
    OutcomeDay.objects.bulk_update(changed, ["n", "total", "subjects", "unnamed", "groups"], batch_size=100)
