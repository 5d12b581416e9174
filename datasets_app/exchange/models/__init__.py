from __future__ import annotations

from datasets_app.exchange.models.corrections import Correction
from datasets_app.exchange.models.exports import Export

__all__ = [
    "Correction",
    "Export",
]
