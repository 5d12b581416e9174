"""Common layouts of fine-tuning data, recognised by column names and the first rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

YES_NO = {"true", "false", "1", "0", "yes", "no"}


@dataclass(frozen=True, slots=True)
class Layout:
    """A file layout. columns: normalised names. messages: the columns with messages instead of text. yes_no:
    the column with true or false.

    The role of each column is defined by the tasks that support the layout.
    """

    name: str
    columns: tuple[str, ...]
    messages: tuple[str, ...] = ()
    yes_no: str = ""

    def fits(self, names: Sequence[str], cells: Mapping[str, Sequence[str]]) -> bool:
        """Whether a file has these columns with the expected contents."""
        if not all(name in names for name in self.columns):
            return False
        spoken = [cell for name in self.messages for cell in cells[name] if cell]
        if self.messages and not (spoken and all(cell.lstrip().startswith("[{") for cell in spoken)):
            return False
        words = {cell.strip().casefold() for cell in cells[self.yes_no]} if self.yes_no else set()
        return not self.yes_no or bool(words) and words <= YES_NO


OPENAI_PAIRS = Layout("OpenAI preference pairs", ("inputmessages", "preferredoutput", "nonpreferredoutput"))
PAIRS = Layout("preference pairs", ("prompt", "chosen", "rejected"))
SPLIT_PAIRS = Layout(
    "preference pairs without a prompt, split where the two dialogues diverge",
    ("chosen", "rejected"),
    messages=("chosen", "rejected"),
)
BARE_PAIRS = Layout("preference pairs without a prompt", ("chosen", "rejected"))
UNPAIRED = Layout(
    "unpaired preferences, one response with true or false", ("prompt", "completion", "label"), yes_no="label"
)
MESSAGES = Layout("dialogues (messages)", ("messages",), messages=("messages",))
SHARE_GPT = Layout("dialogues (ShareGPT)", ("conversations",), messages=("conversations",))
SPOKEN_PROMPTS = Layout(
    "prompts and completions as messages", ("prompt", "completion"), messages=("prompt", "completion")
)
ALPACA = Layout("Alpaca instructions", ("instruction", "input", "output"))
INSTRUCTIONS = Layout("instructions", ("instruction", "output"))
SUMMARIES = tuple(
    Layout("texts with summaries", (text, summary))
    for text in ("document", "article", "dialogue", "text")
    for summary in ("highlights", "summary", "target")
    if (text, summary) != ("text", "target")  # also the names of labels
)
RANKINGS = Layout("ranked responses", ("responses", "ranking"))
PROMPTS = Layout("prompts and completions", ("prompt", "completion"))
LAYOUTS = (  # the first match wins
    OPENAI_PAIRS,
    PAIRS,
    SPLIT_PAIRS,
    BARE_PAIRS,
    UNPAIRED,
    MESSAGES,
    SHARE_GPT,
    SPOKEN_PROMPTS,
    ALPACA,
    INSTRUCTIONS,
    *SUMMARIES,
    RANKINGS,
    PROMPTS,
)
