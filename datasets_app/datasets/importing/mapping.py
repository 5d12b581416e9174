"""Map the columns of a file to the parts of an item. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from datasets_app.datasets.importing import own
from datasets_app.datasets.importing.label_values import LabelValues
from datasets_app.datasets.importing.labeling import Given, Labeling, question_columns, read_labeling
from datasets_app.datasets.importing.readers import Row
from datasets_app.datasets.importing.recognising import OWN, recognise, roles_of
from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.importing.times import read_time
from datasets_app.datasets.rules import place
from lifecycle.runtime.task_types.answers import ItemContent, Labels, Value
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.by_key.types import DEFAULT, type_of
from lifecycle.runtime.task_types.columns import NAMES, OF_ITEMS, Role, plain_name
from lifecycle.runtime.task_types.contents import dialogue
from lifecycle.runtime.task_types.inputs import TEXT_LIMIT, BadInput, Cell, CellKind, has_invisible, loaded
from lifecycle.runtime.task_types.values import labels_of

MANY = (Role.METADATA, Role.IGNORE)
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout"), "test"),
}
DIALOGUES_CHECKED = 20  # cells of a column that are checked for dialogues
LABEL_LIMIT, ID_LIMIT, PERSON_LIMIT = 120, 200, 100
FIX_ANSWER = "Fix the row as described in the guide, or remove it."


class Draft(NamedTuple):
    """A row as a future item. value: its annotation, labels by name; None if it has none. split: train,
    validation, test or empty.

    names: of the labels in it. content: as Item.content. member: the file inside an archive that contains it.
    labeling: its annotations and predictions by person and model.
    """

    line: int
    text: str
    value: Value | None
    external_id: str
    group: str
    event_time: datetime | None
    split: str
    metadata: dict[str, str]
    member: str = ""
    content: dict[str, Any] | None = None
    names: tuple[str, ...] = ()
    labeling: Labeling | None = None


def roles_for(task: str) -> list[Role]:
    """What a column can be used for in a dataset of this task."""
    return [role for role in Role if role in formats_of(task).item_roles or role not in OF_ITEMS]


def propose(columns: Sequence[str], rows: Sequence[Row], task: str = DEFAULT) -> dict[str, str]:
    """A role for each column: by the file's layout, by its name, then by the first rows; the rest becomes
    metadata.

    A label column is guessed by content only if no column name is known: a file with a known text column may
    have no labels.
    """
    layout, formats = recognise(columns, rows), formats_of(task)
    questions = question_columns(row.raw for row in rows if row.raw)
    fitting = [
        column for column in questions if questions[column] in (None, *formats.cells) and column in columns
    ]
    best = sorted(fitting, key=lambda column: questions[column] != formats.cells[0])[:1]
    found: dict[str, str] = (
        roles_of(layout, columns, task)
        | dict.fromkeys(questions, str(Role.IGNORE))
        | dict.fromkeys(best, str(Role.LABEL))
    )
    for role in [] if layout is OWN else roles_for(task):
        names = formats.columns.get(role, NAMES.get(role, ()))
        known = [
            column
            for name in names
            for column in columns
            if plain_name(column) == name and column not in found
        ]
        if known and role not in found.values():
            found[known[0]] = role
    if dialogues := [
        column
        for column in dialogue_columns(columns, rows)
        if found.get(column, Role.METADATA) == Role.METADATA
    ]:
        role = Role.MESSAGES if Role.MESSAGES in formats.item_roles else Role.TEXT
        if role not in found.values() and role in formats.item_roles:
            found[dialogues[0]] = str(role)
    if Role.TEXT in formats.item_roles and layout is not OWN:
        by_content(columns, rows, found, guess_label=not found and type_of(task).one_label)
    return {column: found.get(column, str(Role.METADATA)) for column in columns}


def dialogue_columns(columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """The columns of a labeling tool's file in which every filled cell is a dialogue."""
    if not any(row.raw for row in rows):
        return []
    cells = {column: [cell for row in rows if (cell := row.values.get(column, ""))] for column in columns}
    return [
        column
        for column, values in cells.items()
        if values and all(dialogue.as_text(cell) for cell in values[:DIALOGUES_CHECKED])
    ]


def names_known(columns: Sequence[str]) -> bool:
    """Whether any of these is a name that columns often have."""
    return any(plain_name(column) in names for column in columns for names in NAMES.values())


