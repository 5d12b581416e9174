"""Checks of uploaded model folders: only safetensors weights, JSON settings and text files, judged by
content; nothing executable.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from lifecycle.runtime.bundle.files import SIGNATURE_NAME, Manifest, manifest
from lifecycle.runtime.refusals import Refused

TEXT_SUFFIXES, TEXT_NAMES = {".txt", ".md"}, {"LICENSE", "NOTICE"}
# their keys are words of a vocabulary, not settings
PLAIN_JSON = {"tokenizer.json", "vocab.json", "added_tokens.json"}
REMOTE_CODE = ("auto_map", "custom_pipelines", "trust_remote_code")
MAX_JSON_BYTES, MAX_HEADER_BYTES = 100_000_000, 25_000_000
DTYPE_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
ONLY = "Only safetensors weights, JSON settings, and UTF-8 text files are accepted."


def accept_model_folder(folder: Path, *, onnx: bool = False) -> Manifest:
    """The manifest of a folder in which nothing can execute. Raises Refused, naming the file.

    onnx: allow .onnx files, for folders that this product's own export wrote; a foreign one is refused.
    """
    listed = manifest(folder)
    for file in listed.files:
        path = folder / file.name
        suffix = path.suffix.lower()
        if suffix == ".safetensors":
            check_safetensors(path, file.name)
        elif suffix == ".json":
            check_json(path, file.name)
        elif suffix in TEXT_SUFFIXES or path.name in TEXT_NAMES or file.name == SIGNATURE_NAME:
            check_text(path, file.name)
        elif not (suffix == ".onnx" and onnx):
            raise Refused(f"{file.name} isn't accepted: files of this type can contain code.", next_step=ONLY)
    return listed


def check_safetensors(path: Path, name: str) -> None:
    """Raise Refused unless the header is bounded JSON and its tensors fill the rest of the file exactly,
    without gap or overlap.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(size - 8, MAX_HEADER_BYTES):
            raise Refused(f"{name} isn't a safetensors file: the header is missing.", next_step=ONLY)
        header = _object(file.read(length), name)
    header.pop("__metadata__", None)
    end = 0
    try:
        for start, stop, needed in sorted(_span(tensor) for tensor in header.values()):
            if start != end or stop - start != needed:
                raise ValueError
            end = stop
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(
            f"{name} is a damaged safetensors file: the tensors don't match the file size.",
            next_step="Copy it again.",
        ) from error
    if end != size - 8 - length:
        raise Refused(
            f"{name} is a damaged safetensors file: its length doesn't match the header.",
            next_step="Copy it again.",
        )


def _span(tensor: dict[str, Any]) -> tuple[int, int, int]:
    """The offsets of a tensor, and how many bytes its type and shape need: (start, stop, bytes)."""
    start, stop = tensor["data_offsets"]
    if any(not isinstance(number, int) or number < 0 for number in (start, stop, *tensor["shape"])):
        raise ValueError
    return start, stop, DTYPE_BYTES[tensor["dtype"]] * math.prod(tensor["shape"])


def check_json(path: Path, name: str) -> None:
    """Raise Refused unless the file is valid JSON that requires no code of its own."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise Refused(
            f"{name} is larger than {MAX_JSON_BYTES // 1_000_000} MB.",
            next_step="Model settings files are never this large.",
        )
    value = _json(path.read_bytes(), name)
    if path.name not in PLAIN_JSON and (key := _asks_for_code(value)):
        raise Refused(
            f"{name} requires external code ({key}).",
            next_step="Use a model with an architecture that transformers supports.",
        )


def check_text(path: Path, name: str) -> None:
    """Raise Refused unless the file is UTF-8 without NUL."""
    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{name} isn't a text file.", next_step=ONLY) from error
    if b"\0" in data:
        raise Refused(f"{name} isn't a text file.", next_step=ONLY)


def _asks_for_code(value: Any) -> str:
    if isinstance(value, dict):
        for key in REMOTE_CODE:
            if value.get(key):
                return key
        value = list(value.values())
    if isinstance(value, list):
        return next((key for item in value if (key := _asks_for_code(item))), "")
    return ""


def _json(data: bytes, name: str) -> Any:
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} isn't valid JSON.", next_step=ONLY) from error


def _object(data: bytes, name: str) -> dict[str, Any]:
    value = _json(data, name)
    if not isinstance(value, dict):
        raise Refused(f"{name} isn't a safetensors file: its header isn't a JSON object.", next_step=ONLY)
    return value
