"""From the columns of a file to the parts of an item. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import TextChoices

from datasets_app.datasets.importing import answers, brought
from datasets_app.datasets.importing.brought import Told
from datasets_app.datasets.importing.readers import Row
from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.importing.times import read_time
from datasets_app.datasets.rules import TEXT_LIMIT


class Role(TextChoices):
    """What a column is used for. All but metadata and ignore are taken by one column at most."""

    TEXT = "text", "Text"
    MESSAGES = "messages", "Messages of a dialogue"
    PROMPT = "prompt", "Prompt"
    FIRST = "first", "First response"
    SECOND = "second", "Second response"
    RESPONSES = "responses", "Responses, as a list"
    LABEL = "label", "Label: what is said of the text"
    ID = "id", "Id"
    GROUP = "group", "Group: never on both sides of a split"
    TIME = "time", "Time"
    SPLIT = "split", "Split"
    METADATA = "metadata", "Metadata: kept beside the text"
    IGNORE = "ignore", "Left out"


MANY = (Role.METADATA, Role.IGNORE)
CONTENT = (Role.MESSAGES, Role.PROMPT, Role.FIRST, Role.SECOND, Role.RESPONSES)
NEEDED: dict[str, tuple[Role, ...]] = {  # where the text is made of what the row holds
    "chat": (Role.MESSAGES,), "preference": (Role.FIRST, Role.SECOND), "ranking": (Role.RESPONSES,),
}  # fmt: skip
ALLOWED = {"preference": (Role.PROMPT, *NEEDED["preference"]), "ranking": (Role.PROMPT, *NEEDED["ranking"]), "chat": NEEDED["chat"]}
NAMES: dict[Role, tuple[str, ...]] = {
    Role.TEXT: (
        "text", "fulltext", "sentence", "utterance", "message", "body", "content", "comment", "review",
        "tweet", "document", "question", "query", "input", "sms",
    ),
    Role.MESSAGES: ("messages", "conversations", "conversation", "dialogue", "turns"),
    Role.PROMPT: ("prompt", "instruction", "question", "input", "context"),
    Role.FIRST: ("chosen", "first", "responsea", "response1", "completiona", "answera"),
    Role.SECOND: ("rejected", "second", "responseb", "response2", "completionb", "answerb"),
    Role.RESPONSES: ("responses", "completions", "candidates", "answers"),
    Role.LABEL: ("labelname", "labeltext", "label", "labels", "category", "class", "intent", "target", "topic", "sentiment", "tag"),
    Role.ID: ("id", "externalid", "itemid", "messageid", "rowid", "uuid", "guid"),
    Role.GROUP: (
        "group", "groupid", "groupkey", "thread", "threadid", "conversation", "conversationid",
        "session", "customer", "customerid", "author",
    ),
    Role.TIME: ("time", "date", "timestamp", "datetime", "createdat", "created", "sentat", "receivedat", "eventtime"),
    Role.SPLIT: ("split", "subset", "partition", "fold", "set"),
}  # fmt: skip
MORE_NAMES = {
    ("spans", Role.LABEL): ("spans", "entities", "ents", "annotations"),
    ("multi_label", Role.LABEL): ("labels", "accept", "cats"),
    ("free_text", Role.TEXT): ("prompt", "instruction", "article", "document", "dialogue"),
    ("free_text", Role.LABEL): ("completion", "output", "summary", "highlights", "response", "answer"),
    ("preference", Role.LABEL): ("choice", "preference", "winner", "better"),
    ("ranking", Role.LABEL): ("ranking", "ranks", "order"),
}
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout"), "test"),
}
LABEL_LIMIT, ID_LIMIT = 120, 200
MEND_ANSWER = "Write it as the guide says, or leave the row out."
CONTROL = re.compile("[\x00-\x1f\x7f]")


class Draft(NamedTuple):
    """A row as an item to be. label: empty where the row has none. split: train, validation, test or empty.

    label: the name of a class; for other tasks than one class per text, what was said as canonical JSON. names: of the classes in it.
    content: as Item.content. member: the file inside an archive that it stands in. told: what people and models said of it in another tool.
    """

    line: int
    text: str
    label: str
    external_id: str
    group: str
    event_time: datetime | None
    split: str
    metadata: dict[str, str]
    member: str = ""
    content: dict[str, Any] | None = None
    names: tuple[str, ...] = ()
    told: Told | None = None


def plain_name(column: str) -> str:
    """A column's name without case, blanks and marks, and without the place that a labeling tool puts in front."""
    return re.sub(r"[\W_]", "", column.casefold().removeprefix("data."))


