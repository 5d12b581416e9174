"""The layouts in which fine-tuners keep their data, recognized by column names and first rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from datasets_app.datasets.importing import own
from datasets_app.datasets.importing.readers import Row
from datasets_app.datasets.importing.report import Problem
from lifecycle.runtime.task_types.by_key.formats import FORMATS, formats_of
from lifecycle.runtime.task_types.by_key.types import TYPES
from lifecycle.runtime.task_types.columns import Role, plain_name
from lifecycle.runtime.task_types.hub import HubColumns
from lifecycle.runtime.task_types.layouts import LAYOUTS, Layout
from lifecycle.runtime.words import phrase

OWN = Layout("an export of this product", (own.ITEM, own.DECISION))


def recognise(columns: Sequence[str], rows: Sequence[Row]) -> Layout | None:
    """The layout of a file, or None where none is known."""
    if own.is_own(columns):
        return OWN
    names = {plain_name(column): column for column in columns}
    cells = {name: [row.values.get(column, "") for row in rows] for name, column in names.items()}
    return next((layout for layout in LAYOUTS if layout.fits(list(names), cells)), None)


def roles_of(layout: Layout | None, columns: Sequence[str], task: str) -> dict[str, str]:
    """The roles of a file's columns by its layout; empty if the dataset's task doesn't take the layout."""
    if layout is OWN:
        return {column: own_role(column, task) for column in columns}
    layouts = formats_of(task).layouts
    if layout is None or layout not in layouts:
        return {}
    roles = dict(zip(layout.columns, layouts[layout], strict=True))
    return {column: str(roles[name]) for column in columns if (name := plain_name(column)) in roles}


OWN_ROLES = {
    "text": Role.TEXT,
    "prompt": Role.TEXT,
    "context": Role.CONTEXT,
    "label": Role.LABEL,
    "labels": Role.LABEL,
    "spans": Role.LABEL,
    "completion": Role.LABEL,
    "id": Role.ID,
    "group": Role.GROUP,
    "time": Role.TIME,
    "split": Role.SPLIT,
    "metadata": Role.PACKED,
    "content": Role.CONTENT,
    "content.messages": Role.MESSAGES,
    "content.prompt": Role.PROMPT,
    "content.responses": Role.RESPONSES,
    "content.context": Role.CONTEXT,
}
UNUSED = (own.ITEM, own.DECISION, "content.text", "tokens", "ner_tags")


def own_role(column: str, task: str) -> str:
    """The role of a column of a re-imported export."""
    hub = formats_of(task).hub(())
    label = isinstance(hub, HubColumns) and column in hub.features
    other = Role.LABEL if label else Role.METADATA
    role = OWN_ROLES.get(column, Role.IGNORE if column in UNUSED else other)
    return str(Role.IGNORE if role == Role.TEXT and Role.TEXT not in formats_of(task).item_roles else role)


def misfit(layout: Layout | None, task: str) -> Problem | None:
    """A notice if the file's layout is for another task than the dataset's."""
    if layout is None or layout is OWN or layout in formats_of(task).layouts:
        return None
    fitting = phrase(
        [TYPES[key].title for key, each in FORMATS.items() if layout in each.layouts], last="or"
    ).lower()
    sentence = (
        f"This file looks like {layout.name}, for {fitting} datasets. This dataset's task is"
        f" {TYPES[task].title.lower()}."
    )
    return Problem(
        0, "layout", sentence, f"Upload it to a {fitting} dataset, or map the columns by hand.", notice=True
    )
