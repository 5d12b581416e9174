"""An endpoint on which 1.0.0 is live, and the folder of its spool."""

from __future__ import annotations

import pytest

from tests.support import asked, endpoints


@pytest.fixture
def answered(live_endpoint):
    """Makes predictions through the spool and returns them, oldest first."""
    from monitoring.traffic import actions
    from monitoring.traffic.models import Prediction

    def make(*lines):
        endpoints.write_segment(*(lines or [endpoints.spool_line(live_endpoint)]))
        actions.ingest()
        return list(Prediction.objects.order_by("id"))

    return make


@pytest.fixture
def writer(project, mia, ravi, lee, gita, omar):
    """An endpoint whose version writes text, which it keeps."""
    return asked.writing_endpoint(project, mia)
