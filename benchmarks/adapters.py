"""Eight LoRA versions of SmolLM2-135M on one base model: memory beside one version, tokens a CPU second of
eight different ones in a batch beside one merged model, and how long a version takes that isn't in memory.

`python -m benchmarks.adapters`. All by the product's batcher in processes of their own, in fp32 with one
thread; rounds are interleaved. Swaps are measured with one version more than stay in memory, asked in turn,
so that each drops another.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import generation_model
from benchmarks.generation import PROMPTS, STREAMS, Direct, lay_out, median
from benchmarks.serving import BENCH, ROOT
from lifecycle.runtime import bundle
from lifecycle.runtime.generation.residents import RESIDENT

ROUNDS = 3
BARS = {"memory": 1.3, "swap_ms": 200.0, "mixed": 0.8}


def main() -> int:
    """Run it; 0 when every bar is met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lifecycle-adapters-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        key, base = folder / "keys" / "signing.pem", generation_model.base(BENCH)
        bundle.generate_key(key)
        roots = [
            lay_out(folder, generation_model.adapter(folder / "draft", base, seed), base, key)
            for seed in range(RESIDENT + 1)
        ]
        serving = folder / "serving"
        versions, bases = [serving / "artifacts" / root for root in roots], serving / "bases"
        alone = generation_model.merged(folder / "merging", versions[0], base)
        bundle.sign(alone, key)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}

        def start(*artifacts: Path) -> Direct:
            made = Direct(artifacts, bases, environment)
            stack.callback(made.process.kill)
            return made

        merged, one, eight = start(alone), start(versions[0]), start(*versions[:STREAMS])
        for number in range(options.rounds):
            kinds = ((merged, ()), (one, ()), (eight, tuple(range(STREAMS))))
            for made, chosen in kinds[number % 3 :] + kinds[: number % 3]:
                made.figures.setdefault(STREAMS, []).append(made.measure(PROMPTS, chosen))
        figures = {
            name: {
                "tokens_per_cpu_second": round(median(made.figures[STREAMS], "tokens_per_cpu_second"), 2),
                "rss_mb": round(made.peer.memory_mb()["rss"], 1),
            }
            for name, made in (("merged", merged), ("one", one), ("eight", eight))
        }
        swap = swapped(start(*versions), len(versions))
    ratio = {
        "memory": round(figures["eight"]["rss_mb"] / figures["one"]["rss_mb"], 3),
        "swap_ms": swap,
        "mixed": round(
            figures["eight"]["tokens_per_cpu_second"] / figures["merged"]["tokens_per_cpu_second"], 3
        ),
    }
    met = ratio["memory"] <= BARS["memory"] and swap < BARS["swap_ms"] and ratio["mixed"] >= BARS["mixed"]
    print(json.dumps({"benchmark": "adapters", "figures": figures, "ratio": ratio, "bar": BARS, "met": met}))
    return 0 if met else 1


def swapped(made: Direct, count: int) -> float:
    """The median of how much longer the first token takes, in ms, where the version isn't in memory."""
    more = []
    for at in [*range(count), *range(count)]:
        cold, warm = (made.answer(PROMPTS[4:5], 1, [at])["first_ms"] for _ in range(2))
        more.append(cold - warm)
    return round(statistics.median(more[count:]), 2)


if __name__ == "__main__":
    sys.exit(main())
