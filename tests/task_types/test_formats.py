"""File formats of each type, from its example."""

from __future__ import annotations

import json

import pytest

from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.columns import OF_ITEMS, Role
from lifecycle.runtime.task_types.exports import Entry, Tally
from lifecycle.runtime.task_types.inputs import BadContent
from lifecycle.runtime.task_types.task_type import Content
from lifecycle.runtime.task_types.tools import Outgoing
from lifecycle.runtime.task_types.values import rename
from tests.task_types.examples import EXAMPLES, NAMES

pytestmark = pytest.mark.parametrize("task", EXAMPLES)


def named(task):
    """The annotations of the example, labels by name."""
    return [rename(value, NAMES) if type_of(task).has_labels else value for _, value in EXAMPLES[task].good]


def test_an_exported_content_is_imported_unchanged(task):
    formats, content = formats_of(task), EXAMPLES[task].item.content or {"text": "a", "context": "b"}

    assert formats.whole(json.dumps(content)) == content
    assert formats.readable(content).strip()
    for other in ("[]", "{}", '{"other": 1}'):
        with pytest.raises(BadContent, match="isn't an object that this dataset's items can have"):
            formats.whole(other)


def test_columns_make_the_item_of_the_task_and_no_other(task):
    formats = formats_of(task)

    assert formats.item_roles <= {*OF_ITEMS}
    assert (Role.TEXT in formats.item_roles) == (type_of(task).content is Content.TEXT)


def test_every_tool_keeps_every_annotation_as_json_or_lists_which_it_omits(task):
    example = EXAMPLES[task]
    for tool in formats_of(task).tools.values():
        for value in named(task):
            options = [str(at) for at in range(len(example.item.content.get("responses", ())))]
            written = tool.write(Outgoing(value, example.item.text, options))
            assert json.loads(json.dumps(written)) is not None or tool.omits
        assert json.dumps({**tool.fields(example.item)})


def test_every_export_writes_whole_lines_of_every_annotation(task):
    example, (name, *_) = EXAMPLES[task], named(task)[0]
    for export in formats_of(task).exports.values():
        for value in named(task):
            entry = Entry(example.item.text, value[name], "train", id="7", content=dict(example.item.content))
            tally = Tally()
            lines = list(export.lines(entry, tally))
            assert all(line.endswith("\n") for line in lines)
            assert lines or tally.losses.total(), export
