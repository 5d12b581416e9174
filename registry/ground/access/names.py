"""When two display names read the same. Rules only."""

from __future__ import annotations

import unicodedata

from lifecycle.runtime.refusals import Refused

# Letters and digits that a reader takes for another: Cyrillic and Greek for Latin, and those that many fonts
# draw alike.
TWINS = str.maketrans(
    "аеорсухкмтвнзіјѕԁԛԝӏαβεηικμνορτυχ01|i",
    "aeopcyxkmtbh3ljsdqwlabenlkuvoptyxolll",
)
# of variants, and tags
SELECTORS = (("\u180b", "\u180f"), ("\ufe00", "\ufe0f"), ("\U000e0000", "\U000e0fff"))
FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"


def clean(name: str) -> str:
    """The name as it is kept: one plain space between words, in one Unicode form.

    Raises Refused for what no one sees: control characters, marks of direction, zero-width characters.
    """
    words = " ".join(unicodedata.normalize("NFC", name).split())
    if any(is_unseen(each) for each in words):
        raise Refused(
            "The name has invisible characters.",
            next_step="Type it again.",
            fields={"display_name": ["Contains invisible characters."]},
        )
    return words


def key(name: str) -> str:
    """What two names that read the same have in common: NFKC, case folded, without what is not seen,
    look-alikes as one letter.

    At most 400 letters; all dashes are one.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    words = "".join(
        " " if each.isspace() else each for each in folded if each.isspace() or not is_unseen(each)
    ).split()
    return "".join(
        "-" if unicodedata.category(each) == "Pd" else each for each in " ".join(words).translate(TWINS)
    )[:400]


def is_unseen(character: str) -> bool:
    """Whether a character leaves no mark: control and format characters, those of no letter, fillers and
    variation selectors.
    """
    return (
        unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs")
        or character in FILLERS
        or any(first <= character <= last for first, last in SELECTORS)
    )