def roles_for(task: str) -> list[Role]:
    """What a column can be used for in a dataset of this task."""
    return [role for role in Role if role in ALLOWED.get(task, (Role.TEXT,)) or role not in (*CONTENT, Role.TEXT)]


def propose(columns: Sequence[str], rows: Sequence[Row], task: str = "single_label") -> dict[str, str]:
    """A role for each column: by its name, then by what the first rows hold; what is left becomes metadata.

    A label is guessed by content only where no name is known: a file that names its text and no label has none, whatever else repeats.
    """
    asked = brought.questions(row.brought for row in rows if row.brought)
    fitting = [column for column in asked if asked[column] in brought.FITS[task] and column in columns]
    best = sorted(fitting, key=lambda column: asked[column] != brought.FITS[task][0])[:1]
    found: dict[str, str] = {column: str(Role.IGNORE) for column in asked} | dict.fromkeys(best, str(Role.LABEL))
    for role in roles_for(task):
        if role in found.values() and role not in MANY:
            continue
        names = (*MORE_NAMES.get((task, role), ()), *NAMES.get(role, ()))
        known = [column for name in names for column in columns if plain_name(column) == name and column not in found]
        if known:
            found[known[0]] = role
    if task not in NEEDED:
        by_content(columns, rows, found, guess_label=not found and task == "single_label")
    return {column: found.get(column, str(Role.METADATA)) for column in columns}


