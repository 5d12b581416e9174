"""One infer request, from its bytes to its response and its line in the spool."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from lifecycle.runtime.inference import protocol
from lifecycle.runtime.inference.batching import Slots
from lifecycle.runtime.inference.faults import SLOW, Fault, Faults, InjectedError
from lifecycle.runtime.inference.guard import Guard
from lifecycle.runtime.inference.inputs import read_rows
from lifecycle.runtime.inference.metrics import Metrics
from lifecycle.runtime.inference.names import CANARY
from lifecycle.runtime.inference.protocol import InferRequest, Prediction, ProtocolError
from lifecycle.runtime.inference.reranking import Rerank
from lifecycle.runtime.inference.routing import LiveArm, LiveEndpoint, bucket, choose_arm, key_digest
from lifecycle.runtime.inference.shadow import Copy, Shadows
from lifecycle.runtime.inference.spool import Spool, timed_uuid
from lifecycle.runtime.inference.wire import failure
from lifecycle.runtime.task_types.served import Served

log = logging.getLogger("lifecycle.runtime.inference")
BODY_SECONDS = 30.0
FAILED = "The model failed on this request. The request ID is in X-Request-Id."


@dataclass(slots=True)
class Exchange:
    """State of one request while it is answered. pinned: the client requested a version, so no split chose
    its arm. rows: what it asks about; texts: how many the network reads for them; is_comparable: whether a
    shadow's answer can be compared with its own.
    """

    live: LiveEndpoint
    token: str
    request_id: str
    uuid: str = field(default_factory=lambda: str(timed_uuid()))
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.perf_counter)
    queue_seconds: float = 0.0
    run_seconds: float = 0.0
    key: str = ""
    pinned: bool = False
    arm: LiveArm | None = None
    fault: Fault | None = None
    rows: tuple[Any, ...] = ()
    texts: int = 0
    is_comparable: bool = True
    prediction: Prediction | None = None

    def chance(self, purpose: str) -> str:
        """16 random hex digits, independent of those for another purpose."""
        return key_digest(self.uuid, purpose)


class Answering:
    """Answers infer requests and reports each of them to the spool, the metrics, the guard and the shadow.
    faults: None without drills.
    """

    def __init__(
        self,
        slots: Slots,
        spool: Spool,
        metrics: Metrics,
        guard: Guard,
        shadows: Shadows,
        faults: Faults | None,
    ) -> None:
        self.slots, self._spool, self._metrics = slots, spool, metrics
        self._guard, self._shadows, self._faults = guard, shadows, faults

    async def __call__(
        self, request: Request, exchange: Exchange, version: str | None, rerank: Rerank | None = None
    ) -> Response:
        """The response to an authorised request. version: the one that the client requests, or None. rerank:
        its body, where it is one of /v1/rerank.
        """
        exchange.pinned = version is not None
        try:
            response = await self._answer(request, exchange, version, rerank)
        except ProtocolError as error:
            response = failure(error)
        except InjectedError:
            log.warning(
                "planted_error request_id=%s endpoint=%s", exchange.request_id, exchange.live.endpoint.name
            )
            response = failure(ProtocolError(500, FAILED))
        except Exception:
            log.exception(
                "infer_failed request_id=%s endpoint=%s", exchange.request_id, exchange.live.endpoint.name
            )
            response = failure(ProtocolError(500, FAILED))
        response.headers["x-request-id"] = exchange.request_id
        self.report(exchange, response.status_code)
        return response

    async def _answer(
        self, request: Request, exchange: Exchange, version: str | None, rerank: Rerank | None
    ) -> Response:
        payload = (
            rerank.request
            if rerank
            else protocol.parse(await read_body(request), request.headers.get(protocol.HEADER_LENGTH))
        )
        exchange.key = sticky_key(
            exchange.live, payload.parameters.get("route_key", request.headers.get("x-route-key"))
        )
        arm = pick(exchange.live, exchange.key or exchange.chance("arm"), version)
        exchange.rows = (rerank.rows if rerank else read_rows)(payload, arm.engine.served)
        exchange.texts = sum(len(arm.engine.served.sequences(row)) for row in exchange.rows)
        exchange.arm = arm  # a request that can't be read is no version's
        wanted = payload.wanted(arm.engine.outputs)
        await self.drill(exchange, arm)
        exchange.prediction, exchange.queue_seconds, exchange.run_seconds = await arm.engine.run(
            self.slots, exchange.rows, exchange.texts
        )
        encode = rerank.encode if rerank else protocol.encode
        content, headers = encode(head(exchange, payload, arm), wanted, exchange.prediction)
        return Response(
            content, headers=headers | {"x-model-version": arm.arm.version, "x-arm": arm.arm.name}
        )

    async def drill(self, exchange: Exchange, arm: LiveArm) -> None:
        """Apply the fault that a drill injects into this request, if any. Raises InjectedError."""
        if self._faults and (fault := self._faults.of(arm.arm.deployment, bucket(exchange.chance("fault")))):
            await inject(exchange, fault)

    def report(self, exchange: Exchange, code: int) -> None:
        """Report a request that ended to the spool, the metrics, the guard, and the shadow."""
        seconds = time.perf_counter() - exchange.began
        arm = exchange.arm.arm if exchange.arm else None
        self._metrics.observe(
            exchange.live.endpoint.name,
            arm.version if arm else "",
            arm.name if arm else "",
            code,
            seconds=seconds,
            queue_seconds=exchange.queue_seconds,
            cpu_seconds=exchange.prediction.cpu_seconds if exchange.prediction else 0.0,
            texts=exchange.texts,
            at_ms=int(exchange.at.timestamp() * 1000),
        )
        if arm and (made := exchange.prediction) and made.ended:
            self._metrics.wrote(exchange.live.endpoint.name, arm.version, made.tokens, made.ended)
        self._spool.put(row(exchange, code, seconds))
        if arm and arm.name == CANARY and not exchange.pinned and (code == 200 or code >= 500):
            self._guard.observe(exchange.live.endpoint.name, arm.deployment, failed=code != 200)
        self._copy(exchange, code)

    def _copy(self, exchange: Exchange, code: int) -> None:
        """Copy the shadow's share of the answered requests to it."""
        shadow, prediction = exchange.live.shadow, exchange.prediction
        if not exchange.is_comparable:
            return
        if shadow and prediction and code == 200 and bucket(exchange.chance("shadow")) < shadow.arm.share:
            primary_ms = round(exchange.run_seconds * 1000, 3)
            name, key = exchange.live.endpoint.name, exchange.key
            self._shadows.offer(Copy(name, shadow, exchange.uuid, exchange.rows, prediction, primary_ms, key))


