"""How many tokens texts have, by a base model's own tokenizer. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokenizers import Tokenizer

ALL_CHARACTERS = 5_000_000
READ_CHARACTERS = 50_000  # of a text: what is longer is cut by every model here


def count_tokens(tokenizer_json: str, texts: Sequence[str]) -> list[int] | None:
    """Tokens of each text, special ones included; of what is behind 50,000 characters none, and of the first
    5 million of all alone. None where the file is no tokenizer of such texts.
    """
    try:
        tokenizer = Tokenizer.from_str(tokenizer_json)
    except Exception:  # noqa: BLE001  the library raises no narrower kind
        return None
    read = list(within(texts))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    try:
        return [len(each) for each in tokenizer.encode_batch_fast(read)]
    except Exception:  # noqa: BLE001  such as a vocabulary without its own unknown token
        return None


def within(texts: Sequence[str]) -> Iterator[str]:
    """The texts as they are counted: so many that a person who waits does not wait long."""
    left = ALL_CHARACTERS
    for text in texts:
        if left <= 0:
            return
        yield text[:READ_CHARACTERS]
        left -= min(len(text), READ_CHARACTERS)
