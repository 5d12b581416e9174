"""The demo's messages are the same on every machine, all different, and hard in the planted places."""

import hashlib
from collections import Counter

from lifecycle.roof.demo import inbox


def test_the_same_seed_gives_the_same_messages():
    joined = "\n".join(message.text for message in inbox.messages(2_500))

    assert (
        hashlib.sha256(joined.encode()).hexdigest()
        == "898072e3e6b11de9bbb7cee646a9326573248cb91b2347c71aa3f0c67a6e28dc"
    )


def test_no_message_comes_twice():
    texts = [message.text.casefold() for message in inbox.messages(2_500)]

    assert len(set(texts)) == 2_500


def test_every_intent_occurs_and_names_a_neighbour_that_exists():
    counts = Counter(message.intent for message in inbox.messages(2_500))

    assert set(counts) == set(inbox.BY_NAME)
    assert min(counts.values()) > 50
    assert all(intent.close in inbox.BY_NAME and intent.close != intent.name for intent in inbox.INTENTS)


def test_annotators_disagree_mostly_where_a_message_is_hard():
    messages = inbox.messages(600)
    split = [m for m in messages if len({inbox.answer(m, name) for name in ("ana", "ben", "chloe")}) > 1]
    hard = sum(m.hard for m in split)

    assert (hard, len(split)) == (43, 124)
    assert sum(m.hard for m in messages) == 52


def test_an_annotator_labels_the_same_message_the_same():
    message = inbox.messages(1)[0]

    assert inbox.answer(message, "ana") == inbox.answer(message, "ana")
