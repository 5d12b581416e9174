"""Projects of other labeling tools for tests."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any


def lines(*rows: dict[str, Any]) -> bytes:
    """One object a line."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def packed(**files: bytes) -> bytes:
    """A zip; two underscores in a name stand for its dot."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return file.getvalue()


def region(kind: str, value: dict[str, Any], name: str = "label", **more: Any) -> dict[str, Any]:
    """One region of a result in Label Studio."""
    return {"id": "r1", "from_name": name, "to_name": "text", "type": kind, "value": value, **more}


def choice(*names: str) -> dict[str, Any]:
    """A region with labels of the whole text."""
    return region("choices", {"choices": list(names)})


def span(start: int, end: int, label: str, text: str) -> dict[str, Any]:
    """A region with one span of the text."""
    return region("labels", {"start": start, "end": end, "text": text, "labels": [label]})


def annotation(by: Any, *result: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One annotation in Label Studio. by: a number or an e-mail address."""
    person = by if isinstance(by, int) else {"id": abs(hash(by)) % 1000, "email": by}
    return {
        "id": 9,
        "completed_by": person,
        "result": list(result),
        "was_cancelled": False,
        "ground_truth": False,
        "lead_time": 4.2,
        "created_at": "2026-01-02T10:00:00Z",
        "parent_prediction": None,
        **more,
    }


def task(number: int, text: str, *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One task of Label Studio."""
    return {
        "id": number,
        "data": {"text": text},
        "meta": {},
        "annotations": list(annotations),
        "predictions": [],
        **more,
    }


def as_json(tasks: list[dict[str, Any]]) -> bytes:
    """An export of Label Studio."""
    return json.dumps(tasks, ensure_ascii=False).encode()
