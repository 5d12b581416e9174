"""`lifecycle COMMAND …`: what every command has in common, and how each ending becomes an exit code."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from lifecycle.cli.commands import (
    access,
    advice,
    alerts,
    arms,
    canary,
    channels,
    checks,
    comments,
    corrections,
    data,
    drift,
    evaluations,
    exports,
    feedback,
    gold,
    items,
    models,
    outcomes,
    overview,
    proposals,
    quality,
    queues,
    retraining,
    rules,
    scanning,
    schema,
    serving,
    sweeps,
    tokens,
    training,
    versions,
)
from lifecycle.cli.errors import Unreachable, Usage
from lifecycle.cli.screen import Screen
from lifecycle.cli.session import Session
from lifecycle.env import BadSetting
from lifecycle.refusals import Refusal

DONE, REFUSED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
VERSIONS = "Is the address a Lifecycle server's, and are both of the same version?"
MODULES = (
    access, data, items, scanning, schema, queues, gold, rules, comments, proposals, quality, checks, corrections, exports, advice,
    training, sweeps, evaluations, models, versions, serving, canary, arms, feedback, outcomes, drift, alerts, channels, retraining,
    overview, tokens,
)  # fmt: skip
ABOUT = "Talk to a Lifecycle server: data, labels, runs, versions, endpoints, feedback and the audit trail."
CODES = """exit codes: 0 done; 1 refused, or what was watched failed, or what was verified does not hold; 2 not called as it can be;
3 the server does not answer; 130 you pressed Ctrl-C (what was started goes on)"""


class Unread:
    """In place of a command that is not called: takes what its module says of it and keeps nothing."""

    def __getattr__(self, name: str) -> Callable[..., Unread]:
        return lambda *args, **more: self


class Only:
    """The commands of a grammar, to which modules add theirs and of which it takes the one of this name."""

    def __init__(self, commands: Any, name: str) -> None:
        self.commands, self.name = commands, name

    def add_parser(self, name: str, **more: Any) -> Any:
        """The command, if it is the one."""
        return self.commands.add_parser(name, **more) if name == self.name else Unread()


def parser(word: str = "") -> argparse.ArgumentParser:
    """The grammar: that of one command, which takes a tenth of the time, where word is its name; else of all."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="the result as JSON, refusals too")
    common.add_argument("--field", default="", metavar="NAME", help="of the result this field alone, for scripts: number, counts.rows")
    common.add_argument("--project", default="", metavar="SLUG", help="look only in this project, by its slug or uuid")
    made = argparse.ArgumentParser(prog="lifecycle", description=ABOUT, epilog=CODES)
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in MODULES:
        module.add(Only(commands, word), common)
    for module in () if commands.choices else MODULES:
        module.add(commands, common)
    return made


def main(argv: Sequence[str] | None = None, *, sleep: Callable[[float], None] = time.sleep) -> int:
    """Run one command; returns its exit code. sleep: how a pause is made, in seconds."""
    words = sys.argv[1:] if argv is None else argv
    args = parser(*words[:1]).parse_args(words)
    screen = Screen(as_json=args.json, field=args.field)
    try:
        return int(args.run(Session(args, screen, sleep)) or DONE)
    except Refusal as refusal:
        screen.refuse(refusal.code, " ".join(filter(None, (refusal.message, refusal.next_step))), refusal.fields)
        return REFUSED
    except (Usage, BadSetting) as error:
        screen.refuse("usage", str(error), {})
        return USAGE
    except Unreachable as error:
        screen.refuse("unreachable", str(error), {})
        return UNREACHABLE
    except (LookupError, TypeError) as error:  # what came is JSON, but not what this command knows
        named = f"{type(error).__name__}: {error}"
        screen.refuse("not_understood", f"The server's answer is not as this command expects it ({named}). {VERSIONS}", {})
        return UNREACHABLE
    except KeyboardInterrupt:
        screen.close()
        return INTERRUPTED
    except BrokenPipeError:  # `lifecycle runs | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
