"""Reading what the inference servers wrote: one request a line, complete segments only. Pure but for reading a file."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

DEMO_PREFIX = "demo-"
LABEL_MAX = 120


@dataclass(frozen=True)
class Row:
    """One text of one request, as it becomes a Prediction. index: the place of the text in its request, from 0."""

    uuid: uuid.UUID
    index: int
    request_id: str
    endpoint: str
    version: str | None
    root_digest: str | None
    arm: str
    at: datetime
    code: int
    latency_ms: float
    text: str | None
    text_digest: str
    chars: int
    tokens: int
    label: str
    confidence: float | None
    scores: list[dict[str, Any]]
    epoch: int

    @property
    def is_demo(self) -> bool:
        """Whether the demo's own generator asked."""
        return self.request_id.startswith(DEMO_PREFIX)


def prediction_uuid(request: uuid.UUID, index: int) -> uuid.UUID:
    """The uuid of one text's prediction: the request's own for the first text, derived from it for the others."""
    return request if index == 0 else uuid.uuid5(request, str(index))


def parse(line: bytes) -> list[Row]:
    """The rows of one line: one for each text, or a single one for a request that was refused before its texts were read.

    Raises ValueError for a line that is not as agreed, or that no database would take.
    """
    try:
        data = json.loads(line, parse_constant=refuse_constant)
        request = Request.read(data)
        return [row(data, request, index) for index in range(max(1, len(data["inputs"])))]
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def refuse_constant(name: str) -> None:
    """NaN and the infinities are no JSON."""
    raise ValueError(f"{name} is not a number.")


@dataclass(frozen=True)
class Request:
    """What all texts of a request have in common."""

    uuid: uuid.UUID
    request_id: str
    endpoint: str
    version: str | None
    at: datetime
    code: int
    latency_ms: float
    epoch: int

    @classmethod
    def read(cls, data: dict[str, Any]) -> Request:
        """Raises ValueError, KeyError or TypeError."""
        at = datetime.fromisoformat(data["at"])
        if at.tzinfo is None:
            raise ValueError("The time has no zone.")
        code, latency_ms, epoch = int(data["code"]), float(data["latency_ms"]), int(data["epoch"])
        if not (100 <= code <= 599 and 0 <= latency_ms < float("inf") and 0 <= epoch < 2**63):
            raise ValueError("A number is out of its range.")
        version = str(uuid.UUID(data["version"])) if data["version"] else None
        request_id = clean(str(data.get("request_id") or ""))[:80]
        return cls(uuid.UUID(data["uuid"]), request_id, clean(str(data["endpoint"])), version, at, code, latency_ms, epoch)


def row(data: dict[str, Any], request: Request, index: int) -> Row:
    """One text of a request."""
    asked: dict[str, Any] = data["inputs"][index] if data["inputs"] else {}
    answer: dict[str, Any] = data["outputs"][index] if data["outputs"] else {}
    text, confidence = asked.get("text"), answer.get("confidence")
    return Row(
        uuid=prediction_uuid(request.uuid, index), index=index, request_id=request.request_id, endpoint=request.endpoint,
        version=request.version, root_digest=data["root_digest"], arm=clean(str(data["arm"] or "stable"))[:8], at=request.at,
        code=request.code, latency_ms=request.latency_ms, text=None if text is None else clean(str(text)),
        text_digest=clean(str(asked.get("sha256") or ""))[:64], chars=whole(asked.get("chars")), tokens=whole(asked.get("tokens")),
        label=clean(str(answer.get("label") or ""))[:LABEL_MAX], confidence=None if confidence is None else float(confidence),
        scores=[{"label": clean(str(label)), "score": float(score)} for label, score in (answer.get("scores") or {}).items()],
        epoch=request.epoch,
    )  # fmt: skip


def whole(value: Any) -> int:
    """A count as the database holds it; 0 for nothing."""
    number = int(value or 0)
    if not 0 <= number < 2**31:
        raise ValueError("A count is out of its range.")
    return number


def clean(text: str) -> str:
    """The text without NUL and lone surrogates, which no database column takes."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8") if not text.isascii() or "\x00" in text else text


def lines(segment: Path) -> Iterator[bytes]:
    """The lines of a complete segment."""
    with segment.open("rb") as file:
        yield from file
