"""Reading what the inference servers wrote: one JSON object a line, complete segments only. Pure but for
reading a file.

A line without "kind" is a request with its texts and answers; "shadow" is a shadow version's answer to a copy
of a request; "guard" says that a server closed a canary on its own.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

DEMO_PREFIX = "demo-"
MANNER = ("refusals", "repetition", "empty_answers")  # as `words.manner` measures them
LABEL_MAX, LABELS_MAX, VALUE_MAX = 120, 1000, 16_000
DIGEST = re.compile("[0-9a-f]{64}")
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)  # a time before it comes from a clock that was never set
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COUNT_END, EPOCH_END = 2**31, 2**63


@dataclass(slots=True)
class SpooledPrediction:
    """One text of one request, as it becomes a Prediction. index: the place of the text in its request, from
    0. value: the prediction as an annotation, where it is more than a label; labels: those that figures
    count, once each. content: what was asked beside the text, as `Prediction.content`. written: of a written
    answer its words, and its manner, 0 to 1 each.
    """

    uuid: UUID
    index: int
    request_id: str
    endpoint: str
    version: str | None
    root_digest: str
    deployment: str | None
    arm: str
    key: str
    at: datetime
    code: int
    latency_ms: float
    cpu_ms: float | None
    text: str | None
    text_digest: str
    chars: int
    tokens: int
    oov: float | None
    truncated: bool
    label: str
    confidence: float | None
    scores: list[dict[str, Any]]
    epoch: int
    pinned: bool = False
    value: dict[str, Any] | None = None
    labels: tuple[str, ...] = ()
    content: dict[str, Any] | None = None
    written: dict[str, float] | None = None

    @property
    def is_marked_demo(self) -> bool:
        """Whether it calls itself a request of the demo's own generator, as any client can."""
        return self.request_id.startswith(DEMO_PREFIX)


@dataclass(slots=True)
class Shadow:
    """A shadow version's answer beside the client's. prediction: the uuid of the prediction that the client
    got.
    """

    uuid: UUID
    at: datetime
    endpoint: str
    version: str | None
    root_digest: str
    deployment: str | None
    prediction: UUID
    code: int
    label: str
    confidence: float | None
    agrees: bool | None
    kl: float | None
    latency_ms: float
    primary_latency_ms: float | None
    key: str = ""


@dataclass(slots=True)
class Guard:
    """A canary that its server closed: failures of the last so many requests."""

    uuid: UUID
    at: datetime
    endpoint: str
    deployment: str
    failures: int
    of: int


Parsed = list[SpooledPrediction] | Shadow | Guard


def prediction_uuid(request: UUID, index: int) -> UUID:
    """The uuid of one text's prediction: the request's own for the first text, derived from it for the
    others.
    """
    return request if index == 0 else uuid5(request, str(index))


def made_at(request: UUID) -> datetime | None:
    """When a request was answered, from its uuid (version 7: milliseconds since 1970 in front); None for a
    uuid without a time.
    """
    if request.version != 7:
        return None
    try:
        return EPOCH + timedelta(milliseconds=request.int >> 80)
    except OverflowError:  # made up: after the year 9999
        return None


def parse(line: bytes) -> Parsed:
    """What a line says: rows, one for each text or a single one for a request that ended before its texts
    were read; or another kind.

    Raises ValueError for a line that is not as agreed, or that no database would take.
    """
    try:
        data = json.loads(line, parse_constant=refuse_constant)
        kind = data.get("kind")
        if kind is None:
            return rows(data)
        if kind == "shadow":
            return shadow(data)
        if kind == "guard":
            return guard(data)
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    raise ValueError(f"Lines of kind {kind!r} are not known.")


def refuse_constant(name: str) -> None:
    """NaN and the infinities are no JSON."""
    raise ValueError(f"{name} is not a number.")


def rows(data: dict[str, Any]) -> list[SpooledPrediction]:
    """The texts of one request."""
    inputs, outputs = data["inputs"], data["outputs"]
    request, at, code = UUID(data["uuid"]), moment(data["at"]), status(data["code"])
    request_id, endpoint = clean(str(data.get("request_id") or ""))[:80], clean(str(data["endpoint"]))
    version, deployment = identifier(data["version"]), identifier(data.get("deployment"))
    digest, arm, key = sha256(data["root_digest"]), clean(str(data["arm"] or ""))[:8], sticky(data.get("key"))
    latency_ms, epoch, pinned = (
        measure(data["latency_ms"]),
        whole(data["epoch"], EPOCH_END),
        data.get("pinned") is True,
    )
    texts = max(1, len(inputs))
    cpu_ms = optional(data.get("cpu_ms"))
    each_cpu_ms = None if cpu_ms is None else cpu_ms / texts
    made = []
    for index in range(texts):
        asked: dict[str, Any] = inputs[index] if inputs else {}
        answer: dict[str, Any] = outputs[index] if outputs else {}
        text = asked.get("text")
        made.append(
            SpooledPrediction(
                prediction_uuid(request, index),
                index,
                request_id,
                endpoint,
                version,
                digest,
                deployment,
                arm,
                key,
                at,
                code,
                latency_ms,
                each_cpu_ms,
                None if text is None else clean(str(text)),
                clean(str(asked.get("sha256") or ""))[:64],
                whole(asked.get("chars")),
                whole(asked.get("tokens")),
                share(asked.get("oov")),
                bool(asked.get("truncated")),
                clean(str(answer.get("label") or ""))[:LABEL_MAX],
                share(answer.get("confidence")),
                [
                    {"label": clean(str(name)), "score": finite(score)}
                    for name, score in (answer.get("scores") or {}).items()
                ],
                epoch,
                pinned,
                annotation(answer.get("value")),
                counted(answer),
                None if text is None else beside(asked),
                manner(answer.get("written")),
            )
        )
    return made


