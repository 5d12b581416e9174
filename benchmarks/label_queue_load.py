"""People at the labeling bench, in a process of their own: `python -m benchmarks.label_queue_load JSON`.
Standard library only.

Each person has a session and a connection. They open the bench's page, read its items and classes out of it,
and answer as the page's script does: the item that is shown is sent, the next one is shown at once, and what
comes back fills the hand up again. They choose every half to one and a half `think` seconds, by chance and
evenly, or as soon as the answer before has been saved where that takes longer, and beat once a minute. (By
the clock, 50 people starting a fifth of a second apart would choose in five crowds of ten.)

The JSON: host, port, bench (the page's address), people ([{"user", "session"}]), think, ramp (seconds over
which they come in), seconds (of choosing after that), file. FILE gets a JSON line for every request: user,
kind, begun and ended (of the machine's monotonic clock), code, inside and cpu (milliseconds, as reported by
the server), handed (the slots that came with the answer), slot (that was answered), annotation (as the server
named it), steady (begun after everybody had come in).
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
import uuid
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

BEAT_SECONDS = 60.0
AGREED = 0.9  # of the answers name the class that everybody sees in the text
JSON_OF = '<script id="{}" type="application/json">(.*?)</script>'


@dataclass
class Person:
    """One browser. hand: the items that it holds, the first one on the screen."""

    given: dict[str, Any]
    user: int
    session: str
    lines: list[dict[str, Any]]
    chance: random.Random
    token: str = ""
    urls: dict[str, str] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    hand: list[dict[str, Any]] = field(default_factory=list)
    pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, come_in: float, steady_from: float, until: float) -> None:
        """Come in, open the page, answer until the end."""
        await asyncio.sleep(max(0.0, come_in - time.monotonic()))
        await self.open(steady_from)
        due, beat = time.monotonic() + self.thinks(), time.monotonic() + BEAT_SECONDS
        while (now := max(due, time.monotonic())) < until:
            await asyncio.sleep(now - time.monotonic())
            if time.monotonic() > beat:
                beat += BEAT_SECONDS
                await self.ask("heartbeat", self.urls["heartbeat"], {}, steady_from)
            if not self.hand:
                raise SystemExit(f"Nothing was left for person {self.user}: take more rows.")
            due = time.monotonic() + self.thinks()
            await self.answer(steady_from)
        if self.pair:
            self.pair[1].close()

    def thinks(self) -> float:
        """Seconds until the next choice."""
        return float(self.given["think"]) * self.chance.uniform(0.5, 1.5)

    async def open(self, steady_from: float) -> None:
        """The page, with everything that its script reads out of it."""
        page = await self.ask("open", self.given["bench"], None, steady_from)
        self.urls = {name: re.search(rf'\sdata-{name}="(.*?)"', page)[1] for name in ("submit", "heartbeat")}  # type: ignore[index]
        self.classes = [each["id"] for each in json.loads(re.search(JSON_OF.format("classes"), page)[1])]  # type: ignore[index]
        self.take(json.loads(re.search(JSON_OF.format("items"), page)[1]))  # type: ignore[index]

    async def answer(self, steady_from: float) -> None:
        """Choose a class for the item on the screen."""
        item = self.hand.pop(0)
        chance = zlib.crc32(f"{item['item']} {self.user}".encode()) / 2**32
        about = item["item"] if chance < AGREED else f"{item['item']} {self.user}"
        fields = {
            "slot": str(item["slot"]),
            "token": item["token"],
            "seconds": f"{self.given['think']:.2f}",
            "prelabel": str(item["prelabel"] or ""),
            "label": self.classes[zlib.crc32(about.encode()) % len(self.classes)],
            "client_key": str(uuid.uuid4()),
            "have": ",".join(str(each["slot"]) for each in [*self.hand, item]),
            "left": str(len(self.hand)),
        }
        body = await self.ask("submit", self.urls["submit"], fields, steady_from)
        self.take(json.loads(body)["items"])

    def take(self, items: list[dict[str, Any]]) -> None:
        """Add received items to those in hand."""
        self.lines[-1]["handed"] = [item["slot"] for item in items]
        self.hand.extend(items)

    async def ask(self, kind: str, path: str, fields: dict[str, str] | None, steady_from: float) -> str:
        """One request on the open connection, or a new one. Returns the body. Raises SystemExit for any other
        answer than 200.
        """
        body = None if fields is None else urlencode(fields).encode()
        head = [
            f"{'GET' if body is None else 'POST'} {path} HTTP/1.1",
            f"Host: {self.given['host']}:{self.given['port']}",
        ]
        head.append(f"Cookie: sessionid={self.session}" + (f"; csrftoken={self.token}" if self.token else ""))
        if body is not None:
            head += [
                "Accept: application/json",
                "Content-Type: application/x-www-form-urlencoded",
                f"X-CSRFToken: {self.token}",
                f"Content-Length: {len(body)}",
            ]
        sent = "\r\n".join([*head, "", ""]).encode() + (body or b"")
        begun = time.monotonic()
        try:
            status, headers, body = await self.exchange(sent)
        except (
            asyncio.IncompleteReadError,
            ConnectionError,
        ):  # an idle connection that the server had closed
            if self.pair is None:
                raise
            self.pair = None
            status, headers, body = await self.exchange(sent)
        ended = time.monotonic()
        if status != 200:
            raise SystemExit(f"{path} answered {status}: {body[:500].decode()}")
        spent = {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([\d.]+)", headers["server-timing"])}
        self.token = (re.search(r"csrftoken=(\w+)", headers.get("set-cookie", "")) or [None, self.token])[
            1
        ] or ""
        self.lines.append(
            {
                "user": self.user,
                "kind": kind,
                "begun": begun,
                "ended": ended,
                **spent,
                "steady": begun >= steady_from,
                "handed": [],
                "slot": int(fields["slot"]) if fields and "slot" in fields else None,
                "annotation": json.loads(body)["annotation"] if kind == "submit" else None,
            }
        )
        return body.decode()

    async def exchange(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one answer."""
        if self.pair is None:
            self.pair = await asyncio.open_connection(self.given["host"], self.given["port"])
        reader, writer = self.pair
        writer.write(sent)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for line in head[1:]:
            name, _, value = line.partition(": ")
            headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.pair = None
        return int(head[0].split()[1]), headers, body


async def play(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Everybody at once."""
    lines: list[dict[str, Any]] = []
    began, people = time.monotonic(), given["people"]
    steady_from = began + given["ramp"]
    crowd = [
        Person(given, each["user"], each["session"], lines, random.Random(each["user"])) for each in people
    ]
    at = [began + given["ramp"] * number / len(people) for number in range(len(people))]
    await asyncio.gather(
        *(
            person.run(when, steady_from, steady_from + given["seconds"])
            for person, when in zip(crowd, at, strict=True)
        )
    )
    return lines


def main() -> None:
    """Play, then write what happened."""
    given = json.loads(sys.argv[1])
    lines = asyncio.run(play(given))
    Path(given["file"]).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
