"""Near duplicates among generated texts with planted pairs whose true similarity is known: recall, precision,
time and memory as rows grow.

`python -m benchmarks.near_duplicates [--rows 200000]`. Runs what the scan's job runs, without its database,
in a process of its own for each size: a quarter of the rows, then all. Half of the texts are compared by
words, half by characters. One text in twenty is a variant of another with other last words, so that
similarities lie on both sides of 0.8; one variant in ten has a variant of its own, which makes chains. The
truth is counted here, by sets, and not by the product.
Recall: generated pairs of 0.8 or more that are in one group. Precision: pairs in one group that are 0.8 or
more alike; ends of a chain count against it. Growth: the exponent of processor time over rows, 1 for linear.
Memory: the most that is the process's own (RssAnon of Linux) beyond what it held before, without the pages of
files, which the system takes back when it needs them.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from itertools import accumulate, combinations
from pathlib import Path
from typing import Any

from datasets_app.datasets.rules import normal_digest, normal_form
from datasets_app.scanning.duplicates import Corpus, Member

RECALL, PRECISION, EXPONENT = 0.95, 0.98, 1.2
ONE_IN = 20
CHAINED = 10  # one variant in so many is made of the variant before it, so that there are chains
LONG, SHORT = (25, 60), (8, 19)  # words


def main() -> int:
    """Run it; 0 when every bar is met."""
    parser = argparse.ArgumentParser(description="Near duplicates among generated texts.")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return 0
    sizes = [arguments.rows // 4, arguments.rows]
    found = [in_a_process(size) for size in sizes]
    exponent = math.log(found[1]["cpu_seconds"] / found[0]["cpu_seconds"]) / math.log(sizes[1] / sizes[0])
    table(found, exponent)
    last = found[1]
    met = last["recall"] >= RECALL and last["precision"] >= PRECISION and exponent <= EXPONENT
    figures = {"sizes": found, "growth_exponent": round(exponent, 3)}
    bar = {"recall": RECALL, "precision": PRECISION, "growth_exponent": EXPONENT}
    result = {
        "benchmark": "near_duplicates",
        "figures": figures,
        "ratio": round(last["recall"] / RECALL, 4),
        "bar": bar,
        "met": met,
    }
    print(json.dumps(result))
    return 0 if met else 1


def in_a_process(rows: int) -> dict[str, Any]:
    """The figures of one size, with memory that is its own."""
    process = subprocess.run(
        [sys.executable, "-m", __spec__.name, "--one", str(rows)], check=True, capture_output=True, text=True
    )
    return json.loads(process.stdout.splitlines()[-1])


def measure(rows: int) -> dict[str, Any]:
    """Make the texts, find the groups, compare with the truth."""
    texts, planted = made(rows)
    before, seen = own_memory(), [0.0]
    began, worked = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(Path(folder))
        for at in range(0, rows, 1_000):
            corpus.add([(at + n, normal_digest(text), text) for n, text in enumerate(texts[at : at + 1_000])])
        groups = list(corpus.groups(lambda *_: seen.append(max(seen.pop(), own_memory()))))
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    memory = max(seen[0], own_memory()) - before
    spent = {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "memory_mb": round(memory, 1)}
    return compared(texts, planted, groups) | {"rows": rows} | spent


def own_memory() -> float:
    """What this process holds now, in MB, without pages of files."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:"))


def made(rows: int) -> tuple[list[str], list[tuple[int, int]]]:
    """Texts of words whose frequencies fall as in a language, and the pairs of a text and its variant."""
    random.seed(rows)
    words = [f"{random.choice('bdfgklmnprstvz')}{random.choice('aeiou')}{n:x}" for n in range(20_000)]
    weights = list(accumulate(1 / (n + 10) for n in range(len(words))))
    variants = rows // ONE_IN
    texts = [
        " ".join(random.choices(words, cum_weights=weights, k=random.randint(*(LONG if n % 2 else SHORT))))
        for n in range(rows - variants)
    ]
    planted = []
    for pair, source in enumerate(random.sample(range(rows - variants), variants)):
        source = len(texts) - 1 if pair % CHAINED == 1 else source
        kept = texts[source].split()
        changed = random.randint(1, max(1, round(len(kept) * 0.2)))
        planted.append((source, rows - variants + pair))
        texts.append(" ".join(kept[:-changed] + random.choices(words, cum_weights=weights, k=changed)))
    return texts, planted


def compared(texts: list[str], planted: list[tuple[int, int]], groups: list[list[Member]]) -> dict[str, Any]:
    """Recall over the planted pairs, precision over the pairs within groups, and how many there were."""
    group_of = {member.key: number for number, group in enumerate(groups) for member in group}
    truth = {pair: alike(texts[pair[0]], texts[pair[1]]) for pair in planted}
    near = [pair for pair, value in truth.items() if value >= 0.8]
    close = [pair for pair in near if truth[pair] < 0.85]
    joined = {pair for pair in planted if group_of.get(pair[0], -1) == group_of.get(pair[1], -2)}
    within = [pair for group in groups for pair in combinations([member.key for member in group], 2)]
    right = sum(alike(texts[one], texts[other]) >= 0.8 for one, other in within)
    return {
        "planted": len(planted),
        "near": len(near),
        "recall": share(sum(pair in joined for pair in near), len(near)),
        "recall_080_085": share(sum(pair in joined for pair in close), len(close)),
        "pairs_found": len(within),
        "precision": share(right, len(within)),
        "groups": len(groups),
    }


def share(part: int, whole: int) -> float:
    """From 0 to 1; 0 of nothing."""
    return round(part / whole, 5) if whole else 0.0


def alike(one: str, other: str) -> float:
    """The definition, counted anew: runs of 5 words where both have 20 or more, else of 5 characters."""
    first, second = normal_form(one), normal_form(other)
    if min(len(first.split()), len(second.split())) >= 20:
        a, b = (
            {tuple(words[n : n + 5]) for n in range(len(words) - 4)}
            for words in (first.split(), second.split())
        )
    else:
        a, b = ({text[n : n + 5] for n in range(len(text) - 4)} for text in (first, second))
    return len(a & b) / len(a | b) if a | b else 1.0


def table(found: list[dict[str, Any]], exponent: float) -> None:
    """For people."""
    print(
        f"{'rows':>10} {'seconds':>8} {'CPU':>8} {'memory':>9} {'near':>7} {'recall':>8} {'0.80-0.85':>10}"
        f" {'precision':>10}"
    )
    for each in found:
        print(
            f"{each['rows']:>10,} {each['seconds']:>8.1f} {each['cpu_seconds']:>8.1f}"
            f" {each['memory_mb']:>6.0f} MB {each['near']:>7,} {each['recall']:>8.4f}"
            f" {each['recall_080_085']:>10.4f} {each['precision']:>10.4f}"
        )
    print(
        f"Processor time grows with rows to the power of {exponent:.2f}, at most {EXPONENT}; recall {RECALL}"
        f" and precision {PRECISION}."
    )


if __name__ == "__main__":
    sys.exit(main())
