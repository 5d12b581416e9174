"""feedback give, send."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option

from lifecycle.runtime.cli import batches, find
from lifecycle.runtime.cli.arguments import Start
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.refusals import Refusal
from lifecycle.runtime.words import things

Kind = Annotated[
    Literal["review", "override", "truth"],
    Option(help="a person reviewed it, a person acted otherwise, or the true label is known"),
]
noun = Noun("Feedback on predictions; needs a token with the scope feedback.")


@noun.verb
def give(
    session: Session,
    prediction: Annotated[str, Argument(metavar="PREDICTION", help="as `endpoints predict` prints it")],
    word: Annotated[Literal["right", "wrong"], Argument(help="whether it was correct")],
    label: Annotated[str, Option(help="of a wrong one: the correct label, if it is known")] = "",
    kind: Kind = "review",
) -> None:
    """Give feedback on one prediction."""
    try:
        uuid, index = named(prediction)
    except ValueError as error:
        raise Usage(str(error)) from error
    line = {"prediction": uuid, "index": index, "right": word == "right", "label": label, "kind": kind}
    try:  # as a batch of one: that waits for a prediction that hasn't arrived yet
        made = session.api.post("/feedback/", {"feedback": [line]}, twice=True)["results"][0]
    except Refusal as refusal:
        refusal.fields = {name.removeprefix("feedback.0."): texts for name, texts in refusal.fields.items()}
        raise
    session.screen.show(made, f"Saved: {word}{', ' + label if label else ''}.")


@noun.verb
def send(
    session: Session,
    file: Annotated[Path, Argument(metavar="JSONL", help="sent in batches of 1,000")],
    kind: Kind = "review",
    start: Start = 1,
) -> None:
    """Send a file of JSON lines.

    A line is {"prediction": "…", "right": false, "label": "refund"}, with "kind" where it isn't a review. The
    same line twice counts once.
    """
    sent = batches.send(
        session,
        file,
        start,
        lambda line: {"kind": kind} | shaped(line),
        lambda rows: session.api.post("/feedback/", {"feedback": rows}, twice=True),
    )
    session.screen.show({"sent": sent}, f"Feedback on {things(sent, 'prediction')} is saved.")


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
        raise ValueError(f"{text!r} isn't a prediction. Write it as `lifecycle endpoints predict` prints it.")
    return uuid, int(place or 0)