def beside(asked: dict[str, Any]) -> dict[str, Any] | None:
    """The candidates of a text, or the messages that it shows, as the content of an item; None without any.
    Raises ValueError for anything but lists of texts and of messages.
    """
    candidates, messages = asked.get("candidates") or [], asked.get("messages") or []
    if not isinstance(candidates, list) or not all(isinstance(each, str) for each in candidates):
        raise ValueError("Candidates are a list of texts.")
    if not isinstance(messages, list) or not all(map(is_message, messages)):
        raise ValueError("Messages are a list of objects with a role and a content.")
    if messages:
        return {"messages": [{name: clean(value) for name, value in each.items()} for each in messages]}
    return {"responses": [clean(each) for each in candidates]} if candidates else None


def manner(given: Any) -> dict[str, float] | None:
    """Of a written answer its number of words, and the shares in MANNER; None where there are none."""
    if given is None:
        return None
    return {"words": whole(given["words"])} | {name: share(given[name]) or 0.0 for name in MANNER}


def is_message(given: Any) -> bool:
    """Whether it is a message of a chat."""
    return (
        isinstance(given, dict)
        and given.keys() == {"role", "content"}
        and all(isinstance(each, str) for each in given.values())
    )


def annotation(value: Any) -> dict[str, Any] | None:
    """A prediction as an annotation; None without one. Raises ValueError for anything but an object that
    databases take, of at most VALUE_MAX characters.
    """
    if value is None:
        return None
    text = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict) or len(text) > VALUE_MAX or "\\u0000" in text:
        raise ValueError("A prediction's value is an object of limited size, without NUL.")
    text.encode("utf-8")  # raises for half of a surrogate pair
    return value


def counted(answer: dict[str, Any]) -> tuple[str, ...]:
    """The labels of a prediction that figures count: those that it lists, or its only one."""
    names = answer.get("labels")
    listed = names if isinstance(names, list) else [answer.get("label") or ""]
    return tuple(name for each in listed[:LABELS_MAX] if (name := clean(str(each))[:LABEL_MAX]))


def sticky(key: Any) -> str:
    """The digest of a sticky key, 16 hex digits; empty where there is none."""
    return clean(str(key or ""))[:16]


def shadow(data: dict[str, Any]) -> Shadow:
    """A shadow's answer."""
    agrees = data.get("agrees")
    return Shadow(
        uuid=UUID(data["uuid"]),
        at=moment(data["at"]),
        endpoint=clean(str(data["endpoint"])),
        version=identifier(data["version"]),
        root_digest=sha256(data["root_digest"]),
        deployment=identifier(data.get("deployment")),
        prediction=UUID(data["prediction"]),
        code=status(data.get("code", 200)),
        label=clean(str(data.get("label") or ""))[:LABEL_MAX],
        confidence=share(data.get("confidence")),
        agrees=None if agrees is None else bool(agrees),
        kl=optional(data.get("kl")),
        latency_ms=measure(data["latency_ms"]),
        primary_latency_ms=optional(data.get("primary_latency_ms")),
        key=sticky(data.get("key")),
    )


def guard(data: dict[str, Any]) -> Guard:
    """A canary that was closed."""
    deployment = identifier(data["deployment"])
    if deployment is None:
        raise ValueError("A guard's line names its deployment.")
    return Guard(
        UUID(data["uuid"]),
        moment(data["at"]),
        clean(str(data["endpoint"])),
        deployment,
        whole(data["failures"]),
        whole(data["of"]),
    )


def moment(value: str) -> datetime:
    """A time with its zone, in UTC. Raises ValueError for one from a clock that was never set."""
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("The time has no zone.")
    at = at.astimezone(UTC)
    if at < EARLIEST:
        raise ValueError("The time is from before 2020: the clock was not set.")
    return at


def identifier(value: Any) -> str | None:
    """A uuid as text in its usual form, or None for nothing."""
    return str(UUID(value)) if value else None


def sha256(value: Any) -> str:
    """64 hex digits, or empty for nothing."""
    digest = str(value or "")
    if digest and not DIGEST.fullmatch(digest):
        raise ValueError("A digest is not 64 hex digits.")
    return digest


def status(value: Any) -> int:
    """An HTTP status."""
    code = int(value)
    if not 100 <= code <= 599:
        raise ValueError("The status is out of its range.")
    return code


def whole(value: Any, end: int = COUNT_END) -> int:
    """A count as the database holds it; 0 for nothing."""
    number = int(value or 0)
    if not 0 <= number < end:
        raise ValueError("A count is out of its range.")
    return number


def finite(value: Any) -> float:
    """A number; JSON's 1e999 is none."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("A number is not finite.")
    return number


def measure(value: Any) -> float:
    """A finite number that is not negative."""
    number = finite(value)
    if number < 0:
        raise ValueError("A measure is negative.")
    return number


def optional(value: Any) -> float | None:
    """A measure, or None for nothing."""
    return None if value is None else measure(value)


def share(value: Any) -> float | None:
    """0 to 1, or None for nothing. What rounding put a little beyond an end is set to it."""
    if value is None:
        return None
    number = finite(value)
    if not -1e-6 <= number <= 1 + 1e-6:
        raise ValueError("A share is not between 0 and 1.")
    return min(1.0, max(0.0, number))


def clean(text: str) -> str:
    """The text without NUL and lone surrogates, which no database column takes."""
    return (
        text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
        if not text.isascii() or "\x00" in text
        else text
    )


def lines(segment: Path) -> Iterator[bytes]:
    """The lines of a complete segment."""
    with segment.open("rb") as file:
        yield from file
