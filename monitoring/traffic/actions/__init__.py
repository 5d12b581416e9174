"""Taking in what the servers answered, what people say of it and its result; adding up, and clearing away."""

from __future__ import annotations

from monitoring.traffic.actions.building import build_rollups
from monitoring.traffic.actions.feedback import Entry, record_feedback, record_many
from monitoring.traffic.actions.ingest import ingest
from monitoring.traffic.actions.outcomes import Case, define_kpi, record_outcomes
from monitoring.traffic.actions.probing import count_lost, probe
from monitoring.traffic.actions.retention import clear_old, forget_texts

__all__ = [
    "Case",
    "Entry",
    "build_rollups",
    "clear_old",
    "count_lost",
    "define_kpi",
    "forget_texts",
    "ingest",
    "probe",
    "record_feedback",
    "record_many",
    "record_outcomes",
]
