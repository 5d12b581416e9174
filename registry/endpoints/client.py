"""Requests to the inference server as any client sends them: for "Test a prediction", and to see whether it
responds. Texts are never logged.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from uuid import UUID, uuid4

import httpx
from django.conf import settings

from lifecycle.runtime.refusals import NotReady, Refusal, Refused
from lifecycle.runtime.task_types.served import Served
from lifecycle.runtime.task_types.shown import Given, Shown
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments, published

SECONDS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """One prediction. version: its model and number; prediction: its ID; latency_ms: as measured here."""

    version: str
    prediction: UUID
    latency_ms: float
    shown: Shown


@dataclass(frozen=True, slots=True)
class Question:
    """A request for one prediction. address: the endpoint's at the server; served: the task's; given: the
    values of one row. It reads no row of the database, since threads send it.
    """

    address: str
    served: Served
    given: Given
    token: str

    def ask(self, version: ModelVersion | None = None) -> Answer:
        """Send it. version: which one is to predict, or None to let the endpoint choose. Raises NotReady when
        the server or the version doesn't answer, Refused when it doesn't take the values.
        """
        pinned = f"/versions/{version.uuid}" if version else ""
        begun = perf_counter()
        try:
            response = httpx.post(
                f"{self.address}{pinned}/infer",
                json=self.served.request(self.given),
                headers={"Authorization": f"Bearer {self.token}", "X-Request-Id": f"try-{uuid4()}"},
                timeout=SECONDS,
            )
        except httpx.ReadTimeout as error:
            raise NotReady(
                f"The prediction took more than {SECONDS} seconds.",
                next_step="Request it with a program, which can wait longer.",
            ) from error
        except httpx.HTTPError as error:
            raise NotReady(
                "The inference server isn't responding.", next_step="Check that it's running, then try again."
            ) from error
        latency_ms = (perf_counter() - begun) * 1000
        if response.status_code != httpx.codes.OK:
            raise refusal_of(response)
        try:
            return self.read(response, latency_ms)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise NotReady(
                "The inference server sent an unexpected response.", next_step="Restart it."
            ) from error

    def read(self, response: httpx.Response, latency_ms: float) -> Answer:
        """The answer in a response of the protocol."""
        body = response.json()
        parameters, outputs = body["parameters"], {each["name"]: each for each in body["outputs"]}
        return Answer(
            version=str(parameters["version_label"]),
            prediction=UUID(parameters["prediction_id"]),
            latency_ms=latency_ms,
            shown=self.served.shown(self.given, outputs),
        )


@dataclass(frozen=True, slots=True)
class Tried:
    """What a version predicted, or why it didn't. version: its number, "" where none is live."""

    version: str
    answer: Answer | None
    refusal: Refusal | None


def ask(endpoint: Endpoint, served: Served, given: Given) -> list[Tried]:
    """What every version predicts that gets traffic, the live one first. Where only one does, the endpoint is
    asked as clients ask it.
    """
    address = f"{settings.INFERENCE_URL}/v2/models/{endpoint.full_name}"
    question = Question(address, served, given, published.web_token())
    running = [
        row.version
        for row, share in deployments.arms_of(endpoint)
        if share and row.arm != Deployment.Arm.SHADOW
    ]
    if len(running) < 2:
        return [tried(question, running[0].semver if running else "")]
    with ThreadPoolExecutor(len(running)) as pool:
        return list(pool.map(lambda version: tried(question, version.semver, version), running))


def tried(question: Question, number: str, version: ModelVersion | None = None) -> Tried:
    """As `Question.ask`, with its refusal returned: one version's doesn't hide the other's answer."""
    try:
        return Tried(number, question.ask(version), None)
    except Refusal as refusal:
        return Tried(number, None, refusal)


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


def is_ready() -> bool | None:
    """Whether the server reports that it is ready; None when nothing answers there."""
    try:
        return httpx.get(f"{settings.INFERENCE_URL}/v2/health/ready", timeout=1).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return None
