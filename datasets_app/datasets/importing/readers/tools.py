"""What labeling tools export as JSON, for texts with one label each: doccano, Label Studio, Prodigy, Argilla.

Each conversion makes an object flat: text and label under these names, everything else under its own, so that it becomes metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from datasets_app.datasets.importing.readers.jsons import Pairs, cell_of, json_text, keys, objects, row_of
from datasets_app.datasets.importing.readers.shapes import Header, Reading, Row
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.report import Problem

SUBMITTED = ("submitted", "")
KEEP_ONE = "Keep the label that counts, or bring the text without a label."


class Unfit(Exception):
    """An object that cannot become a row. Holds the code of the problem and what is said behind its place."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code, self.said = code, said


def header(member: Member, reading: Reading) -> Header:
    """The columns of the first objects."""
    return keys(found for found in rows(member, reading) if isinstance(found, Row))


def rows(member: Member, reading: Reading) -> Iterator[Row | Problem]:
    """A row for each object, and one notice where predictions are left out."""
    as_list = member.head(256).decode(reading.encoding, "ignore").lstrip("\ufeff \t\r\n").startswith("[")
    where = "Object" if as_list else "Line"
    convert, noticed = CONVERT[reading.parser], False
    for number, found in objects(member, reading.encoding, as_list=as_list):
        if isinstance(found, Problem):
            yield found
            continue
        if not noticed and found.get("predictions"):
            noticed = True
            yield predictions_left_out(where, number, found["predictions"])
        try:
            yield row_of(number, convert(found), where)
        except Unfit as unfit:
            yield Problem(number, unfit.code, f"{where} {number:,} {unfit.said}", KEEP_ONE)


def recognise(found: Pairs) -> str:
    """The tool that wrote an object, or the empty text."""
    if isinstance(found.get("data"), Pairs) and any(
        isinstance(found.get(key), list) for key in ("annotations", "completions", "predictions")
    ):
        return "labelstudio"
    if "text" in found and ("answer" in found or "_task_hash" in found or "_input_hash" in found):
        return "prodigy"
    if any(key.endswith(".responses") for key in found):
        return "argilla"
    if ("text" in found or "data" in found) and any(isinstance(found.get(key), list) for key in ("label", "labels", "cats")):
        return "doccano"
    return ""


def predictions_left_out(where: str, number: int, predictions: Any) -> Problem:
    """Told once a file, and nothing is lost silently."""
    bare = isinstance(predictions, list) and any(not isinstance(each, Pairs) for each in predictions)
    what = "names predictions by bare numbers, without what they say" if bare else "holds predictions of a model"
    sentence = f"{where} {number:,} {what}; predictions are left out of this import, here and below."
    return Problem(number, "left_out", sentence, "Bring what models predict as suggestions, in a file of their own.", notice=True)


def one(labels: list[str]) -> str:
    """The only label, or the empty text. Raises Unfit for several."""
    if len(labels) > 1:
        raise Unfit("labels", f"has {len(labels):,} labels; a dataset with one label per text takes one.")
    return labels[0] if labels else ""


def names_in(value: Any) -> list[str]:
    """The names of classes in a label that is a name, a list of names, or nothing. Raises Unfit for marked passages."""
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        return [cell_of(value)]
    if any(isinstance(each, list | dict) for each in value):
        raise Unfit("spans", "has marked passages; labels of whole texts are imported here.")
    return [cell_of(each) for each in value]


def from_doccano(found: Pairs) -> Pairs:
    """{"text", "label" or "labels" or "cats": [names], "meta", …}."""
    if found.get("entities") or found.get("relations") or found.get("spans"):
        raise Unfit("spans", "has marked passages; labels of whole texts are imported here.")
    label = next((one(names_in(found[key])) for key in ("label", "labels", "cats") if key in found), "")
    text = found["text"] if "text" in found else found.get("data")
    known = ("text", "data", "label", "labels", "cats", "entities", "relations", "spans")
    return Pairs({"text": cell_of(text), "label": label} | {key: value for key, value in found.items() if key not in known})