async def inject(exchange: Exchange, fault: Fault) -> None:
    """Apply a drill's fault: a wait before the run, or an error instead of it."""
    exchange.fault = fault
    if fault.kind != SLOW:
        raise InjectedError
    await asyncio.sleep(fault.delay_ms / 1000)


def head(exchange: Exchange, payload: InferRequest, arm: LiveArm) -> dict[str, Any]:
    """The fields of a response besides its tensors."""
    parameters = {"arm": arm.arm.name, "version_label": arm.arm.label, "prediction_id": exchange.uuid}
    named: dict[str, Any] = {
        "model_name": exchange.live.endpoint.name,
        "model_version": arm.arm.version,
        "parameters": parameters,
    }
    return named if payload.id is None else named | {"id": payload.id}


async def read_body(request: Request) -> bytes:
    """The request's body, without its Content-Encoding. Raises ProtocolError: 413 as soon as it exceeds the
    limit, 408 when it doesn't arrive in time.
    """
    declared = protocol.whole_number(request.headers.get("content-length", "0"))
    if declared is not None and declared > protocol.MAX_BODY_BYTES:
        raise protocol.too_large()
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > protocol.MAX_BODY_BYTES:
                    raise protocol.too_large()
                chunks.append(chunk)
    except TimeoutError as error:
        raise ProtocolError(
            408, f"The request body didn't arrive within {BODY_SECONDS:g} seconds."
        ) from error
    except ClientDisconnect as error:
        raise ProtocolError(400, "The client disconnected before its request was complete.") from error
    return protocol.decode_body(b"".join(chunks), request.headers.get("content-encoding", "").strip().lower())


