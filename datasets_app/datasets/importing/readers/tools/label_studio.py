"""Label Studio: tasks with all annotations and the predictions of models, and its short form, JSON_MIN.

    {"id", "data": {…}, "meta": {…}, "annotations": [{"completed_by", "result": [region, …], …}],
    "predictions": [{"model_version", …}]}

A region answers the question named by its from_name. Unsupported types of regions are ignored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from datasets_app.datasets.importing.readers.jsons import Number, Pairs, cell_of, json_text
from datasets_app.datasets.importing.readers.shapes import Answer
from datasets_app.datasets.importing.readers.tools.parts import (
    UNKNOWN,
    Parsed,
    Unfit,
    flag,
    listed,
    name_of,
    names_cell,
    parsed,
    share,
    spans_cell,
    texts_cell,
)
from lifecycle.runtime.task_types.contents import dialogue
from lifecycle.runtime.task_types.inputs import Cell, CellKind

# next to the data; a bare task is all data
TASK_KEYS = ("id", "meta", "annotations", "completions", "predictions")
MIN_KEYS = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time")
SPEAKER_KEYS = {"role", "author", "speaker"}  # keys of a chat message, not of a response to rank
SPAN_TYPES = ("labels", "hypertextlabels")
NUMBER_TYPES = ("number", "rating")
SIDES = {"left": "first", "right": "second"}
BARE = "has predictions as bare numbers without labels"


def from_label_studio(found: Pairs) -> Parsed:
    """One task, or one row of JSON_MIN."""
    if is_short(found):
        return from_short(found)
    data = (
        found["data"]
        if "data" in found
        else Pairs((key, value) for key, value in found.items() if key not in TASK_KEYS)
    )
    if not isinstance(data, Pairs) or not data:
        raise Unfit("json", "has no data, which Label Studio tasks have.")
    annotations = [
        each for each in listed(found.get("annotations", found.get("completions"))) if isinstance(each, Pairs)
    ]
    data = with_dialogue(data, annotations)
    values = Pairs({"id": cell_of(found.get("id"))})
    values |= data_columns(data)
    values |= {"meta": found["meta"]} if found.get("meta") else {}
    ignored: list[str] = []
    places = option_places(data)
    answers = [answer_of(each, data, values, places, ignored) for each in annotations]
    predictions = listed(found.get("predictions"))
    if any(not isinstance(each, Pairs) for each in predictions):
        ignored.append(BARE)
    guesses = [
        guess_of(each, data, values, places, ignored) for each in predictions if isinstance(each, Pairs)
    ]
    return parsed(values, number_unknown(answers), guesses, ignored)


def with_dialogue(data: Pairs, annotations: Sequence[Pairs]) -> Pairs:
    """The data of a task; an empty chat gets the messages between its first annotator and the model."""
    empty = next((key for key, value in data.items() if value in ([], None, "")), "")
    if not empty or any(dialogue.turns(value) for value in data.values()):
        return data
    for annotation in annotations:
        regions = [each for each in listed(annotation.get("result")) if isinstance(each, Pairs)]
        found = [
            read for each in regions if (read := read_region(each, {}, data)) and read[0] == CellKind.MESSAGES
        ]
        messages = [message for _, part in found for message in part]
        if any(message.get("role") == "user" for message in messages):
            return Pairs(data | {empty: messages})
    return data


def data_columns(data: Pairs) -> Pairs:
    """The fields of a task: the text under its own name, every other one as data.name."""
    columns = Pairs()
    for key, value in data.items():
        items = [each for each in listed(value) if isinstance(each, Pairs)]
        options = (
            items
            and len(items) == len(value)
            and all("id" in each and not each.keys() & SPEAKER_KEYS for each in items)
        )
        columns["text" if key == "text" else f"data.{key}"] = (
            [option_text(each) for each in items] if options else value
        )
    return columns


def option_text(option: Mapping[str, Any]) -> str:
    """The text of one of several responses to rank."""
    return next((cell_of(option[key]) for key in ("body", "text", "title", "html") if option.get(key)), "")


def option_places(data: Mapping[str, Any]) -> dict[str, int]:
    """The position of each response to rank, by its id."""
    lists = [
        each
        for value in data.values()
        if (each := [option for option in listed(value) if isinstance(option, Pairs)])
    ]
    return {
        cell_of(option["id"]): place
        for options in lists
        for place, option in enumerate(options)
        if "id" in option
    }


def answer_of(
    annotation: Pairs, data: Pairs, columns: Pairs, places: Mapping[str, int], ignored: list[str]
) -> Answer:
    """One annotation as an answer."""
    by = annotation.get("completed_by")
    person = (
        next((name for key in ("email", "username", "id") if (name := name_of(by.get(key)))), "")
        if isinstance(by, Pairs)
        else name_of(by)
    )
    return Answer(
        person or UNKNOWN,
        cells_of(listed(annotation.get("result")), data, columns, places, ignored),
        skipped=flag(annotation, "was_cancelled"),
        gold=flag(annotation, "ground_truth"),
        seconds=cell_of(annotation.get("lead_time")),
        at=cell_of(annotation.get("created_at")),
    )


def guess_of(
    prediction: Pairs, data: Pairs, columns: Pairs, places: Mapping[str, int], ignored: list[str]
) -> Answer:
    """One prediction as an answer."""
    cells = cells_of(listed(prediction.get("result")), data, columns, places, ignored)
    return Answer(
        name_of(prediction.get("model_version")) or "a model", cells, score=share(prediction.get("score"))
    )


def number_unknown(answers: Sequence[Answer]) -> Iterator[Answer]:
    """Number annotators without a name, who are different people."""
    seen: Counter[str] = Counter()
    for each in answers:
        seen[each.person] += 1
        if each.person == UNKNOWN and seen[UNKNOWN] > 1:
            yield Answer(
                f"{UNKNOWN} {seen[UNKNOWN]}", each.cells, each.skipped, each.gold, each.seconds, each.at
            )
        else:
            yield each


def cells_of(
    result: Sequence[Any], data: Pairs, columns: Pairs, places: Mapping[str, int], ignored: list[str]
) -> dict[str, Cell]:
    """The answers in the regions of one result, by question. ignored: appended to for each unsupported
    region.
    """
    regions: dict[str, list[tuple[CellKind, Any]]] = {}
    for region in result:
        read = read_region(region, places, data) if isinstance(region, Pairs) else None
        if read is None:
            kind = cell_of(region.get("type")) if isinstance(region, Pairs) else ""
            ignored.append(f"has regions of type {kind[:40] or 'unknown'}")
            continue
        name = cell_of(region.get("from_name")) or "label"
        regions.setdefault(f"{name} (annotation)" if name in columns else name, []).append(read)
    return {name: joined(found, data) for name, found in regions.items()}


def read_region(region: Pairs, places: Mapping[str, int], data: Pairs) -> tuple[CellKind, Any] | None:
    """The kind and value of a region's answer; None for an unsupported region."""
    kind, value = region.get("type"), region.get("value")
    if not isinstance(value, Pairs):
        return None
    if kind in SPAN_TYPES:
        return spans_of(kind, value)
    if kind == "paragraphlabels":
        return spans_of(kind, in_text(value, data))
    if "start" in value or "startOffset" in value:
        return None  # about part of the text
    if kind == "choices" and isinstance(value.get("choices"), list):
        return CellKind.NAMES, value["choices"]
    if kind == "textarea" and isinstance(value.get("text"), list | str):
        return CellKind.TEXTS, value["text"] if isinstance(value["text"], list) else [value["text"]]
    if kind in NUMBER_TYPES and isinstance(value.get(kind), Number):
        return CellKind.NUMBERS, value[kind]
    if kind == "pairwise" and value.get("selected") in SIDES:
        return CellKind.CHOICE, SIDES[value["selected"]]
    if kind == "ranker":
        return ranking_of(value.get("ranker"), places)
    if kind == "chatmessage" and isinstance(value.get("chatmessage"), Pairs):
        return CellKind.MESSAGES, [value["chatmessage"]]
    return None


