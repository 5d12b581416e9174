from __future__ import annotations

from celery import shared_task

from registry.endpoints import actions


@shared_task  # type: ignore[untyped-decorator]
def tend() -> None:
    """Restore missing files, stop what may not continue, publish what is behind, and read what servers
    report.
    """
    if actions.lay_out_missing():
        actions.publish_anew()
    actions.take_out()
    actions.lift_expired_faults()
    actions.publish()
    actions.publish_faults()
    actions.check_loads()
    actions.check_problems()


@shared_task  # type: ignore[untyped-decorator]
def verify_changed() -> None:
    """Hash the files of versions in use that are new or were touched."""
    actions.verify_in_use(changed=True)


@shared_task  # type: ignore[untyped-decorator]
def verify_in_use() -> None:
    """Hash the files of all versions in use."""
    actions.verify_in_use()
