"""What training rows lose, as the engine's verb `losses` leaves it, without a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifecycle.ground.compute.child import Result
from lifecycle.runtime.engine import row_losses
from lifecycle.runtime.engine.spec import PredictSpec

Row = dict[str, Any]  # as in data.jsonl


def made_losses(monkeypatch: pytest.MonkeyPatch, of: Callable[[Row], float]) -> list[Row]:
    """Replace the engine: each row's loss is `of(row)`. Returns a list that collects the requested rows."""
    asked: list[Row] = []

    def child(ctx: Any, verb: str, folder: Path, on_events: Any) -> Result:
        assert verb == "losses"
        spec = PredictSpec.read(folder / "spec.json")
        assert (folder / spec.artifact / "lifecycle.json").is_file()
        assert spec.base is not None
        assert (folder / spec.base.path / "config.json").is_file()
        rows = [json.loads(line) for line in (folder / spec.data).read_text().splitlines()]
        asked.extend(rows)
        row_losses.write(
            folder / "losses.parquet",
            [row["id"] for row in rows],
            np.array([of(row) for row in rows], dtype=np.float64),
        )
        return Result(
            "succeeded", data={"format": 1, "status": "succeeded", "error": None, "rows": len(rows)}
        )

    monkeypatch.setattr("lifecycle.modeling.evaluation.child.run_child", child)
    return asked