def spans_of(kind: str, value: Pairs) -> tuple[CellKind, Any] | None:
    """A span for each label of a region. Offsets into HTML need the region's offsets in the text."""
    where = value.get("globalOffsets") if "startOffset" in value else value
    labels = listed(value.get(kind))
    if not isinstance(where, Pairs) or not labels or not isinstance(where.get("start"), Number):
        return None
    words = {"text": value["text"]} if isinstance(value.get("text"), str) else {}
    return CellKind.SPANS, [
        Pairs({"start": where.get("start"), "end": where.get("end"), "label": label} | words)
        for label in labels
    ]


def in_text(value: Pairs, data: Pairs) -> Pairs:
    """A region of a dialogue with offsets into the dialogue's text; unchanged if it has none."""
    turns: list[Any] = next((each for each in data.values() if dialogue.turns(each)), [])
    try:
        first, last, start, end = (
            int(str(value.get(key))) for key in ("start", "end", "startOffset", "endOffset")
        )
    except ValueError:
        return value
    found = dialogue.place(turns, first, start), dialogue.place(turns, last, end)
    rest = {
        key: each for key, each in value.items() if key not in ("startOffset", "endOffset", "globalOffsets")
    }
    if None in found:
        return value
    words = {"text": value["text"]} if first == last and "text" in value else {}
    return Pairs(
        rest | {"text": None} | words | {"start": Number(str(found[0])), "end": Number(str(found[1]))}
    )


