"""Numbers as a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.decoding import Card
from lifecycle.runtime.task_types.served import Output, Served, Values


class ServedNumbers(Served):
    """Decoded values are numbers (N,)."""

    def width(self, card: Card) -> int:
        """One number per text."""
        return 1

    def outputs(self, card: Card) -> tuple[Output, ...]:
        """NUMBER."""
        return (Output("NUMBER", "FP32", (-1,)),)

    def values(
        self, name: str, decoded: Floats, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> Values:
        """As `Served.values`."""
        return decoded.astype(np.float32)

    def spooled(
        self, decoded: Floats, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> list[dict[str, Any]]:
        """The whole number, by which predictions are counted, and the number itself."""
        return [{"label": f"{each:.0f}", "scores": {"number": round(each, 6)}} for each in decoded.tolist()]


ENTRY = ServedNumbers()
