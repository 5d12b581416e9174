"""A fictional support inbox: messages composed by a seeded generator. Same seed, same messages. Pure.

Each intent has its own cores; openers, details and endings are shared, so that a model has to learn what
matters. Some messages touch two intents that people mix up, and some are typed in haste: that is where
annotators disagree.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

SEED = 20261124


@dataclass(frozen=True)
class Intent:
    """What a customer wants. cores: phrasings. close: the intent that people confuse it with, and how to
    distinguish them.
    """

    name: str
    group: str
    definition: str
    cores: tuple[str, ...]
    close: str
    note: str


@dataclass(frozen=True)
class Message:
    """One message. intent: what the customer meant. hard: whether it also sounds like the intent that is
    close.
    """

    number: int
    text: str
    intent: str
    hard: bool
    channel: str
    received_at: str


INTENTS = (
    Intent(
        "order_status",
        "Orders",
        "Asks where an order is or when it comes, and nothing is late yet.",
        (
            "where is my {thing}",
            "can you tell me when the {thing} will arrive",
            "what is the status of order {order}",
            "has my {thing} been sent already",
            "I would like to track order {order}",
            "which day will you deliver the {thing}",
            "is order {order} on its way",
        ),
        "delivery_late",
        "A date that has passed makes it delivery_late.",
    ),
    Intent(
        "delivery_late",
        "Orders",
        "A promised date has passed and the order has not come.",
        (
            "the {thing} should have been here {ago}",
            "order {order} is still not here after {days} days",
            "you promised delivery {ago} and nothing came",
            "my {thing} is {days} days late",
            "I have been waiting for the {thing} since {ago}",
            "the delivery date of order {order} passed and there is no parcel",
        ),
        "order_status",
        "No date has passed: order_status.",
    ),
    Intent(
        "cancel_order",
        "Orders",
        "Wants to stop an order before it is delivered.",
        (
            "please cancel order {order}",
            "I do not want the {thing} any more, stop the order",
            "can I still cancel the {thing}",
            "I ordered the {thing} by mistake, please take it out",
            "cancel my purchase of the {thing} before it ships",
            "I changed my mind about order {order}",
        ),
        "return_item",
        "The item has arrived already: return_item.",
    ),
    Intent(
        "change_address",
        "Orders",
        "Wants another delivery address for an order or for the account.",
        (
            "please send order {order} to my new address",
            "I have moved, how do I change the delivery address",
            "the street on order {order} is wrong",
            "can the {thing} go to my office instead",
            "update the address for my {thing}",
            "I gave the wrong house number for order {order}",
        ),
        "order_status",
        "Asks only where it is: order_status.",
    ),
    Intent(
        "damaged_item",
        "Returns",
        "What arrived is broken or does not work.",
        (
            "the {thing} arrived broken",
            "my {thing} has a crack",
            "the {thing} does not switch on",
            "the box was crushed and the {thing} is scratched",
            "order {order} came damaged",
            "the {thing} stopped working after {days} days",
        ),
        "wrong_item",
        "It works but is another item: wrong_item.",
    ),
    Intent(
        "wrong_item",
        "Returns",
        "Another item, size or colour than ordered has arrived.",
        (
            "I got a {other} instead of the {thing}",
            "you sent the wrong colour of the {thing}",
            "order {order} contains someone else's {thing}",
            "this is not the {thing} I ordered",
            "the {thing} has the wrong size",
            "there is a {other} in the parcel, I ordered a {thing}",
        ),
        "damaged_item",
        "It is what was ordered, but broken: damaged_item.",
    ),
    Intent(
        "return_item",
        "Returns",
        "Wants to send back something that arrived and works.",
        (
            "how do I send the {thing} back",
            "I want to return the {thing}",
            "please send me a return label for order {order}",
            "the {thing} is not what I expected, can I give it back",
            "until when can I return the {thing}",
            "I would like to bring back the {thing}",
        ),
        "refund_status",
        "It is on its way back and the money is asked for: refund_status.",
    ),
    Intent(
        "refund_status",
        "Money",
        "Has returned or cancelled and asks for the money.",
        (
            "when do I get my money for the {thing}",
            "I sent the {thing} back {ago} and there is no refund",
            "the refund for order {order} has not reached my account",
            "you took the {thing} back, where is my money",
            "how long does a refund take",
            "I am still waiting for the refund of order {order}",
        ),
        "return_item",
        "Nothing was sent back yet: return_item.",
    ),
    Intent(
        "charged_twice",
        "Money",
        "The same purchase was charged more than once, or too much.",
        (
            "you charged me twice for the {thing}",
            "order {order} was taken from my card two times",
            "my bank shows two payments for one {thing}",
            "I was billed more than the price of the {thing}",
            "there is a double charge for order {order}",
            "why do I see the amount twice",
        ),
        "refund_status",
        "One charge, and it should come back: refund_status.",
    ),
    Intent(
        "invoice_copy",
        "Money",
        "Needs an invoice or a corrected one.",
        (
            "please send me the invoice for order {order}",
            "I need a receipt for the {thing}",
            "the invoice has the wrong company name",
            "where can I download the bill for order {order}",
            "my accountant asks for the invoice of the {thing}",
            "can you add our VAT number to the invoice",
        ),
        "charged_twice",
        "The sum itself is wrong: charged_twice.",
    ),
    Intent(
        "login_problem",
        "Account",
        "Cannot get into the account, and the password is not the matter.",
        (
            "I cannot log in to my account",
            "the site says my account is locked",
            "the login page goes in circles",
            "I never get the login code",
            "my account is gone after the update",
            "it does not accept my e-mail when I sign in",
        ),
        "password_reset",
        "A forgotten or new password: password_reset.",
    ),
    Intent(
        "password_reset",
        "Account",
        "Has forgotten the password or wants a new one.",
        (
            "I forgot my password",
            "how do I set a new password",
            "the reset link for my password has expired",
            "please reset my password",
            "the e-mail with the new password never came",
            "I want to change the password of my account",
        ),
        "login_problem",
        "The password is right and still no entry: login_problem.",
    ),
)
BY_NAME = {intent.name: intent for intent in INTENTS}
THINGS = (
    "kettle",
    "desk lamp",
    "bookshelf",
    "headphones",
    "winter jacket",
    "coffee grinder",
    "bicycle light",
    "suitcase",
    "keyboard",
    "tent",
    "garden chair",
    "blender",
    "running shoes",
    "wall clock",
    "phone case",
    "rug",
    "monitor stand",
    "water bottle",
)
OPENERS = (
    "",
    "",
    "",
    "Hi, ",
    "Hello, ",
    "Good morning, ",
    "Hi there, ",
    "Dear team, ",
    "Hey, ",
    "Hello support, ",
    "Quick question: ",
)
ENDINGS = (
    "",
    "",
    "",
    ", thanks",
    ", please help",
    ". Thank you",
    ". I need this for the weekend",
    ". This is the second time I write",
    ". You can reach me by phone",
    ". Please answer soon",
    ". My customer number is {customer}",
)
AGO = ("last week", "on Monday", "three days ago", "two weeks ago", "yesterday", "on the 3rd", "last Friday")
BRIDGES = (" and ", ", also ", ". By the way, ", " because ")
CHANNELS = ("mail", "chat", "form")
HARD = 0.09  # of all messages: they also sound like the intent that is close


def messages(count: int, seed: int = SEED, *, start: int = 1) -> list[Message]:
    """`count` different messages, in order of arrival; about one in eleven also sounds like its similar
    intent.
    """
    draw = random.Random(seed)  # noqa: S311  a demo, no secret
    seen: set[str] = set()
    made: list[Message] = []
    while len(made) < count:
        number = start + len(made)
        intent = INTENTS[weighted(draw)]
        hard = draw.random() < HARD
        text = compose(draw, intent, hard)
        if text.casefold() not in seen:
            seen.add(text.casefold())
            made.append(Message(number, text, intent.name, hard, draw.choice(CHANNELS), moment(number)))
    return made


def weighted(draw: random.Random) -> int:
    """An index of INTENTS: the first ones come about three times as often as the last."""
    return draw.choices(
        range(len(INTENTS)), weights=[3 - 2 * at / (len(INTENTS) - 1) for at in range(len(INTENTS))]
    )[0]


def compose(draw: random.Random, intent: Intent, hard: bool) -> str:
    """A sentence or two."""
    text = fill(draw, draw.choice(intent.cores))
    if hard:
        other = fill(draw, draw.choice(BY_NAME[intent.close].cores))
        text = draw.choice(BRIDGES).join([text, other] if draw.random() < 0.5 else [other, text])
    return dress(draw, text)


def dress(draw: random.Random, text: str) -> str:
    """With a greeting, an ending and the odd slip of the finger."""
    text = draw.choice(OPENERS) + text + fill(draw, draw.choice(ENDINGS))
    if draw.random() < 0.12:
        text = typo(draw, text)
    if draw.random() < 0.75:
        text = text[0].upper() + text[1:]
    return text + (draw.choice(("?", ".", "!", "")) if text[-1].isalnum() else "")


def fill(draw: random.Random, text: str, things: Sequence[str] = THINGS) -> str:
    """Put things, numbers and times in their places."""
    thing, other = draw.sample(things, 2)
    return text.format(
        thing=thing,
        other=other,
        order=draw.randint(10_000, 99_999),
        customer=draw.randint(1_000, 9_999),
        days=draw.randint(2, 20),
        ago=draw.choice(AGO),
    )


def typo(draw: random.Random, text: str) -> str:
    """Two neighbouring letters of a longer word change places."""
    words = text.split(" ")
    long = [at for at, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    if not long:
        return text
    at = draw.choice(long)
    word, place = words[at], draw.randint(1, len(words[at]) - 3)
    words[at] = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return " ".join(words)


def moment(number: int) -> str:
    """The time of a message: eleven minutes apart, from 1 November 2026 on."""
    minutes = number * 11
    day, rest = divmod(minutes, 24 * 60)
    return f"2026-11-{1 + day % 28:02d}T{rest // 60:02d}:{rest % 60:02d}:00Z"


def answer(message: Message, annotator: str, seed: int = SEED) -> str:
    """An annotator's label: nearly always the right one; for hard messages often the similar one.
    Deterministic.
    """
    draw = random.Random(f"{seed}:{annotator}:{message.number}")  # noqa: S311
    error = {"ana": 0.03, "ben": 0.05, "chloe": 0.08}.get(annotator, 0.05)
    if draw.random() < (0.45 if message.hard else error):
        return BY_NAME[message.intent].close
    return message.intent
