"""Open Inference Protocol v2 over HTTP: tensors in and out, as JSON or with the binary tensor extension."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.generation.rules import Ended
from lifecycle.runtime.task_types.by_key.served import served_of
from lifecycle.runtime.task_types.served import Input, Output, Values

MAX_BODY_BYTES = 1_000_000
MAX_DIGITS = 18
MAX_TEXTS = 64
MAX_TEXT_CHARS = 100_000
HEADER_LENGTH = "inference-header-content-length"
EMBEDDING = "EMBEDDING"
TYPES = {"BYTES": "TYPE_STRING", "FP32": "TYPE_FP32", "INT32": "TYPE_INT32", "BOOL": "TYPE_BOOL"}  # of Triton
RAW = {"FP32": "<f4", "INT32": "<i4", "BOOL": "?"}
MAX_OUTPUTS = 16

Floats = NDArray[np.float32]


class ProtocolError(Exception):
    """A request that gets no prediction. status: the HTTP code; str(self): a sentence without any of the
    request's texts.
    """

    def __init__(self, status: int, message: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A parsed infer request. inputs: as sent, unchecked; None where the whole body is one text. buffers: the
    bytes behind the JSON. outputs: requested tensors and whether each is binary; none: those that the version
    sends on its own. binary: whether these are.
    """

    inputs: Any
    buffers: bytes
    outputs: tuple[tuple[str, bool], ...]
    binary: bool
    id: str | None
    parameters: Mapping[str, Any]

    def wanted(self, known: Sequence[Output]) -> list[tuple[Output, bool]]:
        """The tensors to send, and whether each is binary. known: those of the version. Raises ProtocolError
        (400).
        """
        if not self.outputs:
            return [(each, self.binary) for each in known if not each.on_request]
        by_name = {each.name: each for each in known}
        if EMBEDDING not in by_name and EMBEDDING in dict(self.outputs):
            raise ProtocolError(400, "This version has no EMBEDDING output.")
        if any(name not in by_name for name, _ in self.outputs):
            raise ProtocolError(400, f"Each output must be one of {', '.join(by_name)}, listed once.")
        return [(by_name[name], binary) for name, binary in self.outputs]


