"""queues: work to be labelled. Listed with how far it is, opened, paused, resumed, closed."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.arguments import described, of_queue
from lifecycle.runtime.cli.screen import count, facts, table
from lifecycle.runtime.cli.session import Session

STATES = ("open", "paused", "closed")
SOURCES = {
    "undecided": "items without a decision", "all": "all items", "upload": "those of one upload", "items": "chosen items",
    "slice": "what a slice chooses",
}  # fmt: skip
OTHERS = {"brought": "what came answered with a file"}
ORDERS = {
    "given": "as the items came", "random": "by chance", "uncertain": "what suggestions are least sure of first",
    "learnt": "what the built-in model is least sure of first", "disputed": "where answers or suggestions disagree first",
}  # fmt: skip
ACCEPTANCES = {"rule": "agreed answers are decided at once", "reviewer": "agreed answers wait until a reviewer accepts them"}
TOLD = {"pause": "is paused", "resume": "is open again", "close": "is closed"}


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser(
        "queues", help="work to be labelled: what there is, how far it is, and new work",
        description="A queue is called by its name, by DATASET/NAME where several datasets have one of that name, or by its uuid.",
    ).add_subparsers(dest="what", metavar="WHAT", required=True)  # fmt: skip
    listing = group.add_parser("list", parents=[common], help="all that you may see, newest first")
    listing.add_argument("dataset", nargs="?", default="", metavar="DATASET", help="of this dataset alone, by slug or uuid")
    listing.add_argument("--state", default="", choices=STATES, help="in this state alone")
    listing.set_defaults(run=list_)
    of_queue(group, common, "show", "one queue and how far it is").set_defaults(run=show)
    add_open(group, common)
    add_change(group, common)
    of_queue(group, common, "pause", "give out nothing new; answers on a screen still count").set_defaults(run=move)
    of_queue(group, common, "resume", "give out items again").set_defaults(run=move)
    of_queue(group, common, "close", "end it for good; answers stay").set_defaults(run=move)


def add_open(group: Any, common: Any) -> None:
    """The command that opens one."""
    new = group.add_parser("open", parents=[common], help="new work, with the newest classes of a dataset")
    new.add_argument("dataset", metavar="DATASET", help="slug or uuid")
    new.add_argument("name", metavar="NAME", help="such as 'Batch 2'")
    new.add_argument("--source", choices=list(SOURCES), help="which items: " + described(SOURCES) + " (default: undecided)")
    new.add_argument("--upload", default="", metavar="UUID", help="the items of this upload")
    new.add_argument("--slice", default="", metavar="SLICE", help="the items that this slice chooses now, by name or uuid")
    new.add_argument("--item", action="append", default=[], metavar="ITEM", help="this item, by its id or uuid; several times for more")
    new.add_argument("--overlap", type=int, default=1, metavar="N", help="people who answer each item, 1 to 5 (default: 1)")
    new.add_argument("--order", choices=list(ORDERS), default="given", help="of the items: " + described(ORDERS) + " (default: given)")
    new.add_argument("--person", action="append", default=[], metavar="NAME", help="who alone gets its items; may be given several times")
    new.add_argument("--acceptance", choices=list(ACCEPTANCES), default="rule", help=described(ACCEPTANCES) + " (default: rule)")
    new.add_argument("--hidden-share", type=int, default=20, metavar="PERCENT", help="of items without suggestions (default: 20)")
    new.add_argument("--due", default="", metavar="DATE", help="until when it should be done, such as 2026-12-24")
    new.add_argument("--gold-rate", type=int, default=0, metavar="PERCENT", help="of what people get whose answer is known, up to 30")
    new.add_argument("--gold-feedback", action="store_true", help="tell people at once how they did on gold")
    new.add_argument("--gold-minimum", type=int, metavar="PERCENT", help="of gold that a person should get right")
    new.add_argument("--gold-holds", action="store_true", help="who is below gets nothing new until a lead lets them go on")
    new.set_defaults(run=open_)


def add_change(group: Any, common: Any) -> None:
    """The command that changes one that is open."""
    other = of_queue(group, common, "change", "another order, day or people; what somebody holds stays theirs")
    other.add_argument("--order", choices=list(ORDERS), help="of what is open")
    day = other.add_mutually_exclusive_group()
    day.add_argument("--due", default="", metavar="DATE", help="until when it should be done, such as 2026-12-24")
    day.add_argument("--no-due", action="store_true", help="no day any more")
    who = other.add_mutually_exclusive_group()
    who.add_argument("--person", action="append", default=[], metavar="NAME", help="who alone gets its items; may be given several times")
    who.add_argument("--everybody", action="store_true", help="everybody who may annotate")
    other.set_defaults(run=change)


def list_(session: Session) -> None:
    """Newest first."""
    args = session.args
    dataset = find.dataset(session, args.dataset) if args.dataset else None
    project = find.project(session)
    rows = list(session.api.every("/labeling/queues/", dataset=dataset["uuid"] if dataset else "", project=project, state=args.state))
    known = [dataset] if dataset else session.api.every("/datasets/", project=project) if rows else []
    slugs = {each["uuid"]: each["slug"] for each in known}
    lines = table(
        ["QUEUE", "DATASET", "STATE", "ANSWERS", "DECIDED", "TO SETTLE", "TO ACCEPT", "DUE"],
        [
            (row["name"], slugs.get(row["dataset"], row["dataset"]), row["state"], share(row["slots_done"], row["slots_total"]),
             share(row["items_decided"], row["items_total"]), row["items_disputed"], row["items_agreed"], row["due_on"] or "")
            for row in rows
        ],
    )  # fmt: skip
    session.screen.show(rows, *(lines if rows else ["No queues. Open one: lifecycle queues open DATASET NAME"]))


def share(done: int, total: int) -> str:
    """12 of 24."""
    return f"{done:,} of {total:,}"


def show(session: Session) -> None:
    """What it asks and how far it is."""
    found = find.queue(session, session.args.queue)
    session.screen.show(found, *told(session, found))


def told(session: Session, found: dict[str, Any]) -> list[str]:
    """For people."""
    waits = found["items_agreed"] or found["acceptance"] == "reviewer"
    return facts([
        ("Queue", f"{found['name']}, {found['state']}"),
        ("Dataset", session.api.get(f"/datasets/{found['dataset']}/")["slug"]),
        ("Answers", f"{share(found['slots_done'], found['slots_total'])}; {found['overlap']} an item"),
        ("Decided", f"{share(found['items_decided'], found['items_total'])} items"),
        ("To settle", count(found["items_disputed"], "item")),
        ("To accept", count(found["items_agreed"], "item") if waits else ""),
        ("Items", {**SOURCES, **OTHERS}.get(found["source"], found["source"])),
        ("Order", ORDERS.get(found["order"], found["order"])),
        ("Acceptance", ACCEPTANCES.get(found["acceptance"], found["acceptance"])),
        ("People", ", ".join(each["username"] for each in found["people"]) or "all who may annotate"),
        ("Hidden", f"suggestions of {found['hidden_share']} % of the items"),
        ("Gold", gold(found)),
        ("Due", found["due_on"]),
        ("Page", session.page(f"/labeling/{found['uuid']}/")),
    ])  # fmt: skip


def gold(found: dict[str, Any]) -> str:
    """How gold is mixed in."""
    if not found["gold_rate"]:
        return "none"
    parts = [f"{found['gold_rate']} % of what people get"]
    parts += ["they are told at once"] if found["gold_feedback"] else []
    parts += [f"at least {found['gold_minimum']} % right"] if found["gold_minimum"] else []
    return "; ".join(parts + (["who is below waits for a lead"] if found["gold_holds"] else []))


def open_(session: Session) -> None:
    """With all that the API takes."""
    args = session.args
    dataset = find.dataset(session, args.dataset)
    body = {
        "dataset": dataset["uuid"], "name": args.name, "source": args.source or implied(args), "overlap": args.overlap,
        "order": args.order, "acceptance": args.acceptance, "hidden_share": args.hidden_share, "due_on": args.due or None,
        "upload": args.upload or None, "slice": slice_of(session, dataset, args.slice) if args.slice else None,
        "items": [find.item(session, dataset["uuid"], item) for item in args.item],
        "people": people(session, dataset, args.person), "gold_rate": args.gold_rate, "gold_feedback": args.gold_feedback,
        "gold_minimum": args.gold_minimum, "gold_holds": args.gold_holds,
    }  # fmt: skip
    made = session.api.post("/labeling/queues/", body)
    holds = f"{count(made['items_total'], 'item')}, {count(made['slots_total'], 'answer')} to give" if made["items_total"] else ""
    session.screen.show(
        made,
        f"{made['name']} is open: {holds or 'a job puts its items in'}.",
        f"Page: {session.page('/labeling/' + made['uuid'] + '/')}",
    )


def change(session: Session) -> None:
    """What was said; the rest stays."""
    args = session.args
    found = find.queue(session, args.queue)
    dataset = session.api.get(f"/datasets/{found['dataset']}/")
    named = [] if args.everybody else people(session, dataset, args.person) or [each["uuid"] for each in found["people"]]
    body = {"order": args.order or found["order"], "due_on": None if args.no_due else args.due or found["due_on"], "people": named}
    made = session.api.put(f"/labeling/queues/{found['uuid']}/", body)
    session.screen.show(made, *told(session, made))


def implied(args: Any) -> str:
    """Which items, where it was not said."""
    return "slice" if args.slice else "upload" if args.upload else "items" if args.item else "undecided"


def slice_of(session: Session, dataset: dict[str, Any], name: str) -> str:
    """The uuid of a slice, by name or uuid."""
    if find.is_uuid(name):
        return name
    rows = [row for row in session.api.every(f"/datasets/{dataset['uuid']}/slices/") if row["name"] == name]
    return str(find.only(rows, f"slice {name} of {dataset['slug']}")["uuid"])


def people(session: Session, dataset: dict[str, Any], names: list[str]) -> list[str]:
    """The uuids of people who may annotate in the dataset, by user name or uuid."""
    rows = session.api.get(f"/labeling/datasets/{dataset['uuid']}/annotators/") if names else []
    return [
        str(find.only([row for row in rows if name in (row["username"], row["uuid"])], f"annotator {name} of {dataset['slug']}")["uuid"])
        for name in names
    ]


def move(session: Session) -> None:
    """Into another state; the same again changes nothing."""
    found = find.queue(session, session.args.queue)
    made = session.api.post(f"/labeling/queues/{found['uuid']}/{session.args.what}/", twice=True)
    session.screen.show(made, f"{made['name']} {TOLD[session.args.what]}.")
