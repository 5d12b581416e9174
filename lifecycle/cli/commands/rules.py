"""rules: words and expressions that suggest classes. Tried on a sample, published, applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lifecycle.cli import classes, find, watching
from lifecycle.cli.arguments import of_dataset
from lifecycle.cli.errors import Usage
from lifecycle.cli.screen import count, percent, plain, table
from lifecycle.cli.session import Session

FEWEST = 20  # decided hits from which a precision says anything
SHORT = 60  # characters of a pattern in the list


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("rules", help="words and expressions that suggest classes").add_subparsers(
        dest="what", metavar="WHAT", required=True
    )
    of_dataset(group, common, "list", "the rules in force, oldest first").set_defaults(run=list_)
    test = of_dataset(group, common, "try", "what a pattern hits in a sample, and how often it is right; nothing is kept")
    of_pattern(test)
    test.add_argument("--label", default="", metavar="CLASS", help="the class that it would suggest, to see how often it is right")
    test.set_defaults(run=try_)
    new = of_dataset(group, common, "publish", "put a rule in force, or its next version with --changes")
    new.add_argument("name", metavar="NAME", help="such as 'Lost cards'")
    of_pattern(new)
    new.add_argument("--label", required=True, metavar="CLASS", help="the class that it suggests")
    new.add_argument("--changes", default="", metavar="RULE", help="the rule in force that it takes the place of, by name or uuid")
    new.set_defaults(run=publish)
    of_dataset(group, common, "apply", "have the rules in force suggest for all items that they have not read yet").set_defaults(run=apply)
    end = of_dataset(group, common, "retire", "end a rule")
    end.add_argument("rule", metavar="RULE", help="name or uuid")
    end.set_defaults(run=retire)


def of_pattern(made: Any) -> None:
    """What is looked for."""
    said = made.add_mutually_exclusive_group(required=True)
    said.add_argument("--word", action="append", default=[], metavar="WORDS", help="a word or phrase; may be given several times")
    said.add_argument("--words", type=Path, metavar="FILE", help="a file with one word or phrase a line")
    said.add_argument("--regex", default="", metavar="PATTERN", help="a regular expression (RE2)")
    made.add_argument("--all", action="store_true", help="of several words a text needs all (default: any)")


def pattern(args: Any) -> dict[str, str]:
    """It as the API takes it. Raises Usage."""
    if args.regex:
        return {"kind": "regex", "pattern": args.regex}
    words = args.word
    if args.words:
        try:
            words = args.words.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Usage(f"{args.words} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}.") from error
    return {"kind": "words", "pattern": "\n".join(words), "mode": "all" if args.all else "any"}


def in_force(session: Session, dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """The rules of a dataset."""
    return list(session.api.get(f"/labeling/datasets/{dataset['uuid']}/rules/"))


def one(session: Session, dataset: dict[str, Any], name: str) -> str:
    """The uuid of the version in force of a rule."""
    rows = [row for row in in_force(session, dataset) if name in (row["name"], row["uuid"], row["rule"])]
    return str(find.only(rows, f"rule {name} in force in {dataset['slug']}")["uuid"])


def list_(session: Session) -> None:
    """Each with its pattern."""
    dataset = find.dataset(session, session.args.dataset)
    rows = in_force(session, dataset)
    names = classes.names(classes.versions(session, dataset["uuid"])) if rows else {}
    lines = table(
        ["RULE", "VERSION", "SUGGESTS", "KIND", "PATTERN"],
        [(row["name"], row["version"], names.get(row["label"], classes.DROPPED), kind(row), short(row["pattern"])) for row in rows],
    )
    session.screen.show(rows, *(lines if rows else [f"No rule is in force in {dataset['slug']}."]))


def kind(row: dict[str, Any]) -> str:
    """Words, all of them or any, or an expression."""
    return "regex" if row["kind"] == "regex" else f"{row['mode']} word"


def short(text: str) -> str:
    """A pattern in one line."""
    line = ", ".join(text.splitlines())
    return line[:SHORT] + ("…" if len(line) > SHORT else "")


def try_(session: Session) -> None:
    """Hits, precision and examples."""
    args = session.args
    dataset = find.dataset(session, args.dataset)
    body = pattern(args) | {"label": classes.called(classes.newest(session, dataset), args.label) if args.label else None}
    found = session.api.post(f"/labeling/datasets/{dataset['uuid']}/rules/preview/", body, twice=True)
    measured = found["measured"]
    lines = [f"{measured['hits']:,} of {count(measured['items'], 'item')} hit ({percent(measured['coverage'])})."]
    lines += [precision(measured, args.label)] if args.label else []
    lines += ["Time ran out before the sample was read to its end."] if found["stopped"] else []
    shown = [f"  {plain(' '.join(each['text'].split())) or each['item']}{decided(each)}" for each in found["examples"]]
    session.screen.show(found, *lines, *(["", *shown] if shown else []))


def decided(example: dict[str, Any]) -> str:
    """What the item is decided to be, where it is."""
    return f"  → {example['label']}" if example["label"] else ""


def precision(measured: dict[str, Any], label: str) -> str:
    """How often a hit is right, where that is known of enough of them."""
    said = f"{measured['right']:,} of {count(measured['decided'], 'decided hit')} {'is' if measured['right'] == 1 else 'are'} {label}"
    if measured["precision"] is None:
        return f"{said}: too few to say how often it is right (below {FEWEST})."
    low, high = measured["interval"]
    return f"{said}: {percent(measured['precision'])}, 95 % interval {low * 100:.1f} to {high * 100:.1f} %."


def publish(session: Session) -> None:
    """In force; it suggests once it is applied."""
    args = session.args
    dataset = find.dataset(session, args.dataset)
    label = classes.called(classes.newest(session, dataset), args.label)
    body = pattern(args) | {"name": args.name, "label": label} | ({"changes": one(session, dataset, args.changes)} if args.changes else {})
    made = session.api.post(f"/labeling/datasets/{dataset['uuid']}/rules/", body)
    session.screen.show(
        made,
        f"{made['name']} is in force, version {made['version']}, and suggests {args.label}.",
        f"Have it suggest: lifecycle rules apply {dataset['slug']}",
    )


def apply(session: Session) -> None:
    """By a job, which is followed."""
    dataset = find.dataset(session, session.args.dataset)
    job = session.api.post(f"/labeling/datasets/{dataset['uuid']}/rules/apply/")
    done = watching.follow_job(session, job["uuid"])
    session.screen.show(done, done["message"] or f"{count(done['done'], 'item')} read.")


def retire(session: Session) -> None:
    """For good; what it suggested stays."""
    dataset = find.dataset(session, session.args.dataset)
    made = session.api.post(f"/labeling/rules/{one(session, dataset, session.args.rule)}/retire/")
    session.screen.show(made, f"{made['name']} is retired.")
