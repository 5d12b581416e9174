"""How many tokens texts have, by a base model's own tokenizer: bounded, and none where the file is no
tokenizer of such texts.
"""

from __future__ import annotations

from tokenizers import Tokenizer, models, pre_tokenizers

from lifecycle.runtime.engine import lengths
from lifecycle.runtime.engine.lengths import count_tokens


def words(*known: str, unknown: str | None = "[UNK]") -> str:
    """A tokenizer file that knows these words."""
    vocabulary = {word: at for at, word in enumerate(["[UNK]", *known])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown or "[NONE]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str()


def test_each_text_is_counted():
    assert count_tokens(words("card", "lost"), ["card lost", "lost", "where is my card", ""]) == [2, 1, 4, 0]


def test_an_invalid_tokenizer_or_one_without_an_unknown_token_gives_nothing():
    assert count_tokens("{", ["card"]) is None
    assert count_tokens(words("card", unknown=None), ["card lost"]) is None


def test_so_many_characters_are_read_and_no_more(monkeypatch):
    monkeypatch.setattr(lengths, "READ_CHARACTERS", 9)
    monkeypatch.setattr(lengths, "ALL_CHARACTERS", 12)

    assert count_tokens(words("card", "lost"), ["card lost card", "card", "card"]) == [2, 1]
