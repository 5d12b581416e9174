"""Makes user text safe to display."""

from __future__ import annotations

import re
import unicodedata

import regex
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

# Kept as they are, since they show by what they do: what joins emoji, the tags of a region's flag, joiners
# within words of Arabic and Syriac and after a virama. Else control characters but tab and newline; bidi
# marks, embeddings, overrides and isolates; invisible joiners, fillers and tags.
UNSEEN = regex.compile(
    r"(?P<kept>(?<=\p{Extended_Pictographic}[\p{Emoji_Modifier}\ufe0f]?)\u200d(?=\p{Extended_Pictographic})"
    r"|(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
    r"|(?<=[\p{Arabic}\p{Syriac}]\p{M}*)[\u200c\u200d](?=[\p{Arabic}\p{Syriac}])"
    r"|(?<=[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca])[\u200c\u200d](?=\p{L}))"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    r"\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def inert(text: object) -> SafeString:
    """The text, escaped, with each control, bidi and invisible character replaced by its visible code point.

    Carriage returns before a newline are dropped. Characters that could reorder or hide part of a line are
    thereby visible and inert.
    """
    plain = str(text).replace("\r\n", "\n")
    parts: list[str] = []
    at = 0
    for found in UNSEEN.finditer(plain):
        if found["kept"]:
            continue
        parts += [conditional_escape(plain[at : found.start()]), visible(found.group())]
        at = found.end()
    parts.append(conditional_escape(plain[at:]))
    return mark_safe("".join(parts))  # noqa: S308  each part is escaped above


def visible(character: str) -> SafeString:
    """A mark that names the character."""
    name = unicodedata.name(character, "control character").capitalize()
    return format_html('<span class="unseen" title="{}">{}</span>', name, code(character))


def spelt(text: object) -> SafeString:
    """As inert without markup, where only text is allowed: titles of pages, options, attributes. Escaped text
    stays escaped.
    """
    plain = format_html("{}", text).replace("\r\n", "\n")
    return mark_safe(UNSEEN.sub(lambda found: found["kept"] or code(found.group()), plain))  # noqa: S308  escaped above


def shortened(text: str, most: int) -> str:
    """The text, or its first `most` characters of which the last is an ellipsis.

    Characters as people see them: an emoji of many parts, or a letter with its marks, is one and is never
    cut.
    """
    if len(text) <= most:
        return text
    ends = [found.end() for found, _ in zip(regex.finditer(r"\X", text), range(most + 1), strict=False)]
    return text if len(ends) <= most else f"{text[: ends[most - 2]] if most > 1 else ''}…"


def boundary(text: str, at: int) -> int:
    """The start of the grapheme cluster at this index; the text's length beyond its end."""
    for found in regex.finditer(r"\X", text, pos=max(0, at - 64)):  # longer ones are no one's writing
        if found.end() > at:
            return found.start()
    return len(text)


def code(character: str) -> str:
    """The character's code point."""
    return f"U+{ord(character):04X}"


def breakable(name: object) -> SafeString:
    """The name of a class, inert, allowed to break after each underscore."""
    return mark_safe(inert(name).replace("_", "_<wbr>"))  # noqa: S308  inert escapes


def initials(name: str) -> str:
    """One or two letters: of the first and last word, or the first two of a single one."""
    words: list[str] = re.findall(r"\w+", name)
    if not words:
        return "?"
    return (words[0][0] + words[-1][0] if len(words) > 1 else words[0][:2]).upper()
