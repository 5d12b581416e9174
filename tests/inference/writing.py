"""A server of versions that write text, in the test's own process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from tests.inference.conftest import follow
from tests.inference.models import Installation, endpoint

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "where is my order"}]


@contextmanager
def writing(folder: Path, **options: Any) -> Iterator[tuple[Installation, TestClient, Server]]:
    """Versions over one base, inbox/first and inbox/second with adapters and inbox/tuned with virtual tokens,
    and inbox/support, a classifier. Only texts of the first are kept. options: of the first's endpoint.
    """
    from tests.support.tiny_decoders import make_lively_decoder
    from tests.support.writers import serve_writer

    base = make_lively_decoder(folder / "base")
    installation = Installation(folder)
    roots = {
        "first": serve_writer(installation, base, "lora", 1),
        "second": serve_writer(installation, base, "lora", 2),
        "tuned": serve_writer(installation, base, "prompt", 3),
    }
    more = {name: roots[value] for name, value in options.items() if value in roots}
    installation.publish(
        first=endpoint(roots["first"], keep_text=True, **(options | more)),
        second=endpoint(roots["second"]),
        tuned=endpoint(roots["tuned"]),
        support=endpoint(installation.artifact()),
    )
    made = Server(Config(data_dir=installation.folder))
    made.router.start = made.shadows.start = lambda: None
    follow(made)
    with TestClient(made.application(), raise_server_exceptions=False) as client:
        yield installation, client, made


def events(text: str) -> tuple[list[Any], str]:
    """The objects of a stream, and what came last."""
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return [json.loads(line) for line in lines[:-1]], lines[-1]
