"""Demo traffic: the generator's messages sent to the real inference server, with a request id that marks them as the demo's."""

from __future__ import annotations

import random
import time

import httpx
from django.conf import settings

from lifecycle.demo import inbox
from lifecycle.jobs.context import JobContext
from monitoring.traffic.actions import record_feedback
from monitoring.traffic.models import Feedback, Prediction
from registry.access.models import User
from registry.catalog.models import Endpoint
from registry.endpoints.queries import web_token

REQUESTS, FEEDBACK_EVERY = 240, 4
READY_SECONDS, ARRIVE_SECONDS = 60, 30


def send(ctx: JobContext, endpoint: Endpoint) -> str:
    """Ask the endpoint, then say of every fourth answer whether it was right. Returns a sentence on what was done."""
    if Prediction.objects.filter(endpoint=endpoint, is_demo=True).exists():
        return "Demo traffic is there already."
    url = f"{settings.INFERENCE_URL}/v2/models/{endpoint.slug}"
    headers = {"Authorization": f"Bearer {web_token()}"}
    if not wait_until_ready(ctx, f"{url}/ready", headers):
        return "The inference server did not answer within a minute, so there is no demo traffic."
    messages = inbox.messages(REQUESTS, seed=inbox.SEED + 2)
    asked: dict[str, str] = {}
    with httpx.Client(headers=headers, timeout=30) as client:
        for at, message in enumerate(messages):
            ctx.raise_if_cancelled()
            body = {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": [message.text]}]}
            answer = client.post(f"{url}/infer", json=body, headers={"X-Request-Id": f"demo-{message.number}"})
            if answer.status_code == httpx.codes.OK:
                asked[answer.json()["parameters"]["prediction_id"]] = message.intent
            ctx.progress(at + 1, REQUESTS, stage="Sending demo traffic", unit="requests")
    return f"{len(asked)} demo requests were answered; {give_feedback(ctx, asked)} got feedback."


def wait_until_ready(ctx: JobContext, url: str, headers: dict[str, str]) -> bool:
    """Whether the model answers within a minute."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        ctx.raise_if_cancelled()
        try:
            if httpx.get(url, headers=headers, timeout=2).status_code == httpx.codes.OK:
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    return False


def give_feedback(ctx: JobContext, asked: dict[str, str]) -> int:
    """What a support agent would say of every fourth answer, once the predictions have arrived."""
    chosen = random.Random(inbox.SEED).sample(sorted(asked), len(asked) // FEEDBACK_EVERY)  # noqa: S311
    until = time.monotonic() + ARRIVE_SECONDS
    while time.monotonic() < until and Prediction.objects.filter(uuid__in=chosen).count() < len(chosen):
        ctx.raise_if_cancelled()
        time.sleep(0.5)
    agent = User.objects.get(username="ben")
    for prediction in Prediction.objects.filter(uuid__in=chosen):
        meant = asked[str(prediction.uuid)]
        right = prediction.label == meant
        record_feedback(prediction_id=prediction.uuid, right=right, label="" if right else meant, actor=agent)
    return Feedback.objects.filter(is_demo=True).count()
