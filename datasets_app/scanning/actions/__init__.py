"""Create scans and change findings."""

from datasets_app.scanning.actions.judging import confirm, dismiss, reopen
from datasets_app.scanning.actions.label_errors import run_label_errors
from datasets_app.scanning.actions.near_duplicates import run_near_duplicates
from datasets_app.scanning.actions.scans import cancel_scan, fail_scan, scan
from datasets_app.scanning.actions.sending import send

__all__ = [
    "cancel_scan",
    "confirm",
    "dismiss",
    "fail_scan",
    "reopen",
    "run_label_errors",
    "run_near_duplicates",
    "scan",
    "send",
]