def by_content(
    columns: Sequence[str], rows: Sequence[Row], found: dict[str, str], *, guess_label: bool
) -> None:
    """Guess by content: the longest column is the text, and a column of few short values is the label."""
    cells = {
        column: [row.values.get(column, "") for row in rows] for column in columns if column not in found
    }
    if Role.TEXT not in found.values() and cells:
        prose = [
            column
            for column, values in cells.items()
            if not all(value[:1] in ("", "[", "{") for value in values)
        ]
        longest = max(prose or cells, key=lambda column: sum(map(len, cells[column])))
        found[longest] = Role.TEXT
        del cells[longest]
    if guess_label and len(rows) >= 4:
        few = [
            c
            for c, values in cells.items()
            if 1 < len(set(values)) <= max(2, len(rows) // 2) and max(map(len, values)) <= 60
        ]
        if few:
            found[few[0]] = Role.LABEL


def check(mapping: Mapping[str, str], columns: Sequence[str], task: str = DEFAULT) -> list[Problem]:
    """The problems of a mapping, which block its use."""
    problems = []
    roles = [mapping.get(column, Role.IGNORE) for column in columns]
    known = [role.value for role in roles_for(task)]
    if unknown := sorted(set(roles) - set(known)):
        problems.append(
            Problem(
                0,
                "mapping",
                f"Unknown column role {unknown[0]!r}.",
                f"Choose one of {', '.join(known)}.",
                blocks=True,
            )
        )
    needed = max(formats_of(task).ways, key=lambda way: sum(role in roles for role in way))
    for role in needed:
        if roles.count(role) != 1:
            count = "No column is" if role not in roles else f"{roles.count(role)} columns are"
            fix = f"Map exactly one column to {role.value}."
            problems.append(Problem(0, "mapping", f"{count} mapped to {role.value}.", fix, blocks=True))
    if Role.ANNOTATOR in roles and Role.LABEL not in roles:
        problems.append(
            Problem(
                0,
                "mapping",
                "An annotator column is mapped, but no label column.",
                "Map the label column.",
                blocks=True,
            )
        )
    for role in Role:
        if role not in (*MANY, *needed) and roles.count(role) > 1:
            sentence = f"{roles.count(role)} columns are mapped to {role.value}."
            problems.append(
                Problem(
                    0,
                    "mapping",
                    sentence,
                    f"Map one column to {role.value}, the others to metadata.",
                    blocks=True,
                )
            )
    return problems


class Mapper:
    """Turns rows into drafts under a checked mapping. default_split: for rows without a split. parser: of the
    file.

    values: the mapping of label values; unchanged by default.
    Keys that are missing from the first rows aren't in the mapping; they become metadata.
    """

    def __init__(
        self,
        mapping: Mapping[str, str],
        default_split: str = "",
        parser: str = "",
        task: str = DEFAULT,
        values: LabelValues | None = None,
    ) -> None:
        self.values = values or LabelValues(task, {})
        self.place, self.parser, self.formats = place(parser), parser, formats_of(task)
        self.answers = type_of(task).answers
        self.columns = column = {Role(role): column for column, role in mapping.items() if role not in MANY}
        self.text, self.label, self.id, self.group, self.split, self.time, self.annotator = (
            column.get(role, "")
            for role in (Role.TEXT, Role.LABEL, Role.ID, Role.GROUP, Role.SPLIT, Role.TIME, Role.ANNOTATOR)
        )
        self.parts = {role: name for role in OF_ITEMS if (name := column.get(role))}
        self.packed = column.get(Role.PACKED, "")
        self.known = frozenset(mapping)
        self.kept = {name: name for name, role in mapping.items() if role == Role.METADATA}
        self.own = own.is_own(list(mapping))
        if self.own:
            self.kept = {name: own.metadata_name(name) for name in self.kept}
        self.neutralised = self.own and parser in own.SHEETS
        self.default_split = default_split

    def draft(self, row: Row) -> Draft | Problem:
        """The future item, or what is wrong with the row."""
        line, values, member, _ = row
        if self.neutralised:
            values = own.restored(values)
        try:
            content = self.read_content(values)
            text = self.formats.readable(content) if content else self.read_text(values)
            if fault := wrong_text(text):
                return fault.problem(self.place, row)
            item = ItemContent(text, content or {})
            labeling = read_labeling(row.raw, self.label, self.values, item) if row.raw else None
            value = labeling.own if labeling else self.read_answer(values, item)
            metadata = self.read_metadata(values)
        except BadInput as error:
            sentence = f"{self.place} {line:,}: {error.message}"
            return Problem(line, error.code, sentence, error.next_step or FIX_ANSWER, member=member)
        external_id, group, split_word, time_word = (
            values.get(column, "").strip() if column else ""
            for column in (self.id, self.group, self.split, self.time)
        )
        names = labeling.names if labeling else tuple(sorted(set(labels_of(value)))) if value else ()
        split = SPLIT_WORDS.get(split_word.casefold(), "") if split_word else self.default_split
        moment = read_time(time_word) if time_word else None
        fault = (
            (NO_TEXT if content and "context" in content and not content["text"].strip() else None)
            or wrong_names(names, external_id, group)
            or (WRONG_SPLIT if split_word and not split else None)
        )
        if fault:
            return fault.problem(self.place, row)
        if time_word and moment is None:
            metadata[self.time] = time_word
        if self.annotator and not labeling:
            person = values.get(self.annotator, "").strip()
            if value and (fault := wrong_person(person)):
                return fault.problem(self.place, row)
            labeling, value = Labeling(answers=(Given(person, value),) if value else (), names=names), None
        return Draft(
            line, text, value, external_id, group, moment, split, metadata, member, content, names, labeling
        )

    def remarks(self, draft: Draft) -> list[Problem]:
        """Notices about a row that is imported anyway."""
        where = f"{self.place} {draft.line:,}"
        found = (
            [("time", WRONG_TIME, FIX_TIME)]
            if self.time and draft.event_time is None and draft.metadata.get(self.time)
            else []
        )
        found += self.formats.remarks(draft.content) if draft.content else []
        return [
            Problem(draft.line, code, f"{where} {sentence}", fix, member=draft.member, notice=True)
            for code, sentence, fix in found
        ]

    def read_text(self, values: Mapping[str, str]) -> str:
        """The text of a row. Raises BadInput.

        A dialogue from Label Studio becomes a text with one line per turn.
        """
        text = values.get(self.text, "")
        if self.parser == "labelstudio" and (turns := dialogue.as_text(text)):
            return turns
        return self.formats.text(text)

    def read_content(self, values: Mapping[str, str]) -> dict[str, Any] | None:
        """The dialogue, responses, or text with context of a row; None for a plain text. Raises BadInput."""
        cells = {role: values.get(column, "") for role, column in self.parts.items()}
        if cells.get(Role.CONTENT, "").strip():
            return self.formats.whole(cells[Role.CONTENT])
        return self.formats.content(cells | {Role.TEXT: self.read_text(values)})

    def read_answer(self, values: Mapping[str, str], item: ItemContent) -> Value | None:
        """The annotation of a row, or None. Raises BadInput."""
        cell = values.get(self.label, "") if self.label else ""
        if not cell.strip() and (raw := self.formats.implied(item, self.columns)):
            return self.answers.parse(raw, item, Labels.any())
        return self.values.annotation(Cell(CellKind.COLUMN, cell), item)

    def read_metadata(self, values: Mapping[str, str]) -> dict[str, str]:
        """The metadata of a row. Raises BadInput."""
        packed = flat(values[self.packed]) if values.get(self.packed) else {}
        late = {
            column: own.metadata_name(column) if self.own else column
            for column in values
            if column not in self.known
        }
        return packed | {
            name: cell for column, name in (self.kept | late).items() if (cell := values.get(column))
        }


def flat(cell: str) -> dict[str, str]:
    """Metadata as one JSON object of texts. Raises BadInput."""
    found = loaded(cell, "metadata")
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise BadInput("metadata", "The metadata isn't an object of texts.")
    return found


class Fault(NamedTuple):
    """What is wrong with a row. sentence: what follows its position."""

    code: str
    sentence: str
    fix: str

    def problem(self, place: str, row: Row) -> Problem:
        """The fault as a problem of this row."""
        return Problem(
            row.line, self.code, f"{place} {row.line:,} {self.sentence}", self.fix, member=row.member
        )


NO_TEXT = Fault("empty_text", "has no text.", "Add the text, or remove the row.")
WRONG_SPLIT = Fault(
    "split", "has a split other than train, validation, or test.", "Use train, validation, or test."
)
WRONG_TIME = "has an unreadable time; it's kept as metadata."
FIX_TIME = "Write it as 2026-11-24T16:10:00Z or as Unix seconds."


def wrong_person(name: str) -> Fault | None:
    """The problem with an annotator's name, if any."""
    if not name:
        return Fault("annotator", "has a label but no annotator.", "Add the annotator or remove the row.")
    if len(name) > PERSON_LIMIT or not name.isprintable():
        sentence = f"has an annotator of more than {PERSON_LIMIT} characters or with control characters."
        return Fault("annotator", sentence, "Check that the right column is mapped to annotator.")
    return None


def wrong_text(text: str) -> Fault | None:
    """What is wrong with a text, if anything."""
    if not text or text.isspace():
        return NO_TEXT
    if len(text) > TEXT_LIMIT:
        sentence = f"has a text of {len(text):,} characters; the limit is {TEXT_LIMIT:,}."
        return Fault("long_text", sentence, "Split the text into several rows.")
    return None


def wrong_names(labels: Sequence[str], external_id: str, group: str) -> Fault | None:
    """What is wrong with the labels, the id or the group, if anything."""
    return next(
        (fault for label in labels or ("",) if (fault := wrong_name(label, external_id, group))), None
    )


def wrong_name(label: str, external_id: str, group: str) -> Fault | None:
    """What is wrong with the label, the id or the group, if anything."""
    if label and (len(label) > LABEL_LIMIT or has_invisible(label)):
        sentence = f"has a label of more than {LABEL_LIMIT} characters or with invisible characters."
        return Fault("label", sentence, "Check that the right column is mapped to label.")
    if len(external_id) > ID_LIMIT or len(group) > ID_LIMIT:
        name, value = ("id", external_id) if len(external_id) > ID_LIMIT else ("group", group)
        sentence = f"has a {name} of {len(value):,} characters; the limit is {ID_LIMIT}."
        return Fault(name, sentence, f"Check that the right column is mapped to {name}.")
    return None
