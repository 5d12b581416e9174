from __future__ import annotations

from celery import shared_task

from monitoring.traffic import actions


@shared_task  # type: ignore[untyped-decorator]
def ingest() -> None:
    """Take in what the inference servers wrote since the last time."""
    actions.ingest()


@shared_task  # type: ignore[untyped-decorator]
def forget_texts() -> None:
    """Erase texts that are older than they may be kept."""
    actions.forget_texts()


@shared_task  # type: ignore[untyped-decorator]
def build_rollups() -> None:
    """Add minutes up to hours, and hours to days."""
    actions.build_rollups()


@shared_task  # type: ignore[untyped-decorator]
def clear_old() -> None:
    """Delete predictions and small figures that are older than they are kept."""
    actions.clear_old()


@shared_task  # type: ignore[untyped-decorator]
def probe() -> None:
    """Ask the serving port as a client would."""
    actions.probe()


@shared_task  # type: ignore[untyped-decorator]
def count_lost() -> None:
    """Count what clients lost while no server answered."""
    actions.count_lost()
