"""Asking the inference server as any client does: for the box "try it" and to see whether it answers. Texts
are never logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
ONE_LABEL = {"LABEL", "CONFIDENCE", "SCORES"}  # tensors of a single label


@dataclass(frozen=True)
class Answer:
    """One prediction. label, confidence, scores: where a text has one label, with the best labels' shares, 0
    to 1. tensors: of other predictions, each in words. latency_ms: as this site measured it.
    """

    version: str
    prediction: str
    latency_ms: float
    label: str = ""
    confidence: float | None = None
    scores: Sequence[tuple[str, float]] = ()
    tensors: Sequence[tuple[str, str]] = ()


def ask(endpoint: Endpoint, body: dict[str, Any]) -> Answer:
    """Send a request. Raises NotReady when the server or the version does not answer, Refused when it does
    not take the texts.
    """
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
    parameters = answer["parameters"]
    found = Answer(
        version=str(parameters["version_label"]),
        prediction=str(parameters["prediction_id"]),
        latency_ms=latency_ms,
    )
    if not outputs.keys() >= ONE_LABEL:
        return replace(found, tensors=[(str(name), in_words(each)) for name, each in outputs.items()])
    labels = outputs["SCORES"]["parameters"]["labels"]
    scores = sorted(zip(labels, outputs["SCORES"]["data"], strict=True), key=lambda pair: -pair[1])
    return replace(
        found,
        label=str(outputs["LABEL"]["data"][0]),
        confidence=float(outputs["CONFIDENCE"]["data"][0]),
        scores=[(str(label), float(score)) for label, score in scores[:SHOWN]],
    )


def in_words(output: dict[str, Any]) -> str:
    """A tensor's values, with the names of its columns."""
    values = [f"{each:.3g}" if isinstance(each, float) else str(each) for each in output["data"]]
    names = output.get("parameters", {}).get("labels")
    if names:
        values = [f"{name}: {value}" for name, value in zip(names, values, strict=True)]
    return ", ".join(values) or "none"


def is_ready() -> bool | None:
    """Whether the server reports that it is ready; None when nothing answers there."""
    try:
        return httpx.get(f"{settings.INFERENCE_URL}/v2/health/ready", timeout=1).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return None
