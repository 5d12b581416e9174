"""Asking the inference server as any client does: for the box "try it" and to see whether it answers. Texts
are never logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any
from uuid import uuid4

import httpx
from django.conf import settings

from lifecycle.runtime.refusals import NotReady, Refusal, Refused
from registry.catalog.models import Endpoint
from registry.endpoints.queries import published

SECONDS = 10
SHOWN = 5


@dataclass(frozen=True)
class Answer:
    """The prediction of one text. scores: the best labels with their shares, 0 to 1. latency_ms: as this site
    measured it.
    """

    label: str
    confidence: float
    scores: list[tuple[str, float]]
    version: str
    prediction: str
    latency_ms: float


def ask(endpoint: Endpoint, text: str) -> Answer:
    """Send one text. Raises NotReady when the server or the version does not answer, Refused when it does not
    take the text.
    """
    body = {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": [text]}]}
    headers = {"Authorization": f"Bearer {published.web_token()}", "X-Request-Id": f"try-{uuid4()}"}
    begun = perf_counter()
    try:
        response = httpx.post(
            f"{settings.INFERENCE_URL}/v2/models/{endpoint.full_name}/infer",
            json=body,
            headers=headers,
            timeout=SECONDS,
        )
    except httpx.HTTPError as error:
        raise NotReady(
            "The inference server isn't responding.", next_step="Check that it's running, then try again."
        ) from error
    latency_ms = (perf_counter() - begun) * 1000
    if response.status_code != httpx.codes.OK:
        raise refusal_of(response)
    try:
        return read(response.json(), latency_ms)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise NotReady(
            "The inference server sent an unexpected response.", next_step="Restart it."
        ) from error


def refusal_of(response: httpx.Response) -> Refusal:
    """The server's own sentence, with what to do."""
    try:
        message = str(response.json()["error"])[:300]
    except (ValueError, KeyError, TypeError):
        message = f"The inference server returned status {response.status_code}."
    if response.status_code in (401, 404):
        return NotReady(
            "The inference server doesn't know this endpoint yet.",
            next_step="It picks up changes within seconds; try again.",
        )
    return (NotReady if response.status_code >= 500 or response.status_code == 429 else Refused)(message)


def read(answer: dict[str, Any], latency_ms: float) -> Answer:
    """An answer of the protocol for one text."""
    outputs = {output["name"]: output for output in answer["outputs"]}
    labels, parameters = outputs["SCORES"]["parameters"]["labels"], answer["parameters"]
    scores = sorted(zip(labels, outputs["SCORES"]["data"], strict=True), key=lambda pair: -pair[1])
    return Answer(
        label=str(outputs["LABEL"]["data"][0]),
        confidence=float(outputs["CONFIDENCE"]["data"][0]),
        scores=[(str(label), float(score)) for label, score in scores[:SHOWN]],
        version=str(parameters["version_label"]),
        prediction=str(parameters["prediction_id"]),
        latency_ms=latency_ms,
    )


def is_ready() -> bool | None:
    """Whether the server reports that it is ready; None when nothing answers there."""
    try:
        return httpx.get(f"{settings.INFERENCE_URL}/v2/health/ready", timeout=1).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return None
