"""A text that comes in token by token is the whole text, and stops where it should."""

import pytest

from lifecycle.runtime.generation.reply import Reply

PIECES = {0: "Hello", 1: " world", 2: "  ", 3: "\n", 4: "!", 5: " END", 6: "EN", 7: "D", 8: "E"}


def decode(ids):
    """Bytes of tokens as text; tokens from 100 on are single bytes."""
    data = b"".join(bytes([each - 100]) if each >= 100 else PIECES[each].encode() for each in ids)
    return data.decode("utf-8", "replace")


def played(ids, stops=()):
    """The parts of a reply, the text, and how many tokens it took."""
    reply, parts, taken = Reply(decode, stops), [], 0
    for each in ids:
        parts.append(reply.add(each))
        taken += 1
        if reply.is_stopped:
            break
    parts.append(reply.end())
    assert "".join(parts) == reply.text
    return parts, reply.text, taken


def test_blanks_around_the_text_are_never_sent():
    parts, text, _ = played([2, 3, 0, 2, 1, 2, 3])

    assert text == "Hello   world"
    assert parts[:3] == ["", "", "Hello"]


@pytest.mark.parametrize("text", ["é", "🚒 card", "e\u0301", "日本語"])
def test_a_character_of_several_tokens_is_sent_whole(text):
    ids = [0, *(100 + each for each in text.encode()), 4]

    parts, found, _ = played(ids)

    assert found == f"Hello{text}!"
    assert all("\ufffd" not in each for each in parts)


def test_bytes_that_never_become_a_character_are_marked_at_the_end():
    assert played([0, 100 + 0xF0])[1] == "Hello\ufffd"


@pytest.mark.parametrize(
    ("ids", "stops", "text", "taken"),
    [
        ([0, 5, 1], ["END"], "Hello", 2),
        ([0, 6, 7, 1], ["END"], "Hello", 3),
        ([0, 6, 8, 6, 7], ["END"], "HelloENE", 5),
        ([0, 6, 6, 1], ["END"], "HelloENEN world", 4),
        ([0, 1, 4], ["!", "world"], "Hello", 2),
        ([0, 6], ["END"], "HelloEN", 2),
    ],
)
def test_a_stop_text_ends_the_reply_wherever_tokens_divide_it(ids, stops, text, taken):
    assert played(ids, stops)[1:] == (text, taken)
