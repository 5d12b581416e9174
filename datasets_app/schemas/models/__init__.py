from __future__ import annotations

from datasets_app.schemas.models.proposals import GuidelineProposal
from datasets_app.schemas.models.schemas import Label, LabelChange, LabelSchema

__all__ = [
    "GuidelineProposal",
    "Label",
    "LabelChange",
    "LabelSchema",
]
