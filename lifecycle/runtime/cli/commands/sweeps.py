"""sweeps start; what sweeps show prints."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from typer import Option

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.arguments import Base, DatasetVersion, Key, Priority, Settings, Strategy
from lifecycle.runtime.cli.commands.runs import create, keyed, on, options
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.screen import Table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words

ABOUT = (
    "sweep={number:d}, {state}; trials={ended:,} of {trials:,} ended; why={ending.message};"
    " next={ending.next_step}; note; page"
)
noun = Noun("Searches for settings by many runs.")


@noun.verb
def start(
    session: Session,
    version: DatasetVersion,
    search: Annotated[
        list[str],
        Option(
            metavar="NAME=LOW..HIGH|A,B",
            help="a setting to search: learning_rate=0.0004..0.01, batch_size=16,32; repeatable",
        ),
    ],
    strategy: Strategy = "lora",
    base: Base = "",
    given: Settings = [],  # noqa: B006
    trials: Annotated[int, Option(help="how many runs")] = 20,
    sampler: Annotated[Literal["tpe", "random"], Option(help="how settings are sampled")] = "tpe",
    seed: Annotated[int, Option(help="of the sampler")] = 1,
    pruning: Annotated[bool, Option(help="end trials early that fall behind")] = True,
    warmup_trials: Annotated[int, Option(help="scored before one is pruned")] = 5,
    minutes: Annotated[int | None, Option(help="after which no other trial starts")] = None,
    priority: Annotated[Priority, Option(help="of each trial")] = "later",
    note: Annotated[str, Option(help="what is tried, in a line")] = "",
    key: Key = "",
) -> None:
    """Start a search on a dataset version."""
    body = {
        "strategy": strategy,
        "space": space(search),
        "options": options(given),
        "trials": trials,
        "sampler": sampler,
        "seed": seed,
        "prunes": pruning,
        "warmup_trials": warmup_trials,
        "minutes": minutes,
        "priority": priority,
        "note": note,
        "key": keyed(key),
    }
    made = create(session, "/sweeps/", on(session, version, base) | body)
    session.screen.show(
        made,
        f"Sweep {made['number']} started: {session.page('/runs/sweeps/' + made['uuid'] + '/')}",
        f"Its trials: lifecycle sweeps show {find.called(session, made)}",
    )


def space(given: list[str]) -> dict[str, Any]:
    """The search space as a field of the request."""
    found: dict[str, Any] = {}
    for each in given:
        name, _, text = each.partition("=")
        ends, several = text.split(".."), text.split(",")
        if not name or (len(ends) != 2 and len(several) < 2):
            raise Usage(
                f"--search {each} is neither a range nor several values. Write NAME=LOW..HIGH or NAME=A,B."
            )
        values = [
            options([f"{name}={value.strip()}"])[name] for value in (ends if len(ends) == 2 else several)
        ]
        found[name] = {"low": values[0], "high": values[1]} if len(ends) == 2 else {"choices": values}
    return found


@noun.draws("show")
def described(words: Words, found: dict[str, Any]) -> list[str | Table]:
    """The sweep's state, and its trials, best first."""
    rows = sorted(
        found["results"], key=lambda row: (row["score"] is None, -(row["score"] or 0), row["trial"])
    )
    columns = f"trial={{trial:d}}; run={{number:d}}; state; {words.cell('{leading:score}', found)}=score"
    columns += "".join(f"; {name}={{settings.{name}:g}}" for name in found["space"])
    return [words.facts(ABOUT, found), *words.tables((columns, rows))]
