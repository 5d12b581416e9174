"""A request's input tensors, as JSON or with the binary tensor extension, and the rows that a task reads."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifecycle.runtime.inference.protocol import (
    MAX_TEXT_CHARS,
    MAX_TEXTS,
    InferRequest,
    ProtocolError,
    mapping,
)
from lifecycle.runtime.task_types.served import TEXT, Input, Served

REPLACEMENT = "\ufffd"
INT32 = range(-(2**31), 2**31)


def read_rows(request: InferRequest, served: Served) -> tuple[Any, ...]:
    """What the request asks a prediction of. Raises ProtocolError (400)."""
    if request.inputs is not None:
        given = _tensors(request.inputs, request.buffers, served.inputs)
    elif served.inputs == (TEXT,):
        given = {TEXT.name: [clean(_decode(request.buffers, 0), 0)]}
    else:
        raise ProtocolError(400, f"A raw request has one text, but this model reads {_names(served.inputs)}.")
    try:
        return tuple(served.read(given))
    except ValueError as error:
        raise ProtocolError(400, str(error)) from error


def clean(text: str, index: int) -> str:
    """The text with lone surrogates and NUL, which tokenizers, hashes and databases reject, replaced by
    U+FFFD.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise ProtocolError(
            400, f"Text {index} has {len(text)} characters; at most {MAX_TEXT_CHARS} are accepted."
        )
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", REPLACEMENT)


def _tensors(found: Any, buffers: bytes, known: Sequence[Input]) -> dict[str, list[Any]]:
    """Values by the name of the input."""
    alone = len(known) == 1
    least = sum(not each.optional for each in known)
    if (
        not isinstance(found, list)
        or not least <= len(found) <= len(known)
        or not all(isinstance(each, dict) for each in found)
    ):
        wanted = f'one tensor, named "{known[0].name}"' if alone else f"the tensors {_names(known)}"
        raise ProtocolError(400, f"inputs must be a list with {wanted}.")
    tensors = {each.name: (each, tensor) for tensor in found if (each := _named(tensor, known))}
    if len(tensors) < len(found):
        wanted = (
            f'The input must be named "{known[0].name}" and have datatype "{known[0].datatype}".'
            if alone
            else f"Each input must be one of {_names(known)}, listed once."
        )
        raise ProtocolError(400, wanted)
    if missing := [each for each in known if not each.optional and each.name not in tensors]:
        raise ProtocolError(400, f"The request has no {_names(missing)}.")
    sizes = _sizes(found, buffers)
    values: dict[str, list[Any]] = {}
    at = 0
    for (name, (each, tensor)), size in zip(tensors.items(), sizes, strict=True):
        try:
            values[name] = _values(each, tensor, None if size is None else buffers[at : at + size])
        except ProtocolError as error:
            if alone:
                raise
            raise ProtocolError(error.status, f"{name}: {error}") from error
        at += size or 0
    return values


def _names(inputs: Sequence[Input]) -> str:
    return ", ".join(
        f"{each.name} ({each.datatype}{', optional' if each.optional else ''})" for each in inputs
    )


def _named(tensor: Mapping[str, Any], known: Sequence[Input]) -> Input | None:
    found = tensor.get("name"), tensor.get("datatype")
    return next((each for each in known if (each.name, each.datatype) == found), None)


def _sizes(found: Sequence[Mapping[str, Any]], buffers: bytes) -> list[int | None]:
    """How many bytes behind the JSON belong to each tensor; None where it has data."""
    sizes = []
    for tensor in found:
        size = mapping(tensor.get("parameters", {}), "The input's parameters").get("binary_data_size")
        if size is not None and "data" in tensor:
            raise ProtocolError(400, "The input has both data and binary_data_size; send one of them.")
        sizes.append(size)
    given = [size for size in sizes if size is not None]
    if buffers and not given:
        raise ProtocolError(
            400, f"{len(buffers)} bytes follow the JSON, but the input has no binary_data_size."
        )
    if any(type(size) is not int or size < 0 for size in given) or sum(given) != len(buffers):
        raise ProtocolError(400, f"binary_data_size doesn't match: {len(buffers)} bytes follow the JSON.")
    return sizes


def _values(each: Input, tensor: Mapping[str, Any], raw: bytes | None) -> list[Any]:
    is_text = each.datatype == "BYTES"
    things = "texts" if is_text else "numbers"
    count = _count(tensor.get("shape"), things)
    if raw is not None:
        found: list[Any] = split_bytes(raw) if is_text else _numbers(raw)
    else:
        found = _flat(tensor.get("data"), is_text=is_text)
    if len(found) != count:
        raise ProtocolError(400, f"The shape specifies {count} {things}, but data contains {len(found)}.")
    return [clean(text, index) for index, text in enumerate(found)] if is_text else found


def _count(shape: Any, things: str) -> int:
    if (
        not isinstance(shape, list)
        or not 1 <= len(shape) <= 2
        or any(type(size) is not int or size < 0 for size in shape)
        or shape[1:] not in ([], [1])
    ):
        raise ProtocolError(400, f"shape must be [n] or [n, 1] with n {things}.")
    count = math.prod(shape)
    if not 1 <= count <= MAX_TEXTS:
        raise ProtocolError(400, f"A request can contain 1 to {MAX_TEXTS} {things}, got {count}.")
    return count


def _flat(data: Any, *, is_text: bool) -> list[Any]:
    things, thing = ("strings", "a string") if is_text else ("integers", "an integer of 32 bits")
    if not isinstance(data, list):
        raise ProtocolError(400, f"data must be a list of {things}.")
    flat: list[Any] = []
    for element in data[: MAX_TEXTS + 1]:
        flat.extend(element if isinstance(element, list) else [element])
    for index, element in enumerate(flat):
        if not (isinstance(element, str) if is_text else type(element) is int and element in INT32):
            raise ProtocolError(400, f"Element {index} of data isn't {thing}.")
    return flat


def split_bytes(buffer: bytes) -> list[str]:
    """The texts of a raw BYTES tensor: each a little-endian uint32 length and that many bytes of UTF-8."""
    texts: list[str] = []
    at = 0
    while at < len(buffer):
        if at + 4 > len(buffer):
            raise ProtocolError(400, "The raw tensor ends in the middle of a length.")
        (length,) = struct.unpack_from("<I", buffer, at)
        at += 4
        if at + length > len(buffer):
            raise ProtocolError(400, f"Text {len(texts)} of the raw tensor is longer than the tensor.")
        texts.append(_decode(buffer[at : at + length], len(texts)))
        at += length
        if len(texts) > MAX_TEXTS:
            raise ProtocolError(400, f"A request can contain at most {MAX_TEXTS} texts.")
    return texts


def _numbers(buffer: bytes) -> list[int]:
    if len(buffer) % 4:
        raise ProtocolError(400, "The raw tensor ends in the middle of a number.")
    return np.frombuffer(buffer, "<i4").tolist()


def _decode(data: bytes, index: int) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError(400, f"Text {index} isn't valid UTF-8.") from error
