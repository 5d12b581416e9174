"""The product's answers without its server: `python -m benchmarks.generation_product ARTIFACT... BASES` reads
one JSON list of chats a line, each {"messages", "max_tokens", "version": its number}, answers them together,
and writes {"tokens", "first_ms", "texts"} a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer until the input ends."""
    import torch

    from lifecycle.runtime import bundle
    from lifecycle.runtime.engine.artifact import ArtifactInfo
    from lifecycle.runtime.generation.rules import Sampling
    from lifecycle.runtime.generation.version import load

    torch.set_num_threads(1)
    *artifacts, bases = map(Path, sys.argv[1:])
    versions = [load(each, bundle.manifest(each), ArtifactInfo.read(each), bases) for each in artifacts]

    async def answer(chat: dict[str, Any]) -> Any:
        version = versions[chat.get("version", 0)]
        turns = [(each["role"], each["content"]) for each in chat["messages"]]
        found = version.answer(version.chat(turns), Sampling(chat["max_tokens"]))
        await found.whole()
        return found

    async def together(chats: list[dict[str, Any]]) -> list[Any]:
        return list(await asyncio.gather(*map(answer, chats)))

    print("ready", flush=True)
    for line in sys.stdin:
        found = asyncio.run(together(json.loads(line)))
        firsts = sorted(each.ended.first_seconds * 1000 for each in found)
        print(
            json.dumps(
                {
                    "tokens": sum(each.ended.tokens for each in found),
                    "first_ms": firsts[len(firsts) // 2],
                    "texts": [each.text for each in found],
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
