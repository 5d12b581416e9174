"""The second half of the demo: twelve weeks of traffic, feedback, a canary that is rolled back, drift, a
proposal.

Like the first half it uses the product's own actions, by the right people, and continues where it was killed.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import httpx
from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from lifecycle.roof.demo import inbox, past, season
from lifecycle.roof.demo.season import Sent
from lifecycle.roof.demo.seed import KEYS, Stage
from lifecycle.roof.demo.server import infer, wait_until_ready
from lifecycle.runtime.refusals import NotReady, Refusal
from monitoring.alerts import actions as alerts
from monitoring.alerts.models import Objective
from monitoring.drift import actions as drift
from monitoring.retraining import actions as retraining
from monitoring.retraining.models import Proposal
from monitoring.retraining.rules import BUSY
from monitoring.retraining.rules import Kind as Trigger
from monitoring.rollouts import actions as rollouts
from monitoring.rollouts.models import Rollout
from monitoring.rollouts.rules import Plan
from monitoring.traffic import actions as traffic
from monitoring.traffic.actions import Case, Entry
from monitoring.traffic.models import Feedback, Kpi, MinuteRollup, Prediction, RollupMark
from registry.catalog.models import Endpoint
from registry.endpoints import actions as endpoints
from registry.endpoints.queries import deployments, faults, published
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import Status

log = logging.getLogger(__name__)
EVERY = 6  # of the predictions get feedback
HOLDOUT = 0.1
BATCH = 200  # a call is one transaction: shorter ones keep others waiting less
OBJECTIVES = (("availability", 0.995, None), ("latency", 0.95, 300.0), ("quality", 0.85, None))
PLAN = Plan(
    steps=(2500, 10_000),
    min_requests=400,
    min_minutes=10,
    margin=0.05,
    rise=0.3,
    max_hours=24,
    warm_up=0,
)
# Of 10,000 of the canary's requests fail in the drill: so few that ten failures among twenty, which the
# server's own guard waits for, come about once in 300 demos before the rule has seen the ten or so that it
# needs.
FAULT_SHARE = 1_200
REQUESTS, UNDER_FAULT = 200, 1_000
PAUSE_SECONDS = 0.1  # between requests under the fault: the rule looks every ten seconds


def twelve_weeks(stage: Stage, endpoint: Endpoint) -> dict[UUID, Sent]:
    """Predict the season's messages, backdate, and ingest them; returns them by prediction."""
    sent = season.past()
    arrived = Prediction.objects.filter(endpoint=endpoint, request_id__startswith=past.MARK)
    if not arrived.exists():
        past.drop(past.answer(stage.ctx, endpoint.full_name, published.web_token(), sent))
        stage.ctx.progress(len(sent), len(sent), stage="Ingesting twelve weeks of traffic", unit="messages")
        stage.wait(lambda: arrived.exists() and not list(past.dropped()))
    rows = arrived.values_list("uuid", "request_id")
    return {uuid: sent[int(request.removeprefix(past.MARK))] for uuid, request in rows}


def feedback(stage: Stage, known: dict[UUID, Sent]) -> None:
    """Ben, who works with the predictions, gives feedback on every sixth."""
    given = set(
        Feedback.objects.filter(prediction__uuid__in=list(known)[:BATCH]).values_list(
            "prediction__uuid", flat=True
        )
    )
    chosen = sorted(known)[::EVERY]
    if given & set(chosen):
        return
    labels = dict(Prediction.objects.filter(uuid__in=chosen).exclude(label="").values_list("uuid", "label"))
    spoken = [
        Entry(
            uuid,
            label == known[uuid].message.intent,
            "" if label == known[uuid].message.intent else known[uuid].message.intent,
        )
        for uuid, label in labels.items()
    ]
    for some in batches(spoken):
        traffic.record_many(entries=some, actor=stage.user("ben"))


def outcomes(stage: Stage, endpoint: Endpoint, known: dict[UUID, Sent]) -> None:
    """Lee names the figure that counts and the result of each case is posted: a tenth of all cases was sorted
    by hand, to compare with.
    """
    name = "Settled at first contact"
    kpi = Kpi.objects.filter(endpoint=endpoint, name=name).first() or traffic.define_kpi(
        endpoint_id=endpoint.uuid,
        name=name,
        direction=Kpi.Direction.UP,
        kind=Kpi.Kind.SHARE,
        holdout_share=HOLDOUT,
        actor=stage.user("lee"),
    )
    now, labels = (
        timezone.now(),
        dict(Prediction.objects.filter(uuid__in=list(known)).values_list("uuid", "label")),
    )
    cases = []
    for uuid, sent in sorted(known.items()):
        draw = random.Random(f"{inbox.SEED}:{sent.message.number}")  # noqa: S311  a demo, no secret
        held_out = draw.random() < HOLDOUT
        right = None if held_out else labels[uuid] == sent.message.intent
        cases.append(
            Case(
                uuid5(KEYS, f"outcome:{endpoint.uuid}:{sent.message.number}"),
                "holdout" if held_out else "model",
                float(season.settled(draw, right=right)),
                now - sent.ago,
                None if held_out else uuid,
                f"case-{sent.message.number}",
            )
        )
    for some in batches(cases):
        traffic.record_outcomes(kpi_id=kpi.uuid, cases=some, actor=stage.user("mia"))