def from_prodigy(found: Pairs) -> Pairs:
    """{"text", "accept": [names] or "label": name, "answer"}. What was not accepted is no label; what was proposed is kept beside it."""
    if found.get("spans"):
        raise Unfit("spans", "has marked passages; labels of whole texts are imported here.")
    proposed = names_in(found["accept"] if "accept" in found else found.get("label"))
    accepted = found.get("answer") == "accept"
    known = ("text", "label", "accept", "options", "tokens", "spans")
    made = Pairs({"text": cell_of(found.get("text")), "label": one(proposed) if accepted else ""})
    if proposed and not accepted:
        made["proposed"] = ", ".join(proposed)
    made |= {key: value for key, value in found.items() if key not in known}
    return made


def from_label_studio(found: Pairs) -> Pairs:
    """{"data", "annotations": [{"result": [{"type": "choices", "value": {"choices": [names]}}]}], "meta", …}."""
    data = found.get("data")
    if not isinstance(data, Pairs):
        raise Unfit("json", "has no data, as tasks of Label Studio have.")
    field = "text" if isinstance(data.get("text"), str) else next((key for key, value in data.items() if plain_text(value)), "")
    annotations = [each for each in found.get("annotations", found.get("completions")) or [] if isinstance(each, Pairs)]
    standing = [each for each in annotations if not each.get("was_cancelled")]
    standing = [each for each in standing if each.get("ground_truth")] or standing
    label = one(agreed([choice_of(each) for each in standing]))
    made = Pairs({"id": cell_of(found.get("id")), "text": cell_of(data.get(field)), "label": label})
    made |= {f"data.{key}": value for key, value in data.items() if key != field}
    if found.get("meta"):
        made["meta"] = found["meta"]
    if standing:
        made["annotators"] = ", ".join(person(each.get("completed_by")) for each in standing)
    return made


def plain_text(value: Any) -> bool:
    """Whether a value is words and not a number."""
    return type(value) is str


def person(value: Any) -> str:
    """Who annotated: a number, or an object with an id."""
    return cell_of(value.get("id")) if isinstance(value, Pairs) else cell_of(value)


def choice_of(annotation: Pairs) -> list[str]:
    """The names that one annotation chose. Raises Unfit for results of another type."""
    names: list[str] = []
    for result in annotation.get("result") or []:
        kind = result.get("type") if isinstance(result, Pairs) else None
        if kind != "choices":
            raise Unfit("spans", f"has a result of type {cell_of(kind) or 'unknown'}; only choices for a whole text are imported here.")
        value = result.get("value")
        names += names_in(value.get("choices") if isinstance(value, Pairs) else None)
    return names


def agreed(answers: list[list[str]]) -> list[str]:
    """The one answer that all give; those who gave none do not count. Raises Unfit where they differ."""
    given = [answer for answer in answers if answer]
    if any(answer != given[0] for answer in given):
        raise Unfit("labels", "has annotations that differ; the label has to be settled first.")
    return given[0] if given else []


def from_argilla(found: Pairs) -> Pairs:
    """{"text", "<question>.responses": [names], "<question>.responses.status": [...], …}: one question with names."""
    questions = [key.removesuffix(".responses") for key in found if key.endswith(".responses")]
    if len(questions) != 1:
        raise Unfit("labels", f"answers {len(questions):,} questions; one is taken.")
    (question,) = questions
    responses, status = found[f"{question}.responses"] or [], found.get(f"{question}.responses.status") or []
    states = status if isinstance(status, list) else []
    counted = [
        each for at, each in enumerate(responses if isinstance(responses, list) else [responses])
        if (states[at] if at < len(states) else "") in SUBMITTED
    ]  # fmt: skip
    label = one(agreed([names_in(each) for each in counted]))
    others = {key: value for key, value in found.items() if key != question and not key.startswith(f"{question}.")}
    field = "text" if "text" in others else next((key for key, value in others.items() if plain_text(value) and key not in NO_TEXT), "")
    made = Pairs({"id": cell_of(found.get("id")), "text": cell_of(others.get(field)), "label": label})
    made |= {key: value for key, value in others.items() if key not in (field, "id")}
    if suggestion := found.get(f"{question}.suggestion"):
        made["suggestion"] = json_text(suggestion) if isinstance(suggestion, list) else cell_of(suggestion)
    return made


NO_TEXT = ("id", "_server_id", "status", "external_id", "inserted_at", "updated_at")
CONVERT: dict[str, Callable[[Pairs], Pairs]] = {
    "doccano": from_doccano, "labelstudio": from_label_studio, "prodigy": from_prodigy, "argilla": from_argilla,
}  # fmt: skip
