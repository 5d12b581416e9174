from __future__ import annotations

from datasets_app.assist.models.functions import FunctionPass, LabelingFunction
from datasets_app.assist.models.learning import Fit, QueueOrder

__all__ = [
    "Fit",
    "QueueOrder",
    "LabelingFunction",
    "FunctionPass",
]