@dataclass(frozen=True, slots=True)
class Prediction:
    """An engine's output for n rows. decoded, answers: as the task's `Decoding` gives them; embedding: float
    (sequences, hidden) or None.

    tokens: that the network read of each row; oov: share (0 to 1) of its words that aren't one token of the
    model's vocabulary, None of a version that writes text; cpu_seconds: of the run; ended: of written
    answers, what they took.
    """

    card: ArtifactInfo
    decoded: Any
    answers: tuple[Mapping[str, Any], ...]
    embedding: Floats | None
    tokens: tuple[int, ...]
    truncated: tuple[bool, ...]
    oov: tuple[float | None, ...]
    cpu_seconds: float
    ended: tuple[Ended, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether predictions are texts, which only some endpoints keep."""
        return served_of(self.card.task).is_text

    def values(self, name: str) -> Values:
        """Of one of the version's tensors."""
        if name == EMBEDDING and self.embedding is not None:
            return self.embedding
        return served_of(self.card.task).values(name, self.decoded, self.answers, self.card)

    def spooled(self) -> list[dict[str, Any]]:
        """The spool's entry for each row."""
        return served_of(self.card.task).spooled(self.decoded, self.answers, self.card)


def outputs_of(card: ArtifactInfo, hidden: int | None) -> tuple[Output, ...]:
    """The tensors of a version's responses. hidden: width of its embedding; None without one."""
    own = served_of(card.task).outputs(card)
    return own if hidden is None else (*own, Output(EMBEDDING, "FP32", (-1, hidden), on_request=True))


def decode_body(body: bytes, encoding: str) -> bytes:
    """The body as it was before Content-Encoding; never more than MAX_BODY_BYTES."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise ProtocolError(
            415, f"Content-Encoding must be gzip, deflate, or identity, got {encoding[:20]!r}."
        )
    unpacker = zlib.decompressobj(wbits=31 if encoding == "gzip" else 15)
    try:
        data = unpacker.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise ProtocolError(400, f"The body isn't valid {encoding} data.") from error
    if len(data) > MAX_BODY_BYTES:
        raise too_large()
    if not unpacker.eof:
        raise ProtocolError(400, f"The body isn't valid {encoding} data: it is truncated.")
    return data


def too_large() -> ProtocolError:
    """The refusal of a body over the limit."""
    return ProtocolError(
        413, f"The request is larger than {MAX_BODY_BYTES} bytes. Send fewer or shorter texts per request."
    )


def parse(body: bytes, header_length: str | None) -> InferRequest:
    """An infer request from a body of JSON, of JSON followed by raw tensors, or (header_length "0") of one
    raw text.
    """
    if header_length is None:
        header, buffers = body, b""
    else:
        length = whole_number(header_length)
        if length is None or length > len(body):
            raise ProtocolError(
                400,
                "Inference-Header-Content-Length must be the size in bytes of the JSON at the start of the"
                " body.",
            )
        if length == 0:
            return InferRequest(None, body, (), True, None, {})
        header, buffers = body[:length], body[length:]
    request = json_object(header, '"inputs"')
    parameters = mapping(request.get("parameters", {}), "parameters")
    identity = request.get("id")
    if identity is not None and (not isinstance(identity, str) or len(identity) > 256):
        raise ProtocolError(400, "id must be a string of at most 256 characters.")
    binary = parameters.get("binary_data_output") is True
    outputs = _outputs(request.get("outputs"), binary)
    return InferRequest(request.get("inputs") or [], buffers, outputs, binary, identity, parameters)


def whole_number(text: str) -> int | None:
    """The number that a header holds: ASCII digits, as many as a body's length may have. None for anything
    else.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def json_object(data: bytes, wanted: str) -> dict[str, Any]:
    """The JSON object of a body. wanted: what it has. Raises ProtocolError (400)."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(
            400, "The body isn't valid JSON. See the endpoint page for an example."
        ) from error
    if not isinstance(value, dict):
        raise ProtocolError(400, f"The body must be a JSON object with {wanted}.")
    return value


def mapping(value: Any, name: str) -> dict[str, Any]:
    """The value as an object. Raises ProtocolError (400)."""
    if not isinstance(value, dict):
        raise ProtocolError(400, f"{name} must be a JSON object.")
    return value


def _outputs(wanted: Any, binary: bool) -> tuple[tuple[str, bool], ...]:
    if wanted is None:
        return ()
    if not isinstance(wanted, list) or len(wanted) > MAX_OUTPUTS:
        raise ProtocolError(400, "outputs must be a list of unique tensors.")
    chosen: dict[str, bool] = {}
    for output in wanted:
        name = output.get("name") if isinstance(output, dict) else None
        if not isinstance(name, str) or name in chosen:
            raise ProtocolError(400, "Each output must have a name, and be listed once.")
        chosen[name] = (
            mapping(output.get("parameters", {}), "An output's parameters").get("binary_data", binary) is True
        )
    return tuple(chosen.items())


def encode(
    head: dict[str, Any], wanted: Sequence[tuple[Output, bool]], prediction: Prediction
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the response. head: model_name, model_version, parameters, and id where the request
    has one. wanted: tensors, and whether each is binary.
    """
    described, buffers = [], []
    for each, binary in wanted:
        data = prediction.values(each.name)
        shape = [len(data)] if isinstance(data, list) else list(data.shape)
        output: dict[str, Any] = {"name": each.name, "datatype": each.datatype, "shape": shape}
        if binary:
            raw = join_bytes(data) if isinstance(data, list) else data.astype(RAW[each.datatype]).tobytes()
            output["parameters"] = {**each.parameters, "binary_data_size": len(raw)}
            buffers.append(raw)
        else:
            output["data"] = _plain(data)
            if each.parameters:
                output["parameters"] = each.parameters
        described.append(output)
    text = json.dumps(head | {"outputs": described}, separators=(",", ":")).encode()
    if not buffers:
        return text, {"content-type": "application/json"}
    return b"".join([text, *buffers]), {
        "content-type": "application/octet-stream",
        HEADER_LENGTH: str(len(text)),
    }


def _plain(data: Values) -> list[Any]:
    if isinstance(data, list):
        return data
    flat = data.ravel().tolist()
    return [float(f"{number:.7g}") for number in flat] if data.dtype.kind == "f" else flat


def join_bytes(texts: Sequence[str]) -> bytes:
    """A raw BYTES tensor: each text as a little-endian uint32 length and its UTF-8."""
    encoded = [text.encode("utf-8") for text in texts]
    return b"".join(struct.pack("<I", len(data)) + data for data in encoded)


def model_metadata(
    name: str,
    versions: Sequence[str],
    inputs: Sequence[Input],
    outputs: Sequence[Output],
    platform: str,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """The response to GET v2/models/{name}: inputs and outputs. about: further parameters."""
    return {
        "name": name,
        "versions": list(versions),
        "platform": platform,
        "inputs": [{"name": each.name, "datatype": each.datatype, "shape": [-1]} for each in inputs],
        "outputs": [
            {"name": each.name, "datatype": each.datatype, "shape": list(each.shape)} for each in outputs
        ],
        "parameters": {"max_texts": MAX_TEXTS, "max_text_chars": MAX_TEXT_CHARS, **about},
    }


def model_config(
    name: str, inputs: Sequence[Input], outputs: Sequence[Output], platform: str
) -> dict[str, Any]:
    """The part of Triton's model configuration that its clients read."""
    return {
        "name": name,
        "platform": platform,
        "max_batch_size": 0,
        "input": [
            {"name": each.name, "data_type": TYPES[each.datatype], "dims": [-1]}
            | ({"optional": True} if each.optional else {})
            for each in inputs
        ],
        "output": [
            {"name": each.name, "data_type": TYPES[each.datatype], "dims": list(each.shape)}
            for each in outputs
        ],
    }
