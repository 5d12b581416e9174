"""The layouts in which fine-tuners keep their data, recognised by the names of columns and the first rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

YES_NO = {"true", "false", "1", "0", "yes", "no"}


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to lay out data. columns: by plain name. messages: which of them hold messages, not texts. yes_no: the one of true or false.

    What a column is used for, a task says that takes the layout.
    """

    name: str
    columns: tuple[str, ...]
    messages: tuple[str, ...] = ()
    yes_no: str = ""

    def fits(self, names: Sequence[str], cells: Mapping[str, Sequence[str]]) -> bool:
        """Whether a file has these columns and they hold what they should."""
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
    "preference pairs without a prompt, split where the two dialogues part", ("chosen", "rejected"), messages=("chosen", "rejected")
)
BARE_PAIRS = Layout("preference pairs without a prompt", ("chosen", "rejected"))
UNPAIRED = Layout("unpaired preferences, one response with true or false", ("prompt", "completion", "label"), yes_no="label")
MESSAGES = Layout("dialogues (messages)", ("messages",), messages=("messages",))
SHARE_GPT = Layout("dialogues (ShareGPT)", ("conversations",), messages=("conversations",))
SPOKEN_PROMPTS = Layout("prompts and completions as messages", ("prompt", "completion"), messages=("prompt", "completion"))
ALPACA = Layout("Alpaca instructions", ("instruction", "input", "output"))
INSTRUCTIONS = Layout("instructions", ("instruction", "output"))
SUMMARIES = tuple(
    Layout("texts and their summaries", (text, summary))
    for text in ("document", "article", "dialogue", "text")
    for summary in ("highlights", "summary", "target")
    if (text, summary) != ("text", "target")  # which labels are called as well
)
RANKINGS = Layout("responses in order", ("responses", "ranking"))
PROMPTS = Layout("prompts and completions", ("prompt", "completion"))
LAYOUTS = (  # the first that fits is the one
    OPENAI_PAIRS, PAIRS, SPLIT_PAIRS, BARE_PAIRS, UNPAIRED, MESSAGES, SHARE_GPT, SPOKEN_PROMPTS, ALPACA, INSTRUCTIONS, *SUMMARIES, RANKINGS,
    PROMPTS,
)  # fmt: skip