def objectives(stage: Stage, endpoint: Endpoint) -> None:
    """Omar sets the endpoint's objectives."""
    for kind, target, threshold_ms in OBJECTIVES:
        if not Objective.objects.filter(endpoint=endpoint, kind=kind).exists():
            alerts.set_objective(
                endpoint_id=endpoint.uuid,
                kind=kind,
                target=target,
                window_days=30,
                threshold_ms=threshold_ms,
                actor=stage.user("omar"),
                seen=0,
            )


def canary(stage: Stage, request: PromotionRequest, endpoint: Endpoint) -> None:
    """The version gets a quarter of the traffic; in a drill its requests fail, and it is rolled back
    automatically.
    """
    omar = stage.user("omar")
    rollout = Rollout.objects.filter(request=request).first()
    if rollout is None and request.status == Status.APPROVED:
        send(stage, endpoint, REQUESTS, start=1)  # what the forecast rests on
        # the last one is ingested
        stage.wait(endpoint.predictions.filter(request_id=f"demo-{REQUESTS}").exists)
        rollout = rollouts.start(request_id=request.uuid, actor=omar)
    if rollout is None or not is_open(rollout):
        return
    deployment = deployments.canary_of(endpoint)
    try:
        if deployment and not faults.fault_in(deployment):
            endpoints.inject_fault(
                deployment_id=deployment.uuid,
                share=FAULT_SHARE,
                kind="error",
                actor=omar,
                reason="Drill: is the fault detected?",
            )
    except Refusal as refusal:  # no server runs drills, or it is rolled back already
        log.info("event=demo_drill_refused reason=%r", str(refusal))
    send(stage, endpoint, UNDER_FAULT, start=1_001, pause=PAUSE_SECONDS, go_on=lambda: is_open(rollout))
    if is_open(rollout):
        rollouts.abort(
            rollout_id=rollout.uuid,
            actor=omar,
            seen=rollout.moves,
            typed=rollout.baseline.semver,
            reason="The drill couldn't be run.",
        )


def is_open(rollout: Rollout) -> bool:
    """Whether its canary still takes traffic."""
    rollout.refresh_from_db()
    return rollout.is_open


def send(
    stage: Stage,
    endpoint: Endpoint,
    count: int,
    *,
    start: int,
    pause: float = 0,
    go_on: Callable[[], bool] = lambda: True,
) -> None:
    """Send the season's newest messages to the live server while go_on() is true. pause: seconds after
    each.
    """
    messages = season.past()[-count:]
    with httpx.Client(headers={"Authorization": f"Bearer {published.web_token()}"}, timeout=30) as client:
        if not wait_until_ready(stage.ctx, client, settings.INFERENCE_URL, endpoint.full_name):
            raise NotReady(
                "The inference server didn't respond within a minute.",
                next_step="Start it, then start the demo again.",
            )
        for at, each in enumerate(messages):
            if at % 20 == 0:
                stage.ctx.raise_if_cancelled()
                stage.ctx.progress(at, count, stage="A canary under load", unit="requests")
                if not go_on():
                    return
            infer(
                client,
                settings.INFERENCE_URL,
                endpoint.full_name,
                each.message.text,
                request_id=f"demo-{start + at}",
                key=f"now-{start + at}",
            )
            time.sleep(pause)


def drifted(stage: Stage, endpoint: Endpoint) -> None:
    """Measure every past day with daily rollups, as the schedule would have done."""
    weeks = MinuteRollup.objects.filter(endpoint=endpoint, start__lt=timezone.now() - timedelta(days=1))
    newest = weeks.aggregate(newest=Max("changed_at"))["newest"]
    days = RollupMark.objects.filter(level=RollupMark.Level.DAY)
    stage.wait(lambda: newest is None or days.filter(changed_to__gt=newest).exists())
    while drift.tick():
        stage.ctx.raise_if_cancelled()
        stage.ctx.progress(0, 0, stage="Measuring drift day by day", unit="days")


def proposal(stage: Stage, endpoint: Endpoint) -> None:
    """Lee enables the drift trigger, whose measurements lead to a proposal. Leads read no texts, so Mia
    collects them.
    """
    lee, mia = stage.user("lee"), stage.user("mia")
    trigger = retraining.set_trigger(
        endpoint_id=endpoint.uuid, kind=Trigger.DRIFT, actor=lee, threshold=0.2, enabled=True
    )
    if not Proposal.objects.filter(endpoint=endpoint).exists() and not retraining.consider(trigger.uuid):
        retraining.propose(
            endpoint_id=endpoint.uuid, actor=mia, note="Holiday messages differ from the training data."
        )
    for found in Proposal.objects.filter(
        endpoint=endpoint, proposed_by=None, state__in=BUSY, collected_at=None, collected_by=None
    ):
        retraining.collect_texts(proposal_id=found.uuid, actor=mia)


def batches(rows: Sequence[Any]) -> Iterator[list[Any]]:
    """In order, each small enough for one call."""
    for at in range(0, len(rows), BATCH):
        yield list(rows[at : at + BATCH])
