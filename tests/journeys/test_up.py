"""What `make run` promises: one at a time on a folder, no process left after Ctrl-C, and everything there at
the next start.
"""

from __future__ import annotations

import pytest

from tests.support.story import Story
from tests.support.visitors import Visitor

pytestmark = pytest.mark.journey


def test_a_second_one_on_the_same_ports_is_refused_with_a_sentence(inbox_story: Story):
    refused = inbox_story.product.try_manage("up")

    assert refused.returncode == 1
    assert f"Port {inbox_story.product.port} is in use" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_after_ctrl_c_nothing_runs_and_the_next_start_finds_everything(inbox_story: Story):
    product, version = inbox_story.product, inbox_story.first_live
    live = inbox_story["omar"].api("GET", f"endpoints/{inbox_story.endpoint}/")["live"]

    assert product.stop() == 0
    assert product.left() == []
    product.start()

    assert Visitor(product, "ana").api("GET", f"datasets/{inbox_story.dataset}/")["items"] == 424
    inbox_story.client.answered_by(inbox_story.full_name, live)
    assert version in {
        each["uuid"]
        for each in Visitor(product, "mia").api("GET", f"models/{inbox_story.model}/versions/")["results"]
    }
    assert product.stop() == 0  # the story ends here, and what other journeys do takes as long as it takes
