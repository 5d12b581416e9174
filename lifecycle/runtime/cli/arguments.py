"""Arguments that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from lifecycle.runtime.cli.find import HELP

Dataset = Annotated[str, Argument(metavar="DATASET", help=HELP["dataset"])]
DatasetVersion = Annotated[str, Argument(metavar="DATASET@NUMBER", help=HELP["dataset_version"])]
Queue = Annotated[str, Argument(metavar="QUEUE", help=HELP["queue"])]
Run = Annotated[str, Argument(metavar="RUN", help=HELP["run"])]
Endpoint = Annotated[str, Argument(metavar="ENDPOINT", help=HELP["endpoint"])]
Request = Annotated[str, Argument(metavar="REQUEST", help=HELP["request"])]
Proposal = Annotated[str, Argument(metavar="PROPOSAL", help=HELP["proposal"])]
Job = Annotated[str, Argument(metavar="JOB", help="uuid")]
Priority = Literal["urgent", "normal", "later"]
Place = Annotated[Priority, Argument(help="among equals the first in the queue goes first")]
To = Annotated[
    Path | None,
    Option(metavar="FILE", help="where to save it; by default under its own name here, if that is free"),
]
Base = Annotated[
    str, Option(metavar="NAME", help="base model, by name or uuid; the project's newest by default")
]
Strategy = Annotated[
    str, Option(metavar="NAME", help="fine-tuning strategy, such as lora or full; an unknown name lists all")
]
Settings = Annotated[
    list[str],
    Option(
        "--set", metavar="NAME=VALUE", help="a setting in place of the default, such as epochs=3; repeatable"
    ),
]
Key = Annotated[
    str, Option(metavar="UUID", help="the same key again returns the same one; random by default")
]
Reason = Annotated[str, Option(metavar="TEXT", help="why; saved in the audit log")]
Start = Annotated[
    int, Option("--from", metavar="LINE", help="the first line to send, to continue after a stop")
]
