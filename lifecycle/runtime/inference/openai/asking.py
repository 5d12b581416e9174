"""A request for text, as OpenAI's clients send it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.runtime.generation.rules import MAX_ALTERNATIVES
from lifecycle.runtime.inference.inputs import clean
from lifecycle.runtime.inference.protocol import ProtocolError, json_object

MAX_MESSAGES = 200
MAX_STOPS, MAX_STOP_CHARS = 4, 100
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
SEEDS = range(-(2**63), 2**63)
# fields that ask for nothing here, whatever they are
UNREAD = frozenset(
    {"user", "safety_identifier", "prompt_cache_key", "metadata", "store", "service_tier", "verbosity"}
)
# fields of what isn't supported, with the values that ask for nothing
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "best_of": (None, 1),
    "echo": (None, False),
    "suffix": (None, ""),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "logit_bias": (None, {}),
    "tools": (None, []),
    "tool_choice": (None, "none", "auto"),
    "parallel_tool_calls": (None, True, False),
    "functions": (None, []),
    "function_call": (None, "none", "auto"),
    "response_format": (None, {"type": "text"}),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "prediction": (None,),
    "reasoning_effort": (None, "none"),
    "web_search_options": (None,),
}
COMMON = frozenset(
    {
        "model",
        "max_tokens",
        "temperature",
        "top_p",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "logprobs",
        *UNREAD,
        *NEUTRAL,
    }
)

Turns = tuple[tuple[str, str], ...]


class BadField(ProtocolError):
    """A field of the request that can't be read. field: its name; code: of OpenAI's, where it has one."""

    def __init__(self, field: str, message: str, code: str = "") -> None:
        super().__init__(400, message)
        self.field, self.code = field, code


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request. model: as its client names it. prompt: a text to continue, or the turns before an answer.
    max_tokens: None for the version's own limit. logprobs: whether to report them, beside `alternatives` of
    the likeliest tokens at each place. include_usage: counts at the end of a stream. key: that keeps a client
    on one version, or None.
    """

    model: str
    prompt: str | Turns
    max_tokens: int | None
    temperature: float
    top_p: float
    seed: int | None
    stops: tuple[str, ...]
    stream: bool
    include_usage: bool
    logprobs: bool
    alternatives: int
    key: str | None

    @property
    def is_chat(self) -> bool:
        """Whether turns are answered, not a text continued."""
        return not isinstance(self.prompt, str)

    @property
    def is_plain(self) -> bool:
        """Whether the answer is the version's own, so that another version's can be compared with it."""
        return self.is_chat and self.temperature == 0 and self.max_tokens is None and not self.stops


def read_chat(body: bytes) -> Wanted:
    """A body of POST /v1/chat/completions. Raises ProtocolError (400)."""
    given = json_object(body, '"model" and "messages"')
    _check_names(given, {"messages", "max_completion_tokens", "top_logprobs", *COMMON})
    logprobs = _flag(given, "logprobs")
    alternatives = _whole(given, "top_logprobs", 0, MAX_ALTERNATIVES)
    if alternatives and not logprobs:
        raise BadField("top_logprobs", "top_logprobs needs logprobs to be true.")
    longest = "max_completion_tokens" if given.get("max_completion_tokens") is not None else "max_tokens"
    return _wanted(given, _turns(given.get("messages")), longest, logprobs, alternatives or 0)


def read_completion(body: bytes) -> Wanted:
    """A body of POST /v1/completions. Raises ProtocolError (400)."""
    given = json_object(body, '"model" and "prompt"')
    _check_names(given, {"prompt", *COMMON})
    prompt = given.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str) or not prompt:
        raise BadField("prompt", "prompt must be one text.")
    alternatives = _whole(given, "logprobs", 0, MAX_ALTERNATIVES)
    return _wanted(given, clean(prompt, 0), "max_tokens", alternatives is not None, alternatives or 0)


