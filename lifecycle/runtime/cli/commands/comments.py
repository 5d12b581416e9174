"""comments: what people write to each other about items of a queue."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.arguments import of_item, of_queue
from lifecycle.runtime.cli.screen import moment, plain
from lifecycle.runtime.cli.session import Session


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser(
        "comments", help="what people write to each other about items of a queue",
        description="Before you have answered an item, you read only what was written to you about it, as on the pages.",
    ).add_subparsers(dest="what", metavar="WHAT", required=True)  # fmt: skip
    listing = of_queue(group, common, "list", "the open conversations that you may read, newest first")
    listing.add_argument("--state", choices=["open", "resolved"], default="open", help="default: open")
    listing.add_argument("--item", default="", metavar="ITEM", help="about this item, by the id that it came with or uuid")
    listing.add_argument("--flags", action="store_true", help="those alone that began with a flag")
    listing.add_argument("--mine", action="store_true", help="those alone in which you wrote")
    listing.add_argument("--mentioning", action="store_true", help="those alone that mention you")
    listing.set_defaults(run=list_)
    new = of_queue(group, common, "write", "say something about an item; whom the text mentions by @name is told")
    of_item(new)
    new.add_argument("text", metavar="TEXT", help="what you say")
    new.add_argument("--reply-to", default="", metavar="COMMENT", help="the uuid of the comment that this answers")
    new.set_defaults(run=write)
    end = of_queue(group, common, "resolve", "settle a conversation: who began it, and those who manage labels")
    end.add_argument("comment", metavar="COMMENT", help="the uuid of any of its comments")
    end.add_argument("--reopen", action="store_true", help="open it again")
    end.set_defaults(run=resolve)


def list_(session: Session) -> None:
    """Each with its answers."""
    args, queue = session.args, find.queue(session, session.args.queue)
    wanted = {name: "true" for name in ("flags", "mine", "mentioning") if getattr(args, name)}
    item = find.item(session, queue["dataset"], args.item) if args.item else ""
    rows = list(session.api.every(f"/labeling/queues/{queue['uuid']}/comments/", state=args.state, item=item, **wanted))
    lines = [line for row in rows for line in thread(row)]
    session.screen.show(rows, *(lines or [f"No {args.state} conversation that you may read."]))


def thread(row: dict[str, Any]) -> list[str]:
    """One conversation."""
    head = f"{row['uuid']}  about item {row['item']}"
    return [head, *(f"  {said(line)}" for line in [row["first"], *row["answers"]] if line)]


def said(line: dict[str, Any]) -> str:
    """One comment."""
    kind = " (flag)" if line["is_flag"] else " (sent back)" if line["is_return"] else ""
    return plain(f"{moment(line['created_at'])} {line['by']}{kind}: {line['text']}")


def write(session: Session) -> None:
    """One comment, or an answer to one."""
    args, queue = session.args, find.queue(session, session.args.queue)
    body = {"item": find.item(session, queue["dataset"], args.item), "text": args.text, "reply_to": args.reply_to or None}
    made = session.api.post(f"/labeling/queues/{queue['uuid']}/comments/", body)
    session.screen.show(made, f"Said: {made['uuid']}")


def resolve(session: Session) -> None:
    """Once it is settled, or to open it again."""
    args, queue = session.args, find.queue(session, session.args.queue)
    body = {"comment": args.comment, "resolved": not args.reopen}
    made = session.api.post(f"/labeling/queues/{queue['uuid']}/comments/resolve/", body, twice=True)
    session.screen.show(made, "The conversation is open again." if args.reopen else "The conversation is resolved.")
