"""What a file says of its rows where the task is not one class per text: labels as lists, marked spans, dialogues, responses. Pure.

An answer is handed on as canonical JSON of the value that the labeling room keeps, its classes by their names.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from datasets_app.datasets.importing import dialogues
from datasets_app.datasets.importing.roles import plain_name
from datasets_app.datasets.importing.tags import TAG, spans_of
from datasets_app.datasets.rules import TEXT_LIMIT

SHARE_GPT = {"human": "user", "gpt": "assistant", "bing": "assistant", "bard": "assistant", "chatgpt": "assistant"}
ROLES = ("system", "developer", "user", "assistant", "tool")
CHOICES = ("first", "second", "tie", "neither")
SIDES = {  # how else files call them, in plain names; digits are not among them: they begin with 0 or with 1
    **dict.fromkeys(("a", "a1", "left", "responsea", "response1", "modela", "answera"), "first"),
    **dict.fromkeys(("b", "a2", "right", "responseb", "response2", "modelb", "answerb"), "second"),
    **dict.fromkeys(("equal", "same", "draw", "both", "bothgood"), "tie"), **dict.fromkeys(("none", "bothbad", "tiebothbad"), "neither"),
}  # fmt: skip
RESPONSES = range(2, 6)
SPANS_LIMIT = 1_000  # of one text
BELOW = "\n\n"  # between a text and its context


class Unreadable(ValueError):
    """A cell that says no answer of the task. Its text is the sentence behind the row's place."""


class Said(NamedTuple):
    """An answer as canonical JSON, and the names of the classes in it."""

    value: str
    names: tuple[str, ...] = ()