def sticky_key(live: LiveEndpoint, key: Any) -> str:
    """The digest of the key that keeps a client on one arm; empty without one. Raises ProtocolError (400) for
    an invalid key.
    """
    if key is None:
        return ""
    if not isinstance(key, str) or not 1 <= len(key) <= 256:
        raise ProtocolError(400, "route_key must be a string of 1 to 256 characters.")
    return key_digest(live.endpoint.salt, key)


def pick(live: LiveEndpoint, digits: str, version: str | None) -> LiveArm:
    """The arm that answers: that of the requested version if it gets traffic, else by digits, of the sticky
    key or random.
    """
    if not live.arms:
        raise nothing_answers(live)
    if version is not None:
        for candidate in live.arms:
            if version in (candidate.arm.version, candidate.arm.root_digest) and candidate.arm.share > 0:
                return candidate
        raise ProtocolError(
            404, "This version isn't served for this model. Omit the version to use the live one."
        )
    return choose_arm(live, bucket(digits))


def nothing_answers(live: LiveEndpoint) -> ProtocolError:
    """The error of an endpoint without a live version, and whether to retry."""
    if live.endpoint.withdrawn and not live.endpoint.arms:
        return ProtocolError(
            503,
            "The live version was quarantined and no other version is deployed. Contact the model's owner.",
        )
    return ProtocolError(
        503, "No version of this model is live yet. See its endpoint page.", retry_after_seconds=5
    )


def row(exchange: Exchange, code: int, seconds: float) -> dict[str, Any]:
    """The spool's line for one request. Contains texts only if the endpoint keeps them."""
    arm = exchange.arm.arm if exchange.arm else None
    return {
        "uuid": exchange.uuid,
        "at": exchange.at.isoformat(timespec="milliseconds"),
        "endpoint": exchange.live.endpoint.name,
        "version": arm.version if arm else None,
        "root_digest": arm.root_digest if arm else None,
        "deployment": arm.deployment if arm else None,
        "arm": arm.name if arm else None,
        "key": exchange.key,
        "status": "ok" if code == 200 else "error",
        "code": code,
        "latency_ms": round(seconds * 1000, 3),
        "queue_ms": round(exchange.queue_seconds * 1000, 3),
        "cpu_ms": round(exchange.prediction.cpu_seconds * 1000, 3) if exchange.prediction else None,
        "rows": len(exchange.rows),
        "inputs": inputs(exchange, exchange.arm.engine.served) if exchange.arm else [],
        "outputs": outputs(exchange),
        "token": exchange.token[:8],
        "request_id": exchange.request_id,
        "epoch": exchange.live.epoch,
        **(first_token(exchange.prediction) if exchange.prediction else {}),
        **({"pinned": True} if exchange.pinned else {}),
        **({"drill": exchange.fault.kind} if exchange.fault else {}),
    }


def inputs(exchange: Exchange, served: Served) -> list[dict[str, Any]]:
    """The spool's entry for each row: its text, and what belongs to it where there is something."""
    kept = []
    for index, (text, *candidates) in enumerate(map(served.texts, exchange.rows)):
        entry: dict[str, Any] = {
            "sha256": hashlib.sha256(text.encode("utf-8")).hexdigest(),
            "chars": len(text) + sum(map(len, candidates)),
        }
        if made := exchange.prediction:
            entry |= {
                "tokens": made.tokens[index],
                "oov": None if (oov := made.oov[index]) is None else round(oov, 6),
                "truncated": made.truncated[index],
            }
        if exchange.live.endpoint.keep_text:
            entry |= {"text": text} | served.beside(exchange.rows[index])
        kept.append(entry)
    return kept


def outputs(exchange: Exchange) -> list[dict[str, Any]]:
    """The spool's entry for each prediction; one that is a text only if the endpoint keeps texts."""
    if (made := exchange.prediction) is None:
        return []
    entries = made.spooled()
    if made.is_text and not exchange.live.endpoint.keep_text:
        return [{name: value for name, value in each.items() if name != "value"} for each in entries]
    return entries


def first_token(made: Prediction) -> dict[str, Any]:
    """The spool's field for the time to the first token of a written answer."""
    first = [each.first_seconds for each in made.ended if each.first_seconds is not None]
    return {"first_token_ms": round(max(first) * 1000, 3)} if first else {}
