"""Dawid and Skene's consensus beside a majority vote: 8,000 votes of 164 people about 800 pairs of sentences
whose truth is known.

`python -m benchmarks.consensus`. The votes are those of crowd_rte (Snow et al. 2008) in ../shared/data, or in
SHARED_DATA. Both methods read the same votes and none of the truth. A tied vote counts as half right, which
is what a coin would give on average.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from datasets_app.quality.agreement import dawid_skene

SHARED = Path(os.environ.get("SHARED_DATA") or Path(__file__).parents[2] / "shared" / "data")
DATA = SHARED / "crowd_rte" / "rte.standardized.csv"


def main() -> int:
    """Print both accuracies; 0 when the consensus is at least as often right as the majority."""
    if not DATA.exists():
        print(f"{DATA} is not there; set SHARED_DATA to the folder that holds crowd_rte.", file=sys.stderr)
        return 2
    with DATA.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    votes = [(row["orig_id"], row["!amt_worker_ids"], row["response"]) for row in rows]
    truth = {row["orig_id"]: row["gold"] for row in rows}
    began = time.perf_counter()
    found = dawid_skene(votes)
    seconds = time.perf_counter() - began
    winners = found.winners()
    consensus = sum(winners[item] == label for item, label in truth.items()) / len(truth)
    vote = majority(votes, truth)
    figures = {
        "items": len(truth),
        "votes": len(votes),
        "people": len(found.annotators),
        "majority_accuracy": round(vote, 4),
        "consensus_accuracy": round(consensus, 4),
        "rounds": len(found.log_likelihoods),
        "seconds": round(seconds, 3),
    }
    print(f"{'method':<24}{'accuracy':>10}")
    print(f"{'majority vote':<24}{vote:>10.4f}")
    print(f"{'Dawid and Skene':<24}{consensus:>10.4f}   {len(found.log_likelihoods)} rounds, {seconds:.2f} s")
    met = consensus >= vote
    bar = {"consensus_accuracy": "at least that of the majority vote"}
    print(
        json.dumps(
            {
                "benchmark": "consensus",
                "figures": figures,
                "ratio": round(consensus / vote, 4),
                "bar": bar,
                "met": met,
            }
        )
    )
    return 0 if met else 1


def majority(votes: list[tuple[str, str, str]], truth: dict[str, str]) -> float:
    """The share of items whose most frequent answer is right; k answers that tie, the right one among them,
    count 1 / k.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item, _, label in votes:
        counts[item][label] += 1
    right = 0.0
    for item, count in counts.items():
        leading = [label for label, number in count.items() if number == max(count.values())]
        right += (truth[item] in leading) / len(leading)
    return right / len(truth)


if __name__ == "__main__":
    sys.exit(main())
