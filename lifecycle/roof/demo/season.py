"""Twelve weeks of the fictional inbox: messages a day, and from week nine on holiday messages. Pure.

The seasonal messages keep their twelve intents but cover gifts, vouchers and wrapping, and other intents
become frequent: labels, length and words all move, and a model that never saw them makes more mistakes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from lifecycle.roof.demo import inbox
from lifecycle.roof.demo.inbox import Intent, Message

WEEKS, CALM_WEEKS = 12, 8
WEEKDAY, WEEKEND = 90, 60  # messages a day
SHARES = (0.35, 0.5, 0.6, 0.7)  # of seasonal messages in weeks 9 to 12
GIFTS = (
    "advent calendar",
    "gift voucher",
    "hamper",
    "fairy lights",
    "gift card",
    "board game",
    "scented candle",
    "nativity set",
)
SEASON: dict[str, tuple[str, ...]] = {
    "order_status": (
        "will the {thing} be here before Christmas Eve",
        "is the {thing} under the tree on time if I order express",
        "last posting day for the {thing} before the holidays",
        "has Santa picked up the {thing} yet, order {order}",
    ),
    "change_address": (
        "we spend the holidays at my parents, can the {thing} go there",
        "please gift wrap order {order} and post it straight to my sister",
    ),
    "return_item": (
        "can the person who gets the {thing} exchange it after the holidays",
        "does the {thing} come with an exchange slip in the wrapping",
        "my aunt already has the {thing}, may she swap it in January",
    ),
    "refund_status": (
        "the voucher for the {thing} was redeemed and the rest of the credit is gone",
        "remaining credit on my {thing} after Black Friday",
    ),
    "charged_twice": (
        "the Black Friday discount is not on the {thing} in order {order}",
        "promo code for the {thing} did not come off the total",
    ),
    "invoice_copy": (
        "gift receipt without a price for the {thing} please",
        "can the {thing} go out with a greeting card instead of the bill",
    ),
}
WEIGHTS = {
    "order_status": 4,
    "change_address": 1,
    "return_item": 4,
    "refund_status": 2,
    "charged_twice": 3,
    "invoice_copy": 2,
}


@dataclass(frozen=True)
class Sent:
    """A message and its age."""

    message: Message
    ago: timedelta
    seasonal: bool


def past(seed: int = inbox.SEED + 9) -> list[Sent]:
    """Every message of the twelve weeks, oldest first. The newest is some hours old."""
    draw = random.Random(seed)  # noqa: S311  a demo, no secret
    made: list[Sent] = []
    for day in range(7 * WEEKS):
        week, back = day // 7, 7 * WEEKS - day
        count = WEEKEND if day % 7 >= 5 else WEEKDAY
        moments = sorted(draw.uniform(7, 22) for _ in range(count))
        seasonal = SHARES[week - CALM_WEEKS] if week >= CALM_WEEKS else 0.0
        for hour in moments:
            is_seasonal = draw.random() < seasonal
            made.append(
                Sent(
                    write(draw, len(made) + 1, seasonal=is_seasonal),
                    timedelta(days=back, hours=-hour),
                    is_seasonal,
                )
            )
    return made


def write(draw: random.Random, number: int, *, seasonal: bool) -> Message:
    """One message."""
    if not seasonal:
        intent = inbox.INTENTS[inbox.weighted(draw)]
        hard = draw.random() < inbox.HARD
        return message(number, intent, inbox.compose(draw, intent, hard), hard, draw)
    intent = inbox.BY_NAME[draw.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]]
    text = inbox.fill(draw, draw.choice(SEASON[intent.name]), GIFTS)
    return message(number, intent, inbox.dress(draw, text), False, draw)


def message(number: int, intent: Intent, text: str, hard: bool, draw: random.Random) -> Message:
    """The message as the inbox has it; Sent has its time."""
    return Message(number, text, intent.name, hard, draw.choice(inbox.CHANNELS), "")


def settled(draw: random.Random, *, right: bool | None) -> bool:
    """Whether a case was settled at the first contact: most often where it went to the right desk. right
    None: a person sorted it.
    """
    return draw.random() < (0.74 if right is None else 0.83 if right else 0.42)
