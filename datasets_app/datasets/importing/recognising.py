"""The layouts in which fine-tuners keep their data, told by the names of columns and the first rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datasets_app.datasets.importing import own
from datasets_app.datasets.importing.readers import Row
from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.importing.roles import Role, plain_name

TASKS = {
    "single_label": "one class per text", "multi_label": "any number of classes per text", "spans": "marked parts",
    "free_text": "written texts", "chat": "dialogues", "preference": "pairs", "ranking": "rankings",
}  # fmt: skip
YES_NO = {"true", "false", "1", "0", "yes", "no"}


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to lay out data. columns: by plain name, with what each is used for. tasks: of the datasets that take it.

    messages: which of the columns hold messages, not texts. yes_no: the column that says true or false.
    """

    name: str
    columns: Mapping[str, Role]
    tasks: tuple[str, ...]
    messages: tuple[str, ...] = ()
    yes_no: str = ""

    def fits(self, names: Sequence[str], cells: Mapping[str, Sequence[str]]) -> bool:
        """Whether a file has these columns and they hold what they should."""
        if not all(name in names for name in self.columns):
            return False
        told = [cell for name in self.messages for cell in cells[name] if cell]
        if self.messages and not (told and all(cell.lstrip().startswith("[{") for cell in told)):
            return False
        said = {cell.strip().casefold() for cell in cells[self.yes_no]} if self.yes_no else set()
        return not self.yes_no or bool(said) and said <= YES_NO


PAIR = {"chosen": Role.FIRST, "rejected": Role.SECOND}
LAYOUTS = (
    Layout(
        "OpenAI preference pairs",
        {"inputmessages": Role.PROMPT, "preferredoutput": Role.FIRST, "nonpreferredoutput": Role.SECOND}, ("preference",),
    ),
    Layout("preference pairs", {"prompt": Role.PROMPT, **PAIR}, ("preference",)),
    Layout("preference pairs without a prompt, split where the two dialogues part", PAIR, ("preference",), messages=("chosen", "rejected")),
    Layout("preference pairs without a prompt", PAIR, ("preference",)),
    Layout(
        "unpaired preferences, one response with true or false",
        {"prompt": Role.TEXT, "completion": Role.CONTEXT, "label": Role.LABEL}, ("single_label",), yes_no="label",
    ),
    Layout("dialogues (messages)", {"messages": Role.MESSAGES}, ("chat",), messages=("messages",)),
    Layout("dialogues (ShareGPT)", {"conversations": Role.MESSAGES}, ("chat",), messages=("conversations",)),
    Layout(
        "prompts and completions as messages",
        {"prompt": Role.PROMPT, "completion": Role.COMPLETION}, ("chat",), messages=("prompt", "completion"),
    ),
    Layout("Alpaca instructions", {"instruction": Role.TEXT, "input": Role.CONTEXT, "output": Role.LABEL}, ("free_text", "chat")),
    Layout("instructions", {"instruction": Role.TEXT, "output": Role.LABEL}, ("free_text", "chat")),
    *(
        Layout("texts and their summaries", {text: Role.TEXT, summary: Role.LABEL}, ("free_text",))
        for text in ("document", "article", "dialogue", "text") for summary in ("highlights", "summary", "target")
        if (text, summary) != ("text", "target")  # which classes are called as well
    ),
    Layout("responses in order", {"responses": Role.RESPONSES, "ranking": Role.LABEL}, ("ranking",)),
    Layout("prompts and completions", {"prompt": Role.TEXT, "completion": Role.LABEL}, ("free_text", "chat")),
)  # fmt: skip
OWN = Layout("an export of this product", {own.ITEM: Role.IGNORE, own.DECISION: Role.IGNORE}, tuple(TASKS))
CHAT_ROLES = {Role.TEXT: Role.PROMPT, Role.LABEL: Role.COMPLETION}


def recognise(columns: Sequence[str], rows: Sequence[Row]) -> Layout | None:
    """The layout of a file, or None where none is known."""
    if own.is_own(columns):
        return OWN
    names = {plain_name(column): column for column in columns}
    cells = {name: [row.values.get(column, "") for row in rows] for name, column in names.items()}
    return next((layout for layout in LAYOUTS if layout.fits(list(names), cells)), None)


def roles_of(layout: Layout | None, columns: Sequence[str], task: str) -> dict[str, str]:
    """What a layout says of the columns of a file, for a dataset whose task takes it; empty for others."""
    if layout is None or task not in layout.tasks:
        return {}
    if layout is OWN:
        return {column: own_role(column, task) for column in columns}
    found = {column: layout.columns[name] for column in columns if (name := plain_name(column)) in layout.columns}
    return {column: str(CHAT_ROLES.get(role, role) if task == "chat" else role) for column, role in found.items()}


OWN_ROLES = {
    "text": Role.TEXT, "prompt": Role.TEXT, "context": Role.CONTEXT, "label": Role.LABEL, "labels": Role.LABEL, "spans": Role.LABEL,
    "completion": Role.LABEL, "id": Role.ID, "group": Role.GROUP, "time": Role.TIME, "split": Role.SPLIT, "metadata": Role.PACKED,
    "content": Role.CONTENT, "content.messages": Role.MESSAGES, "content.prompt": Role.PROMPT, "content.responses": Role.RESPONSES,
    "content.context": Role.CONTEXT,
}  # fmt: skip
UNUSED = (own.ITEM, own.DECISION, "content.text", "tokens", "ner_tags")
STRUCTURED = ("chat", "preference", "ranking")


def own_role(column: str, task: str) -> str:
    """What a column of an export is used for when it comes back."""
    role = OWN_ROLES.get(column, Role.IGNORE if column in UNUSED else Role.METADATA)
    return str(Role.IGNORE if role == Role.TEXT and task in STRUCTURED else role)


def misfit(layout: Layout | None, task: str) -> Problem | None:
    """What to say where a file is known, and another task than the dataset's takes it."""
    if layout is None or task in layout.tasks or task not in TASKS:
        return None
    fitting = " or ".join(TASKS[each] for each in layout.tasks)
    told = f"This file looks like {layout.name}, which a dataset of {fitting} takes; this one is of {TASKS[task]}."
    return Problem(0, "layout", told, f"Bring it into a dataset of {fitting}, or map the columns by hand.", notice=True)
