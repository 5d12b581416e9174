"""feedback: one word on one answer, or a file of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lifecycle.cli import batches, find
from lifecycle.cli.errors import Usage
from lifecycle.cli.screen import count
from lifecycle.cli.session import Session
from lifecycle.refusals import Refusal

KINDS = ("review", "override", "truth")
WORDS = {"right": True, "wrong": False}


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    say = commands.add_parser(
        "feedback", parents=[common], help="say whether answers were right; needs a token with the scope feedback",
        description="Say whether an answer was right, or send a file of JSON lines: "
        '{"prediction": "…", "right": false, "label": "refund"}, with "kind" where it is no review. A line that is sent twice counts once.',
    )  # fmt: skip
    say.add_argument("prediction", nargs="?", default="", metavar="PREDICTION", help="as `predict` prints it")
    say.add_argument("word", nargs="?", choices=list(WORDS), help="whether the answer was right")
    say.add_argument("--label", default="", help="of a wrong answer: the right label, where it is known")
    say.add_argument(
        "--kind", choices=KINDS, default="review",
        help="review: somebody looked; override: somebody acted otherwise; truth: it turned out so (default: review)",
    )  # fmt: skip
    say.add_argument("--file", type=Path, metavar="JSONL", help="many of them, sent in batches of 1,000")
    say.add_argument("--from", dest="start", type=int, default=1, metavar="LINE", help="the line to begin with, to go on after a stop")
    say.set_defaults(run=feedback)


def feedback(session: Session) -> None:
    """One, or all of a file."""
    args = session.args
    if args.file and not args.prediction:
        sent = batches.send(
            session, args.file, args.start, lambda line: {"kind": args.kind} | shaped(line),
            lambda rows: session.api.post("/feedback/", {"feedback": rows}, twice=True),
        )  # fmt: skip
        return session.screen.show({"sent": sent}, f"Feedback on {count(sent, 'answer')} is noted.")
    if args.file or not args.prediction or not args.word:
        raise Usage("Say which answer, and right or wrong: lifecycle feedback PREDICTION wrong --label refund. Or give --file alone.")
    try:
        prediction, index = named(args.prediction)
    except ValueError as error:
        raise Usage(str(error)) from error
    line = {"prediction": prediction, "index": index, "right": WORDS[args.word], "label": args.label, "kind": args.kind}
    try:  # as a batch of one: there an answer that has not arrived yet is waited for
        made = session.api.post("/feedback/", {"feedback": [line]}, twice=True)["results"][0]
    except Refusal as refusal:
        refusal.fields = {name.removeprefix("feedback.0."): texts for name, texts in refusal.fields.items()}
        raise
    return session.screen.show(made, f"Noted: {args.word}{', ' + args.label if args.label else ''}.")


def shaped(line: dict[str, Any]) -> dict[str, Any]:
    """A line as the API takes it. Raises ValueError."""
    if not isinstance(line.get("right"), bool):
        raise ValueError('"right" must be true or false.')
    prediction, index = named(str(line.get("prediction", "")))
    return {**line, "prediction": prediction, "index": line.get("index", index)}


def named(text: str) -> tuple[str, int]:
    """The id of a request and the place of the text in it: 5d0c…:3. Raises ValueError."""
    uuid, _, place = text.partition(":")
    if not find.is_uuid(uuid) or (place and not (place.isascii() and place.isdecimal())):
        raise ValueError(f"{text!r} is no prediction. Write it as `lifecycle predict` prints it.")
    return uuid, int(place or 0)
