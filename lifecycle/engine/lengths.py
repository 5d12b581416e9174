"""How many tokens texts have, by a base model's own tokenizer. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

READ_CHARACTERS = 50_000  # of a text: what is longer is cut by every model here


def count_tokens(tokenizer_json: str, texts: Sequence[str]) -> list[int] | None:
    """Tokens of each text, special ones included; of what stands behind 50,000 characters none. None where the file is no tokenizer."""
    try:
        tokenizer = Tokenizer.from_str(tokenizer_json)
    except Exception:  # noqa: BLE001  the library raises no narrower kind
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [len(each) for each in tokenizer.encode_batch_fast([text[:READ_CHARACTERS] for text in texts])]
