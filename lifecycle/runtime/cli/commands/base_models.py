"""What base-models create prints."""

from __future__ import annotations

import json
from typing import Any

from lifecycle.runtime.cli.screen import Table
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words

noun = Noun("Base models that runs start from.")


@noun.draws("create")
def created(words: Words, found: dict[str, Any]) -> list[str | Table]:
    """When and how a run can start from it."""
    ready = "" if found["root_digest"] else " once its weights are merged"
    name = json.dumps(found["name"], ensure_ascii=False)
    return [
        f"{found['name']} is a base model{ready}.",
        f"Start from it: lifecycle runs launch DATASET@NUMBER --base {name}",
    ]
