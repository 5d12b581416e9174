"""gold: items whose answer is known, and how much of them a queue mixes in."""

from __future__ import annotations

import argparse
from typing import Any

from lifecycle.runtime.cli import classes, find
from lifecycle.runtime.cli.arguments import described, of_dataset, of_item, of_queue
from lifecycle.runtime.cli.commands import queues
from lifecycle.runtime.cli.screen import count, moment, table
from lifecycle.runtime.cli.session import Session

STATES = {"live": "mixed in", "suspect": "most people get it wrong", "new": "not asked yet", "retired": "taken back"}
MIXING = ("gold_rate", "gold_feedback", "gold_minimum", "gold_holds")


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("gold", help="items whose answer is known, to see how people do").add_subparsers(
        dest="what", metavar="WHAT", required=True
    )
    listing = of_dataset(group, common, "list", "what is known, newest first, and how people did on it")
    listing.add_argument("--state", choices=list(STATES), default="live", help=described(STATES) + " (default: live)")
    listing.set_defaults(run=list_)
    new = of_dataset(group, common, "set", "say what is known of an item; it takes the place of what was known before")
    of_item(new)
    said = new.add_mutually_exclusive_group(required=True)
    said.add_argument("--label", default="", metavar="CLASS", help="the class, where answers are one class")
    said.add_argument("--value", default="", metavar="JSON", help='the answer, classes by their names: \'{"labels": ["card"]}\'')
    new.add_argument("--explanation", default="", help="why, for whoever gets it wrong")
    new.set_defaults(run=set_)
    chance = of_dataset(group, common, "sample", "make gold of items that a reviewer decided, by chance")
    chance.add_argument("--per-class", type=int, required=True, metavar="N", help="items of each class, 1 to 50")
    chance.add_argument("--imported", action="store_true", help="those too whose decision came with a file")
    chance.set_defaults(run=sample)
    end = of_dataset(group, common, "retire", "take an item's gold back; answers to it stay")
    of_item(end)
    end.set_defaults(run=retire)
    rate = of_queue(group, common, "rate", "how much gold a queue mixes in, from the next item on; what is not given stays")
    rate.add_argument("gold_rate", type=int, metavar="PERCENT", help="of what each person gets, 0 to 30")
    yes_or_no = {"action": argparse.BooleanOptionalAction, "default": None}
    rate.add_argument("--feedback", dest="gold_feedback", help="tell people at once how they did", **yes_or_no)
    rate.add_argument("--minimum", dest="gold_minimum", type=int, metavar="PERCENT", help="that a person should get right; 0 for none")
    rate.add_argument("--holds", dest="gold_holds", help="who is below gets nothing new until a lead lets them go on", **yes_or_no)
    rate.set_defaults(run=mix)


def list_(session: Session) -> None:
    """All pages."""
    dataset = find.dataset(session, session.args.dataset)
    rows = list(session.api.every(f"/labeling/datasets/{dataset['uuid']}/gold/", state=session.args.state))
    lines = table(
        ["ITEM", "KNOWN", "ASKED", "RIGHT", "SET"],
        [(row["item"], row["words"], row["asked"], row["right"], moment(row["created_at"])) for row in rows],
    )
    session.screen.show(rows, *(lines if rows else [f"No gold here that is {STATES[session.args.state]}."]))


def set_(session: Session) -> None:
    """One item."""
    args = session.args
    dataset = find.dataset(session, args.dataset)
    said = {"value": classes.value(args.value)} if args.value else {"label": classes.called(classes.newest(session, dataset), args.label)}
    item = find.item(session, dataset["uuid"], args.item)
    body = {"item": item, "explanation": args.explanation} | said
    made = session.api.post(f"/labeling/datasets/{dataset['uuid']}/gold/", body, twice=True)
    session.screen.show(made, f"{args.item} is known to be: {made['words']}")


def sample(session: Session) -> None:
    """Out of what is decided."""
    args = session.args
    dataset = find.dataset(session, args.dataset)
    body = {"per_class": args.per_class, "imported": args.imported}
    made = session.api.post(f"/labeling/datasets/{dataset['uuid']}/gold/sample/", body)
    session.screen.show(made, f"{count(made['made'], 'item')} became gold.")


def retire(session: Session) -> None:
    """One item; twice changes nothing more."""
    args = session.args
    dataset = find.dataset(session, args.dataset)
    body = {"item": find.item(session, dataset["uuid"], args.item)}
    made = session.api.post(f"/labeling/datasets/{dataset['uuid']}/gold/retire/", body, twice=True)
    session.screen.show(made, f"{args.item} is gold no more." if made["retired"] else f"{args.item} was no gold.")


def mix(session: Session) -> None:
    """What is given, beside what the queue has."""
    args, queue = session.args, find.queue(session, session.args.queue)
    given = {name: getattr(args, name) for name in MIXING if getattr(args, name) is not None}
    body = {name: queue[name] for name in MIXING} | given
    body["gold_minimum"] = body["gold_minimum"] or None
    made = session.api.post(f"/labeling/queues/{queue['uuid']}/gold/", body, twice=True)
    session.screen.show(made, f"Gold in {made['name']}: {queues.gold(made)}.")
