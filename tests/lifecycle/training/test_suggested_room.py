"""How many tokens of a text a launch suggests: no more than the base reads, so that the form can be sent as it is shown."""

from __future__ import annotations

import pytest

from lifecycle.training import actions, suggesting
from tests.support.training import make_base, make_snapshot

pytestmark = pytest.mark.django_db


def test_no_more_room_is_suggested_than_the_base_reads(project, mia):
    snapshot, base = make_snapshot(project, mia), make_base(project, mia)

    choice = suggesting.suggestion(snapshot, base, "lora").choices["max_tokens"]

    assert (choice.value, choice.reason) == (base.facts["max_tokens"], f"{base.name} reads no more than this.") == (64, choice.reason)
    assert suggesting.suggestion(snapshot, None, "lora").choices["max_tokens"].value == 128
    assert actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia).spec["max_tokens"] == 64
