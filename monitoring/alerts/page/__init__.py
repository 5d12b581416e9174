"""What the pages of alerts show, put together from what is stored. Reads, never writes."""

from __future__ import annotations

from monitoring.alerts.page import channels, detail, endpoint, listing

__all__ = ["channels", "detail", "endpoint", "listing"]
