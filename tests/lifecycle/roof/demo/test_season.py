"""Twelve weeks of messages: the same on every machine, calm for eight weeks, then speaking more and more of
the holidays.
"""

import hashlib
import random

from lifecycle.roof.demo import inbox, season


def test_the_same_seed_gives_the_same_past():
    joined = "\n".join(f"{sent.message.text} {sent.ago}" for sent in season.past())

    assert (
        hashlib.sha256(joined.encode()).hexdigest()
        == "0e6a939ac4d2024451fb9c1c86006c4f0646f7448a36dc390da9208f6cdadd1a"
    )


def test_every_week_has_its_messages_and_all_of_them_lie_in_the_past():
    past = season.past()

    assert len(past) == 12 * (5 * 90 + 2 * 60)
    assert all(past[at].ago >= past[at + 1].ago for at in range(len(past) - 1))
    assert past[-1].ago.total_seconds() > 0


def test_the_season_begins_in_week_nine_and_grows():
    past, week = season.past(), 5 * 90 + 2 * 60
    shares = [sum(sent.seasonal for sent in past[at * week : (at + 1) * week]) / week for at in range(12)]

    assert shares[:8] == [0] * 8
    assert [round(share, 1) for share in shares[8:]] == [0.3, 0.5, 0.6, 0.7]


def test_seasonal_messages_keep_the_intents_that_the_model_knows():
    assert {sent.message.intent for sent in season.past() if sent.seasonal} <= set(inbox.BY_NAME)


def test_a_case_on_the_right_desk_is_settled_at_once_more_often():
    draw = random.Random(1)
    shares = {
        right: sum(season.settled(draw, right=right) for _ in range(4_000)) / 4_000
        for right in (True, None, False)
    }

    assert shares[True] > shares[None] > shares[False]
