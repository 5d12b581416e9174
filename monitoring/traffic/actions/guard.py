"""A canary that an inference server closed by itself is stopped in the registry too."""

from __future__ import annotations


def stop_tripped() -> int:
    """Stop the canaries of trips that nobody has handled yet. Returns how many were handled."""
    return 0
