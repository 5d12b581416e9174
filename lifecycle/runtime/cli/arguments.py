"""Arguments that many commands take in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def of_dataset(group: Any, common: Any, name: str, text: str) -> Any:
    """A command on a dataset."""
    made = group.add_parser(name, parents=[common], help=text)
    made.add_argument("dataset", metavar="DATASET", help="slug or uuid")
    return made


def of_queue(group: Any, common: Any, name: str, text: str) -> Any:
    """A command on a queue."""
    made = group.add_parser(name, parents=[common], help=text)
    made.add_argument("queue", metavar="QUEUE", help="name, DATASET/NAME or uuid")
    return made


def of_item(made: Any) -> None:
    """Which item of a dataset."""
    made.add_argument("item", metavar="ITEM", help="the id that it came with, or uuid")


def described(choices: Mapping[str, str]) -> str:
    """Each choice with what it means."""
    return "; ".join(f"{name}, {text}" for name, text in choices.items())