def ranking_of(ranker: Any, places: Mapping[str, int]) -> tuple[CellKind, Any] | None:
    """The positions of the responses, best first, from a list of ids or an object with one such list."""
    if isinstance(ranker, Pairs) and len(ranker) == 1:
        (ranker,) = ranker.values()
    ids = [cell_of(each) for each in listed(ranker)]
    return (
        (CellKind.RANKING, [places[each] for each in ids])
        if ids and all(each in places for each in ids)
        else None
    )


def joined(found: Sequence[tuple[CellKind, Any]], data: Pairs) -> Cell:
    """The regions of one question as one answer."""
    kind = found[0][0]
    parts = [part for each, part in found if each == kind]
    if kind in (CellKind.CHOICE, CellKind.NUMBERS):
        return Cell(kind, cell_of(parts[-1]))
    flat = [one for part in parts for one in part]
    if kind == CellKind.NAMES:
        return names_cell(flat)
    if kind == CellKind.TEXTS:
        return texts_cell(flat)
    if kind == CellKind.SPANS:
        return spans_cell(flat)
    if kind == CellKind.MESSAGES and not any(one.get("role") in ("user", "system") for one in flat):
        flat = [
            *next((dialogue.with_roles(value) for value in data.values() if dialogue.turns(value)), []),
            *flat,
        ]
    return Cell(kind, json_text(flat) if kind == CellKind.MESSAGES else str(flat))


# ── JSON_MIN ────────────────────────────────────────────────────────────────
def is_short(found: Pairs) -> bool:
    """Whether an object is a row of JSON_MIN: its data and its answers side by side."""
    return "annotation_id" in found and "annotator" in found and "data" not in found


def from_short(found: Pairs) -> Parsed:
    """A row of JSON_MIN is one annotation. Data and annotations can only be distinguished by their form, or
    by a person.
    """
    rest = {key: value for key, value in found.items() if key not in MIN_KEYS}
    cells = {key: short_cell(value) for key, value in rest.items()}
    values = Pairs(
        {"id": cell_of(found.get("id"))}
        | {key: value for key, value in rest.items() if cells[key].kind == CellKind.PLAIN}
    )
    values |= {key: found[key] for key in MIN_KEYS[1:] if key in found and not isinstance(found[key], Pairs)}
    by = found.get("annotator")
    person = name_of(by.get("email", by.get("id"))) if isinstance(by, Pairs) else name_of(by)
    answer = Answer(
        person or UNKNOWN, cells, seconds=cell_of(found.get("lead_time")), at=cell_of(found.get("created_at"))
    )
    return parsed(values, [answer])


def short_cell(value: Any) -> Cell:
    """An answer by its form: several choices, regions with labels; anything else may be data or one
    choice.
    """
    if isinstance(value, Pairs) and isinstance(value.get("choices"), list):
        return names_cell(value["choices"])
    regions = [
        each for each in listed(value) if isinstance(each, Pairs) and isinstance(each.get("labels"), list)
    ]
    if regions and len(regions) == len(value):
        spans = [spans_of("labels", each) for each in regions]
        return spans_cell([one for each in spans if each for one in each[1]])
    return Cell(CellKind.PLAIN, cell_of(value))
