"""Label Studio's JSON: a list of tasks, each with all annotations and predictions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datasets_app.datasets.importing.readers.jsons import Pairs
from datasets_app.datasets.importing.readers.tools.label_studio import option_places
from datasets_app.exchange.exporting.facts import Fact, Guess, Object, Sheet
from lifecycle.runtime.task_types.answers import Value


@dataclass(frozen=True, slots=True)
class Form:
    """Names in the regions of a task. name, to: from_name and to_name. options: ids of the responses to
    rank.
    """

    name: str = "label"
    to: str = "text"
    options: tuple[str, ...] = ()


def keeps(raw: Pairs) -> bool:
    """Whether an imported object is a task that can be exported unchanged: a row of JSON_MIN is a single
    annotation.
    """
    return "data" in raw


def write(fact: Fact, raw: Pairs | None, sheet: Sheet) -> Iterator[Object]:
    """The task of one item. raw: the imported task, which stays unchanged except for appended annotations and
    predictions.
    """
    form = form_of(fact, raw, sheet)
    made = list(local_annotations(fact, form, raw is not None, sheet))
    guesses = [guess for guess in fact.guesses if raw is None or not guess.from_file]
    predictions = [one for guess in guesses if (one := prediction(fact, form, guess, sheet))]
    if raw is None:
        yield {
            **identity(fact),
            "data": data_of(fact, sheet),
            "annotations": made,
            "predictions": predictions,
            "meta": dict(fact.about),
        }
        return
    name = "completions" if "completions" in raw and "annotations" not in raw else "annotations"
    task: Object = dict(raw)
    if made:
        task[name] = [*(raw.get(name) or []), *made]
    if predictions:
        task["predictions"] = [*(raw.get("predictions") or []), *predictions]
    yield task


def form_of(fact: Fact, raw: Pairs | None, sheet: Sheet) -> Form:
    """Names from the item's own regions; else from the configuration."""
    to = sheet.tool.to
    if raw is None:
        return Form(to=to, options=tuple(str(at) for at in range(len(fact.content.get("responses", [])))))
    name = fact.question.removesuffix(" (answer)") or "label"
    given: list[Any] = [
        *(raw.get("annotations") or raw.get("completions") or []),
        *(raw.get("predictions") or []),
    ]
    results = [region for each in given if isinstance(each, Mapping) for region in each.get("result") or []]
    to = next(
        (str(each["to_name"]) for each in results if isinstance(each, Mapping) and is_about(each, name)), to
    )
    return Form(name, to, tuple(option_places(raw["data"])))


def is_about(region: Mapping[str, Any], name: str) -> bool:
    """Whether a region belongs to this control and has a target."""
    return region.get("from_name") == name and bool(region.get("to_name"))


def identity(fact: Fact) -> Object:
    """The id of the item in its file."""
    if not fact.external_id:
        return {}
    return {
        "id": (
            int(fact.external_id)
            if fact.external_id.isdecimal() and len(fact.external_id) < 16
            else fact.external_id
        )
    }


def data_of(fact: Fact, sheet: Sheet) -> Object:
    """The data fields of a task for an item from another format."""
    beside = {key.removeprefix("data."): value for key, value in fact.metadata.items()}
    return {**beside, **sheet.fields(fact)}


def local_annotations(fact: Fact, form: Form, has_raw: bool, sheet: Sheet) -> Iterator[Object]:
    """Annotations made here, with adjudicated labels as ground truth."""
    for each in fact.annotations:
        if each.from_file and has_raw:
            continue
        result = [] if each.value is None else regions(fact, form, each.key, each.value, sheet)
        if result is not None:
            yield annotation(
                each.key,
                each.person,
                result,
                each.at,
                each.seconds,
                skipped=each.value is None,
                gold=each.gold,
            )
    ruling = fact.ruling
    if ruling and (ruling.by_hand or (ruling.of_file and not has_raw)):
        result = regions(fact, form, ruling.key, ruling.value, sheet)
        if result is not None:
            yield annotation(ruling.key, ruling.person, result, ruling.at, 0, skipped=False, gold=True)


def annotation(
    key: str, person: str, result: list[Object], at: datetime, seconds: float, *, skipped: bool, gold: bool
) -> Object:
    """One annotation."""
    by = {"email": person} if "@" in person else {"username": person}
    return {
        "unique_id": key,
        "completed_by": by,
        "result": result,
        "was_cancelled": skipped,
        "ground_truth": gold,
        "lead_time": round(seconds, 3),
        "created_at": at.isoformat(),
        "parent_prediction": None,
    }


def prediction(fact: Fact, form: Form, guess: Guess, sheet: Sheet) -> Object | None:
    """One prediction."""
    result = regions(fact, form, guess.source, guess.value, sheet)
    return None if result is None else {"model_version": guess.source, "score": guess.score, "result": result}


def regions(fact: Fact, form: Form, key: str, value: Value, sheet: Sheet) -> list[Object] | None:
    """A value as the regions of a result; None, counted as dropped, if Label Studio can't represent it."""
    found = sheet.written(value, fact.text, form.options)
    return found and [
        {
            "id": hashlib.sha256(f"{key}:{at}".encode()).hexdigest()[:10],
            "from_name": form.name,
            "to_name": form.to,
            "type": kind,
            "value": inner,
        }
        for at, (kind, inner) in enumerate(found)
    ]