def canonical(value: Any) -> str:
    """JSON in one form: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def loaded(cell: str, what: str) -> Any:
    """The JSON of a cell. Raises Unreadable; also for what no database keeps: NaN, NUL, half of a surrogate pair."""
    try:
        found = json.loads(cell, parse_constant=no_number)
        plain = json.dumps(found, ensure_ascii=False, allow_nan=False)
        plain.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Unreadable(f"has {what} with half of a surrogate pair.") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"has {what} that are not JSON.") from error
    if "\\u0000" in plain:
        raise Unreadable(f"has {what} with a NUL character.")
    return found


def no_number(word: str) -> None:
    """NaN and Infinity are no JSON. Raises ValueError."""
    raise ValueError(word)


# ── Labels ──────────────────────────────────────────────────────────────────
def ticked(cell: str) -> Said:
    """Any number of classes: a JSON list of names, or names with a bar or a semicolon between. Raises Unreadable."""
    found = loaded(cell, "labels") if cell.startswith("[") else cell.replace("|", ";").split(";")
    if not all(isinstance(each, str) for each in found):
        raise Unreadable("has labels that are not names.")
    names = tuple(sorted({" ".join(each.split()) for each in found} - {""}))
    return Said(canonical({"labels": names}), names)


def marked(cell: str, text: str) -> Said:
    """Spans: [[start, end, label], …], or objects with start (start_offset), end (end_offset), label (labels: [one]) and their text.

    Offsets are Unicode code points. Where every span carries its text and it stands elsewhere, they are read as UTF-16 units, then as
    grapheme clusters of this text. Raises Unreadable.
    """
    raw = loaded(cell, "spans")
    if not isinstance(raw, list):
        raise Unreadable("has spans that are no list.")
    if len(raw) > SPANS_LIMIT:
        raise Unreadable(f"has {len(raw):,} spans; at most {SPANS_LIMIT:,} are kept.")
    spans = [one_span(each) for each in raw]
    told = [each for each in spans if each[3] is not None]
    units: Sequence[int] = range(len(text) + 1)
    if told and len(told) == len(spans):
        ways = (units, utf16(text), graphemes(text))
        units = next((way for way in ways if all(fits(each, way, text) for each in spans)), units)
    found = sorted({resolved(each, units, text) for each in spans})
    value = [{"start": start, "end": end, "label": label} for start, end, label in found]
    return Said(canonical({"spans": value}), tuple(sorted({label for _, _, label in found})))


Raw = tuple[int, int, str, str | None]


def one_span(raw: Any) -> Raw:
    """(start, end, label, text or None), as the file counts. Raises Unreadable."""
    if isinstance(raw, list) and len(raw) == 3:
        start, end, label, words = raw[0], raw[1], raw[2], None
    elif isinstance(raw, dict):
        start, end = raw.get("start", raw.get("start_offset")), raw.get("end", raw.get("end_offset"))
        label, words = raw.get("label", raw.get("labels")), raw.get("text")
    else:
        raise Unreadable("has a span that is neither [start, end, label] nor an object.")
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    start, end = (int(each) if isinstance(each, str) and each.isdecimal() and len(each) < 10 else each for each in (start, end))
    if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label.strip():
        raise Unreadable("has a span without a start, an end or a label.")
    return start, end, " ".join(label.split()), words if isinstance(words, str) else None


def utf16(text: str) -> list[int]:
    """The code point at each UTF-16 unit, -1 within a pair."""
    found: list[int] = []
    for at, character in enumerate(text):
        found += [at] if ord(character) < 0x10000 else [at, -1]
    return [*found, len(text)]


def graphemes(text: str) -> list[int]:
    """The code point at each grapheme cluster, near enough: marks, joined emoji and their modifiers stay with what they follow."""
    found: list[int] = []
    for at, character in enumerate(text):
        joins = at > 0 and (
            unicodedata.category(character) in ("Mn", "Me", "Mc") or character == "\u200d" or text[at - 1] == "\u200d"
            or 0x1F3FB <= ord(character) <= 0x1F3FF or (text[at - 1] == "\r" and character == "\n")
        )  # fmt: skip
        if not joins:
            found.append(at)
    return [*found, len(text)]


def fits(span: Raw, units: Sequence[int], text: str) -> bool:
    """Whether the text of a span stands where it says, counted in these units."""
    start, end, _, words = span
    return 0 <= start < end < len(units) and text[units[start] : units[end]] == words


def resolved(span: Raw, units: Sequence[int], text: str) -> tuple[int, int, str]:
    """A span in code points, without white space around it. Raises Unreadable."""
    start, end, label, words = span
    if not 0 <= start < end < len(units) or -1 in (units[start], units[end]):
        raise Unreadable(f"has a span {start}–{end} outside its text, which has {len(text):,} characters.")
    first, last = units[start], units[end]
    if words is not None and text[first:last] != words:
        raise Unreadable(f"has a span {start}–{end} that says {words[:40]!r}, but {text[first:last][:40]!r} stands there.")
    inner = text[first:last].strip()
    if not inner:
        raise Unreadable(f"has a span {start}–{end} of white space alone.")
    first += len(text[first:last]) - len(text[first:last].lstrip())
    return first, first + len(inner), label


def joined(cell: str) -> str:
    """Tokens, as a JSON list, with one blank between; any other text as it is. Raises Unreadable."""
    if not cell.startswith('["'):
        return cell
    tokens = loaded(cell, "tokens")
    if not isinstance(tokens, list) or not all(isinstance(each, str) and each.strip() for each in tokens):
        raise Unreadable("has tokens that are not texts.")
    return " ".join(tokens)


def tagged(cell: str, text: str) -> Said:
    """The tags of tokens, such as O and B-PER, as a JSON list; text: the tokens with one blank between. Raises Unreadable."""
    tags, tokens = loaded(cell, "tags"), text.split(" ")
    if len(tags) != len(tokens) or not all(isinstance(each, str) and TAG.fullmatch(each) for each in tags):
        raise Unreadable(f"has {len(tags):,} tags such as O or B-PER for {len(tokens):,} tokens.")
    found = spans_of(list(zip(tokens, tags, strict=True)))
    value = [{"start": start, "end": end, "label": label} for start, end, label in found]
    return Said(canonical({"spans": value}), tuple(sorted({label for _, _, label in found})))


def written(cell: str) -> Said:
    """A text that was written. Raises Unreadable."""
    if len(cell) > TEXT_LIMIT:
        raise Unreadable(f"has an answer of {len(cell):,} characters; at most {TEXT_LIMIT:,} are kept.")
    return Said(canonical({"text": cell}))


def side(cell: str) -> str:
    """The choice that a word means; empty for none."""
    word = cell.casefold()
    return word if word in CHOICES else SIDES.get(plain_name(word), "")


def chosen(cell: str) -> Said:
    """Which of two responses is better. Raises Unreadable."""
    choice = side(cell)
    if not choice:
        raise Unreadable(f"has a choice that is not {', '.join(CHOICES)}.")
    return Said(canonical({"choice": choice}))


def continued(cell: str, asked: Sequence[Mapping[str, Any]]) -> Said:
    """A dialogue with other answers of the assistant, or one more at its end; what was asked stays. Raises Unreadable."""
    found = dialogue(cell)
    if [each for each in found if each["role"] != "assistant"] != [each for each in asked if each.get("role") != "assistant"]:
        raise Unreadable("has an answer in which a turn differs that is not the assistant's.")
    if found[-1]["role"] != "assistant" or any(set(each) != {"role", "content"} for each in found if each not in asked):
        raise Unreadable("has a dialogue whose answer does not end with a written turn of the assistant.")
    if any(not each["content"].strip() for each in found if each not in asked):
        raise Unreadable("has an empty answer of the assistant.")
    return Said(canonical({"messages": found}))


def ranked(cell: str, responses: int) -> Said:
    """The numbers of the responses from 0, the best first, as a JSON list. Raises Unreadable."""
    found = loaded(cell, "ranks")
    if not isinstance(found, list) or sorted(map(str, found)) != sorted(map(str, range(responses))):
        raise Unreadable(f"has a ranking that does not name each of its {responses} responses once, from 0.")
    return Said(canonical({"ranking": [int(each) for each in found]}))


def mended(cell: str) -> Said:
    """A dialogue as somebody wrote or accepted it: it ends with the assistant. Raises Unreadable."""
    messages = dialogue(cell)
    if messages[-1]["role"] != "assistant":
        raise Unreadable(f"has an answer that ends with {messages[-1]['role']}, not with the assistant.")
    return Said(canonical({"messages": messages}))


def read(task: str, cell: str, text: str, content: Mapping[str, Any]) -> Said:
    """What a cell says of an item of a task that is not one class per text; empty where it says nothing. Raises Unreadable.

    text, content: of the item, which spans and rankings have to fit.
    """
    if not cell.strip() or (cell == "null" and task != "free_text"):
        return Said("")
    if task == "spans":
        return tagged(cell, text) if cell.startswith('["') else marked(cell.strip(), text)
    if task == "ranking":
        return ranked(cell, len(content["responses"]))
    return READERS[task](cell) if task == "free_text" else READERS[task](cell.strip())


READERS: dict[str, Callable[[str], Said]] = {"multi_label": ticked, "preference": chosen, "free_text": written, "chat": mended}


def flat(cell: str) -> dict[str, str]:
    """Metadata as one JSON object of texts. Raises Unreadable."""
    found = loaded(cell, "metadata")
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise Unreadable("has metadata that are no object of texts.")
    return found


# ── Contents ────────────────────────────────────────────────────────────────
def dialogue(cell: str) -> list[dict[str, Any]]:
    """Messages with role and content (OpenAI, TRL) or from and value (ShareGPT), everything else of them kept; or author and text.

    Raises Unreadable.
    """
    return turns(loaded(cell, "messages"))


def turns(raw: Any) -> list[dict[str, Any]]:
    """The messages of a dialogue, whatever was found in their place. Raises Unreadable."""
    if not isinstance(raw, list) or not raw:
        raise Unreadable("has no messages.")
    found = [message(each) for each in dialogues.with_roles(raw)]
    if found[0]["role"] not in ("system", "developer", "user"):
        raise Unreadable(f"has a dialogue that begins with {found[0]['role']}, not with system or user.")
    return found


def message(raw: Any) -> dict[str, Any]:
    """One message. Raises Unreadable."""
    if isinstance(raw, dict) and "from" in raw and "value" in raw:
        rest = {name: value for name, value in raw.items() if name not in ("from", "value")}
        raw = {"role": SHARE_GPT.get(str(raw["from"]), raw["from"]), "content": raw["value"], **rest}
    if not isinstance(raw, dict) or raw.get("role") not in ROLES:
        raise Unreadable("has a message without a role of system, user, assistant or tool.")
    said = raw.get("content")
    if not (isinstance(said, str) and said.strip()) and not raw.get("tool_calls"):
        raise Unreadable(f"has a message of the {raw['role']} without content.")
    return {name: value for name, value in raw.items() if value is not None or name == "content"}


def response(cell: str) -> str | list[dict[str, Any]]:
    """A prompt or a response: a text, or messages as a JSON list. Raises Unreadable."""
    if not cell.strip():
        raise Unreadable("has an empty response.")
    if cell.lstrip().startswith('[{"'):
        return [message(each) for each in loaded(cell, "messages")]
    return cell


def responses(cell: str) -> list[str]:
    """Two to five texts as a JSON list. Raises Unreadable."""
    found = loaded(cell, "responses")
    if not isinstance(found, list) or len(found) not in RESPONSES or not all(isinstance(each, str) and each.strip() for each in found):
        raise Unreadable("has responses that are not a list of two to five texts.")
    return found


def readable(content: Mapping[str, Any]) -> str:
    """A dialogue, a prompt with its responses, or a text with its context, as one text to be read and searched."""
    if "messages" in content:
        return spoken(content["messages"])
    if "context" in content:
        return BELOW.join((content["text"], content["context"]))
    parts = [words(content["prompt"])] if content.get("prompt") else []
    parts += [f"{number}: {words(each)}" for number, each in enumerate(content["responses"], start=1)]
    return "\n\n".join(parts)


def words(said: str | list[dict[str, Any]]) -> str:
    """A text, or messages as one."""
    return said if isinstance(said, str) else spoken(said)


def spoken(messages: Sequence[Mapping[str, Any]]) -> str:
    """Messages as one text."""
    return "\n".join(f"{each['role']}: {each.get('content') or 'a tool call'}" for each in messages)
