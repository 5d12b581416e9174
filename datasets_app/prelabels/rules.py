"""Types of pre-label sources."""

from __future__ import annotations

from django.db.models import TextChoices


class Proposer(TextChoices):
    """The type of a pre-label's source."""

    IMPORT = "import", "Imported file"
    RUN = "run", "Run or version"
    FUNCTION = "function", "Labeling function"
    BUILT_IN = "built_in", "Built-in model"
    OUTSIDE = "outside", "External model"
