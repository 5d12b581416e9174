"""Requests in a process of their own: as fast as they are answered, or at a steady rate whatever the answers
do. Standard library only.

    python -m benchmarks.rollback_load HOST PORT PATH TOKEN RATE SECONDS FILE

RATE 0 asks from 16 connections without a pause, else requests begin on a schedule, on up to 64 connections.
Every request has a sticky key of 500. FILE gets one JSON line: {"begun", "ended" (seconds of the machine's
monotonic clock), "code" (0: no answer), "version", "due"}. Ends after SECONDS, or when its standard input is
closed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXTS = [
    "Where is my card?",
    "I lost my card on the train",
    "My top-up still says pending after an hour",
    "Why did you take a fee for cash abroad",
]
KEYS, CLOSED, OPEN = 500, 16, 64
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Load:
    """Clients of one endpoint, and a line for each of their requests."""

    host: str
    port: int
    path: str
    token: str
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def ask(self, at: int, pair: Pair | None, due: float) -> Pair | None:
        """One request on an open connection, or a new one. Returns the connection, None where it broke."""
        begun = time.monotonic()
        line: dict[str, Any] = {"begun": begun, "due": due, "code": 0, "version": ""}
        try:
            reader, writer = pair or await asyncio.open_connection(self.host, self.port)
            body = json.dumps(
                {
                    "inputs": [
                        {"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": [TEXTS[at % len(TEXTS)]]}
                    ]
                }
            ).encode()
            head = (
                f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer"
                f" {self.token}\r\nX-Route-Key: k{at % KEYS}\r\n"
            )
            writer.write(
                f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )
            answer = (
                (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).decode("latin-1").split("\r\n")
            )
            headers = dict(each.lower().split(": ", 1) for each in answer[1:] if ": " in each)
            await reader.readexactly(int(headers["content-length"]))
            line |= {"code": int(answer[0].split()[1]), "version": headers.get("x-model-version", "")}
            pair = reader, writer
        except (OSError, asyncio.IncompleteReadError, TimeoutError, KeyError, ValueError) as error:
            line["error"] = repr(error)
            pair = None
        self.lines.append(line | {"ended": time.monotonic()})
        return pair

    async def closed_loop(self, stop: asyncio.Event) -> None:
        """Sixteen clients that ask again at once."""

        async def client(first: int) -> None:
            pair, at = None, first
            while not stop.is_set():
                pair, at = await self.ask(at, pair, time.monotonic()), at + CLOSED

        await asyncio.gather(*(client(first) for first in range(CLOSED)))

    async def open_loop(self, rate: float, stop: asyncio.Event) -> None:
        """Requests that are due at their times, on whatever connection is free then."""
        free: asyncio.Queue[Pair | None] = asyncio.Queue()
        for _ in range(OPEN):
            free.put_nowait(None)
        began, at, running = time.monotonic(), 0, set()

        async def one(number: int, due: float) -> None:
            free.put_nowait(await self.ask(number, await free.get(), due))

        while not stop.is_set():
            due = began + at / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(one(at, due))
            running.add(task)
            task.add_done_callback(running.discard)
            at += 1
        await asyncio.gather(*running)


async def run(load: Load, rate: float, seconds: float) -> None:
    """Send requests until the time is over, or stdin is closed or written to."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(sys.stdin, stop.set)
    loop.call_later(seconds, stop.set)
    await (load.open_loop(rate, stop) if rate else load.closed_loop(stop))


def main() -> None:
    """Ask, then write everything down at once, so that writing costs no request anything."""
    host, port, path, token, rate, seconds, file = sys.argv[1:]
    load = Load(host, int(port), path, token)
    asyncio.run(run(load, float(rate), float(seconds)))
    Path(file).write_text("".join(json.dumps(line) + "\n" for line in load.lines), encoding="utf-8")


if __name__ == "__main__":
    main()