def by_content(columns: Sequence[str], rows: Sequence[Row], found: dict[str, str], *, guess_label: bool) -> None:
    """Where no name gives it away: the longest column is the text, and a column of few short values is the label."""
    cells = {column: [row.values.get(column, "") for row in rows] for column in columns if column not in found}
    if Role.TEXT not in found.values() and cells:
        prose = [column for column, values in cells.items() if not all(value[:1] in ("", "[", "{") for value in values)]
        longest = max(prose or cells, key=lambda column: sum(map(len, cells[column])))
        found[longest] = Role.TEXT
        del cells[longest]
    if guess_label and len(rows) >= 4:
        few = [c for c, values in cells.items() if 1 < len(set(values)) <= max(2, len(rows) // 2) and max(map(len, values)) <= 60]
        if few:
            found[few[0]] = Role.LABEL


def check(mapping: Mapping[str, str], columns: Sequence[str], task: str = "single_label") -> list[Problem]:
    """What keeps a mapping from being used, as problems that block."""
    problems = []
    roles = [mapping.get(column, Role.IGNORE) for column in columns]
    known = [role.value for role in roles_for(task)]
    if unknown := sorted(set(roles) - set(known)):
        problems.append(Problem(0, "mapping", f"A column is mapped to {unknown[0]!r}.", f"Choose among {', '.join(known)}.", blocks=True))
    needed = NEEDED.get(task, (Role.TEXT,))
    for role in needed:
        if roles.count(role) != 1:
            count = "No column is" if role not in roles else f"{roles.count(role)} columns are"
            mend = f"Map exactly one column to {role.value}."
            problems.append(Problem(0, "mapping", f"{count} mapped to {role.value}.", mend, blocks=True))
    for role in Role:
        if role not in (*MANY, *needed) and roles.count(role) > 1:
            sentence = f"{roles.count(role)} columns are mapped to {role.value}."
            problems.append(Problem(0, "mapping", sentence, f"Map one column to {role.value}, the others to metadata.", blocks=True))
    return problems


class Mapper:
    """Turns rows into drafts under a checked mapping. default_split: where the file says no split. place: Line, Row or Object."""

    def __init__(self, mapping: Mapping[str, str], default_split: str = "", place: str = "Line", task: str = "single_label") -> None:
        self.place, self.task = place, task
        column = {role: column for column, role in mapping.items() if role not in MANY}
        self.text, self.label, self.id, self.group, self.split, self.time = (
            column.get(role, "") for role in (Role.TEXT, Role.LABEL, Role.ID, Role.GROUP, Role.SPLIT, Role.TIME)
        )
        self.content = {role: column.get(role, "") for role in CONTENT}
        self.kept = [column for column, role in mapping.items() if role == Role.METADATA]
        self.default_split = default_split

    def draft(self, row: Row) -> Draft | Problem:
        """The item to be, or what is wrong with the row."""
        line, values, member, _ = row
        try:
            content = self.read_content(values) if self.task in NEEDED else None
            text = answers.readable(content) if content else values.get(self.text, "")
            told = brought.tell(row.brought, self.label, self.task, text, content) if row.brought else None
            said = told.own if told else self.read_answer(values, text, content) if self.task != "single_label" else None
        except answers.Unreadable as error:
            return Problem(line, "answer", f"{self.place} {line:,} {error}", MEND_ANSWER, member=member)
        label, external_id, group, split_word, time_word = (
            values.get(column, "").strip() if column else "" for column in (self.label, self.id, self.group, self.split, self.time)
        )
        split = SPLIT_WORDS.get(split_word.casefold(), "") if split_word else self.default_split
        moment = read_time(time_word) if time_word else None
        fault = (
            wrong_text(text)
            or wrong_names(told.names if told else said.names if said else (label,), external_id, group)
            or (WRONG_SPLIT if split_word and not split else None)
            or (WRONG_TIME if time_word and moment is None else None)
        )
        if fault:
            return Problem(line, fault.code, f"{self.place} {line:,} {fault.said}", fault.mend, member=member)
        metadata = {column: cell for column in self.kept if (cell := values.get(column))}
        if said is None:
            return Draft(line, text, label, external_id, group, moment, split, metadata, member, names=(label,) if label else ())
        names = told.names if told else said.names
        return Draft(line, text, said.value, external_id, group, moment, split, metadata, member, content, names, told)

    def read_content(self, values: Mapping[str, str]) -> dict[str, Any]:
        """The dialogue or the responses of a row. Raises answers.Unreadable."""
        cells = {role: values.get(column, "") for role, column in self.content.items() if column}
        if self.task == "chat":
            return {"messages": answers.dialogue(cells[Role.MESSAGES])}
        prompt = {"prompt": answers.response(cells[Role.PROMPT])} if cells.get(Role.PROMPT, "").strip() else {}
        if self.task == "ranking":
            return {**prompt, "responses": answers.responses(cells[Role.RESPONSES])}
        return {**prompt, "responses": [answers.response(cells[role]) for role in (Role.FIRST, Role.SECOND)]}

    def read_answer(self, values: Mapping[str, str], text: str, content: dict[str, Any] | None) -> answers.Said:
        """What a row says of its item; empty where it says nothing. Raises answers.Unreadable."""
        cell = values.get(self.label, "").strip() if self.label else ""
        if self.task == "preference" and not cell and plain_name(self.content[Role.FIRST]) == "chosen":
            return answers.chosen("first")  # a file of pairs names the better one so
        if not cell or cell == "null":
            return answers.Said("")
        if self.task == "spans":
            return answers.marked(cell, text)
        if self.task == "ranking":
            return answers.ranked(cell, len((content or {})["responses"]))
        readers: dict[str, Callable[[str], answers.Said]] = {
            "multi_label": answers.ticked, "preference": answers.chosen, "free_text": lambda said: answers.written(values[self.label]),
        }  # fmt: skip
        return readers[self.task](cell) if self.task in readers else answers.Said("")


class Fault(NamedTuple):
    """What is wrong with a row. said: the sentence behind its place."""

    code: str
    said: str
    mend: str


WRONG_SPLIT = Fault("split", "has a split that is not train, validation or test.", "Use one of these three words.")
WRONG_TIME = Fault("time", "has a time that cannot be read.", "Write it as 2026-11-24T16:10:00Z or as Unix seconds.")


def wrong_text(text: str) -> Fault | None:
    """What is wrong with a text, if anything."""
    if not text or text.isspace():
        return Fault("empty_text", "has no text.", "Fill it in, or leave out the row.")
    if len(text) > TEXT_LIMIT:
        said = f"has a text of {len(text):,} characters; at most {TEXT_LIMIT:,} are allowed."
        return Fault("long_text", said, "Split the text into several rows.")
    return None


def wrong_names(labels: Sequence[str], external_id: str, group: str) -> Fault | None:
    """What is wrong with the labels, the id or the group, if anything."""
    return next((fault for label in labels or ("",) if (fault := wrong_name(label, external_id, group))), None)


def wrong_name(label: str, external_id: str, group: str) -> Fault | None:
    """What is wrong with the label, the id or the group, if anything."""
    if label and (len(label) > LABEL_LIMIT or CONTROL.search(label)):
        said = f"has a label of more than {LABEL_LIMIT} characters or with control characters."
        return Fault("label", said, "Check that the right column is mapped to label.")
    if len(external_id) > ID_LIMIT or len(group) > ID_LIMIT:
        name, value = ("id", external_id) if len(external_id) > ID_LIMIT else ("group", group)
        said = f"has a {name} of {len(value):,} characters; at most {ID_LIMIT} are allowed."
        return Fault(name, said, f"Check that the right column is mapped to {name}.")
    return None
