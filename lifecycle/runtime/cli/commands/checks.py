"""checks: what people agree on and a reviewer accepts together, after a look at a sample of it."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.arguments import of_queue
from lifecycle.runtime.cli.screen import count, facts
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refused


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser(
        "checks", help="accept together what people agree on, after a look at a sample",
        description="For queues whose agreed answers wait until a reviewer accepts them. A sample is drawn, its items are looked at on "
        "their page, and then all that waited is accepted, if few enough of the sample were wrong.",
    ).add_subparsers(dest="what", metavar="WHAT", required=True)  # fmt: skip
    of_queue(group, common, "show", "what waits, and how far the sample is").set_defaults(run=show)
    new = of_queue(group, common, "draw", "draw a sample, by chance, without what you labelled yourself")
    new.add_argument("--size", type=int, default=50, metavar="N", help="items of the sample, 1 to 500 (default: 50)")
    new.add_argument("--tolerated", type=int, default=2, metavar="PERCENT", help="of it that may be wrong, 0 to 50 (default: 2)")
    new.set_defaults(run=draw)
    of_queue(group, common, "accept", "accept what waited when the sample was drawn and still does").set_defaults(run=accept)
    of_queue(group, common, "drop", "end the check and accept nothing").set_defaults(run=drop)


def show(session: Session) -> None:
    """Now."""
    queue = find.queue(session, session.args.queue)
    found = session.api.get(f"/labeling/queues/{queue['uuid']}/checks/")
    lines = [f"{count(found['waiting'], 'item')} on which people agree {'waits' if found['waiting'] == 1 else 'wait'} to be accepted."]
    if found["check"]:
        lines += ["", *told(session, queue, found["check"])]
    elif found["waiting"]:
        lines += [f"Draw a sample: lifecycle checks draw {queue['uuid']}"]
    session.screen.show(found, *lines)


def told(session: Session, queue: dict[str, Any], check: dict[str, Any]) -> list[str]:
    """How far a check is."""
    left = len(check["to_look_at"])
    size = check["right"] + check["wrong"] + left
    return facts([
        ("Sample", f"{count(size, 'item')} of {check['waiting']:,} that waited; up to {check['tolerated']} % may be wrong"),
        ("Accepts", accepts(check)),
        ("Earlier", earlier(check)),
        ("Looked at", f"{check['right']:,} right, {check['wrong']:,} wrong; {left:,} to go"),
        ("Look at", session.page(f"/labeling/{queue['uuid']}/review/?order=sample") if left else ""),
        ("Accept", "" if left else f"lifecycle checks accept {queue['uuid']}"),
    ])  # fmt: skip


def accepts(check: dict[str, Any]) -> str:
    """Which lots the sample accepts."""
    if check["accepted_in_95"] is None:
        return "no lot, since too many were wrong in earlier samples" if check["allowed"] < 0 else ""
    good, bad = check["accepted_in_95"] * 100, check["accepted_in_10"] * 100
    return f"with {check['allowed']:,} wrong or fewer: a lot with {good:.1f} % wrong 95 times in 100, one with {bad:.1f} % 10 times"


def earlier(check: dict[str, Any]) -> str:
    """What was found in earlier samples that count; nothing without any."""
    return f"{check['earlier_wrong']:,} of {check['earlier_judged']:,} wrong in samples that count too" if check["earlier_judged"] else ""


def draw(session: Session) -> None:
    """One at a time in a queue."""
    args, queue = session.args, find.queue(session, session.args.queue)
    made = session.api.post(f"/labeling/queues/{queue['uuid']}/checks/", {"size": args.size, "tolerated": args.tolerated})
    session.screen.show(made, *told(session, queue, made))


def under_way(session: Session, queue: dict[str, Any]) -> str:
    """The uuid of the check of a queue. Raises Refused without one."""
    found = session.api.get(f"/labeling/queues/{queue['uuid']}/checks/")["check"]
    if found is None:
        raise Refused(f"No sample of {queue['name']} was drawn.", next_step=f"Draw one: lifecycle checks draw {queue['uuid']}")
    return str(found["uuid"])


def accept(session: Session) -> None:
    """By a job, which is followed."""
    queue = find.queue(session, session.args.queue)
    check = under_way(session, queue)
    watching.follow_job(session, session.api.post(f"/labeling/checks/{check}/accept/")["uuid"])
    done = session.api.get(f"/labeling/checks/{check}/")
    lines = [f"{count(done['accepted'], 'item')} of {queue['name']} {'is' if done['accepted'] == 1 else 'are'} decided as people agreed."]
    if done["left_out"]:
        lines += [f"Left out, since you labelled them: {done['left_out']:,}."]
    session.screen.show(done, *lines)


def drop(session: Session) -> None:
    """What was decided in it stays."""
    queue = find.queue(session, session.args.queue)
    made = session.api.post(f"/labeling/checks/{under_way(session, queue)}/drop/")
    session.screen.show(made, f"The check of {queue['name']} is dropped; nothing was accepted.")
