"""The command's plain verbs match the current API: names, types, choices, and help."""

from __future__ import annotations

import json
import os

from lifecycle.runtime.cli.adjusts import ADJUSTS
from lifecycle.runtime.cli.plain import OPERATIONS, offered
from lifecycle.runtime.cli.table import VERBS
from tests.support.operations import described


def test_the_committed_table_is_made_from_the_present_description():
    rows = [
        f"{json.dumps(call)}: {json.dumps(about, ensure_ascii=False)}"
        for call, about in sorted(described().items())
    ]
    made = "{\n" + ",\n".join(rows) + "\n}\n"  # an operation a line
    if os.environ.get("GOLDEN") == "write":
        OPERATIONS.write_text(made, encoding="utf-8")

    assert OPERATIONS.read_text(encoding="utf-8") == made, (
        "Write it anew: env GOLDEN=write pytest tests/lifecycle/runtime/cli/test_operations.py"
    )


def test_no_verb_leaves_out_what_its_operation_requires():
    operations = json.loads(OPERATIONS.read_text(encoding="utf-8"))
    for verb in VERBS:
        operation = operations[verb.call]
        required = {name for name, field in operation["body"].items() if field.get("required")}
        assert (
            required <= offered(verb, operation).keys() | {"project"} | dict(verb.sets).keys()
            or verb.name in ADJUSTS
        ), verb.name


def test_each_verb_has_a_name_and_a_sentence_of_its_own():
    operations = json.loads(OPERATIONS.read_text(encoding="utf-8"))
    names = [verb.name for verb in VERBS]

    assert len(names) == len(set(names))
    assert [verb.name for verb in VERBS if not (verb.help or operations[verb.call]["help"])] == []
