"""Registers functions as verbs of a noun: their options, common options, and exit codes."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from inspect import Parameter
from typing import Annotated, Any

import typer

from lifecycle.runtime.cli.errors import Unreachable, Usage
from lifecycle.runtime.cli.screen import Screen
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.env import BadSetting
from lifecycle.runtime.refusals import Refusal

DONE, FAILED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
VERSIONS = "Is the address a Lifecycle server's, and are both of the same version?"
STYLE: dict[str, Any] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "no_args_is_help": True,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
Draw = Callable[[Any, Any], list[Any]]  # of `wording.Words` and a result: lines and tables
TOP_LEVEL = {"login": "access", "whoami": "access", "dashboard": "overview"}
COMMON = {
    "as_json": (
        False,
        Annotated[bool, typer.Option("--json", help="print the result as JSON, refusals too")],
    ),
    "field": (
        "",
        Annotated[str, typer.Option(metavar="NAME", help="print only this field: number, counts.rows")],
    ),
    "project": (
        "",
        Annotated[str, typer.Option(metavar="SLUG", help="only in this project, by slug or uuid")],
    ),
}


class Noun:
    """A noun whose verbs are functions of a session. text: its help."""

    def __init__(self, text: str = "") -> None:
        self.typer = typer.Typer(help=text or None, callback=lambda: None, **STYLE)
        self.drawings: dict[str, Draw] = {}

    def draws(self, *verbs: str) -> Callable[[Draw], Draw]:
        """Register a function that formats the result of plain verbs for people."""

        def keep(function: Draw) -> Draw:
            self.drawings |= dict.fromkeys(verbs, function)
            return function

        return keep

    def verb(self, function: Callable[..., int | None]) -> Callable[..., int | None]:
        """Add a function under its own name; its docstring is the help, its arguments after the session are
        the command's.
        """
        name = function.__name__.strip("_").replace("_", "-")
        self.add(
            name,
            inspect.getdoc(function) or "",
            list(inspect.signature(function, eval_str=True).parameters.values())[1:],
            function,
        )
        return function

    def add(
        self, name: str, text: str, parameters: list[Parameter], function: Callable[..., int | None]
    ) -> None:
        """Add a function that returns its exit code, if it isn't 0."""

        def run(ctx: Any, as_json: bool, field: str, project: str, **given: Any) -> None:
            screen = Screen(as_json=as_json, field=field)
            session = Session(screen, project, ctx.obj or time.sleep)
            raise typer.Exit(ended(screen, lambda: function(session, **given)))

        keyword = Parameter.KEYWORD_ONLY
        common = [
            Parameter(each, keyword, default=default, annotation=kind)
            for each, (default, kind) in COMMON.items()
        ]
        own = [each.replace(kind=keyword) for each in parameters]
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [Parameter("ctx", keyword, annotation=typer.Context), *own, *common]
        )
        run.__annotations__ = {}
        self.typer.command(name, help=text)(run)


def load(name: str) -> Any:
    """The command of this name: a noun with the verbs of its module and those made from the API's
    description.
    """
    module = TOP_LEVEL.get(name) or name.replace("-", "_")
    path = f"lifecycle.runtime.cli.commands.{module}"
    noun: Noun = importlib.import_module(path).noun if find_spec(path) else Noun()
    importlib.import_module("lifecycle.runtime.cli.plain").add(noun, TOP_LEVEL.get(name, name))
    made: Any = typer.main.get_command(noun.typer)
    return made.commands[name] if name in TOP_LEVEL else made


def ended(screen: Screen, run: Callable[[], int | None]) -> int:
    """Run a call and return its exit code; errors are printed."""
    try:
        return run() or DONE
    except Refusal as refusal:
        screen.refuse(
            refusal.code, " ".join(filter(None, (refusal.message, refusal.next_step))), refusal.fields
        )
        return FAILED
    except (Usage, BadSetting) as error:
        screen.refuse("usage", str(error))
        return USAGE
    except Unreachable as error:
        screen.refuse("unreachable", str(error))
        return UNREACHABLE
    except (LookupError, TypeError) as error:  # the response is JSON of an unknown shape
        named = f"{type(error).__name__}: {error}"
        screen.refuse(
            "not_understood", f"The server's response isn't what this command expects ({named}). {VERSIONS}"
        )
        return UNREACHABLE
    except KeyboardInterrupt:
        screen.close()
        return INTERRUPTED
    except BrokenPipeError:  # `lifecycle runs list | head`: the pipe is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
