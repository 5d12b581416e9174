"""Taking in what the servers answered, and what people say of it."""

from __future__ import annotations

from monitoring.traffic.actions.feedback import Word, record_feedback, record_many
from monitoring.traffic.actions.ingest import ingest
from monitoring.traffic.actions.retention import forget_texts

__all__ = ["Word", "forget_texts", "ingest", "record_feedback", "record_many"]