def _wanted(
    given: Mapping[str, Any], prompt: str | Turns, longest: str, logprobs: bool, alternatives: int
) -> Wanted:
    model = given.get("model")
    if not isinstance(model, str) or not model:
        raise BadField("model", "model must be the name of a model. GET /v1/models lists them.")
    options = given.get("stream_options") or {}
    if not isinstance(options, dict):
        raise BadField("stream_options", "stream_options must be an object.")
    key = given.get("user")
    if key is not None and (not isinstance(key, str) or not 1 <= len(key) <= 256):
        raise BadField("user", "user must be a string of 1 to 256 characters.")
    top_p = _number(given, "top_p", 1.0, 0.0, 1.0)
    if top_p == 0:
        raise BadField("top_p", "top_p must be above 0 and at most 1.")
    return Wanted(
        model,
        prompt,
        _whole(given, longest, 1, 10**6),
        _number(given, "temperature", 0.0, 0.0, 2.0),
        top_p,
        _whole(given, "seed", SEEDS.start, SEEDS.stop - 1),
        _stops(given.get("stop")),
        _flag(given, "stream"),
        _flag(options, "include_usage"),
        logprobs,
        alternatives,
        key,
    )


def _check_names(given: Mapping[str, Any], known: Collection[str]) -> None:
    """An option is refused rather than ignored."""
    for name, value in given.items():
        if name not in known:
            raise BadField(name[:80], f"Unknown field: {name[:80]!r}.", "unknown_parameter")
        if name in NEUTRAL and not any(value == each and _alike(value, each) for each in NEUTRAL[name]):
            raise BadField(name, f"{name} isn't supported with this value.", "unsupported_value")


def _alike(value: Any, neutral: Any) -> bool:
    return isinstance(value, bool) is isinstance(neutral, bool)


def _turns(messages: Any) -> Turns:
    if not isinstance(messages, list) or not 1 <= len(messages) <= MAX_MESSAGES:
        raise BadField("messages", f"messages must be a list of 1 to {MAX_MESSAGES} messages.")
    found = tuple(_turn(each, at) for at, each in enumerate(messages))
    if found[-1][0] == "assistant":
        raise BadField("messages", "The last message must be from the user, not from the assistant.")
    return found


def _turn(message: Any, at: int) -> tuple[str, str]:
    where = f"messages[{at}]"
    if not isinstance(message, dict):
        raise BadField(where, f"{where} must be an object with role and content.")
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise BadField(f"{where}.role", f"{where}.role must be one of {', '.join(ROLES)}.")
    for name, value in message.items():
        if name not in ("role", "content", "name") and value not in (None, [], ""):
            raise BadField(f"{where}.{name[:80]}", f"{where}.{name[:80]} isn't supported.")
    return ROLES[role], clean(_content(message.get("content"), f"{where}.content"), at)


def _content(content: Any, where: str) -> str:
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(parts, list) or not parts:
        raise BadField(where, f"{where} must be a text.")
    texts = [
        each["text"]
        for each in parts
        if isinstance(each, dict) and each.get("type") == "text" and isinstance(each.get("text"), str)
    ]
    if len(texts) < len(parts):
        raise BadField(where, f"{where} must be a text, or parts of type text.")
    return "".join(texts)


def _stops(given: Any) -> tuple[str, ...]:
    stops: Sequence[Any] = [] if given is None else given if isinstance(given, list) else [given]
    if len(stops) > MAX_STOPS or not all(
        isinstance(each, str) and 1 <= len(each) <= MAX_STOP_CHARS for each in stops
    ):
        raise BadField(
            "stop", f"stop must be up to {MAX_STOPS} texts of 1 to {MAX_STOP_CHARS} characters each."
        )
    return tuple(stops)


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadField(name, f"{name} must be true or false.")
    return bool(value)


def _whole(given: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:
        raise BadField(name, f"{name} must be a whole number from {low} to {high}.")
    return value


def _number(given: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = given.get(name)
    if value is None:
        return default
    if type(value) not in (int, float) or not (low <= value <= high) or not math.isfinite(value):
        raise BadField(name, f"{name} must be a number from {low:g} to {high:g}.")
    return float(value)
