"""How often drift is found without drift, and with simulated drift; compared with Evidently with its defaults
on the same rows.

    python -m benchmarks.drift_alarms [--windows 2000] [--peer 100] [--texts 200]

A reference of 3,000 answered rows (what an evaluation gives), then windows of 50 to 1,000 rows. On null data
a window is drawn from what the reference was drawn from; otherwise one thing is shifted. Ours goes through
the product's own code: baseline histograms, `shifts.measure`, Benjamini and Hochberg over the monitors,
and `judging.assess` for what opens. Counted of a window:

    test      a monitor's value is above its 1 % limit (alpha = 1 %); the worst monitor is reported. The
              guarantee includes the choice of the reference, so 40 are drawn; the result with one reference
              for all windows is reported too, but not judged
    over      any monitor is beyond its limit: significant over all monitors together, and above the smallest
              relevant value
    opened    an endpoint with 60 such windows in sequence opened anything (3 of 5 over)

Texts are those of the CSV that DRIFT_TEXTS names (a column `text`), else sentences of a small grammar.
Evidently runs in an environment of its own below var/bench, made by pip once, with pandas below 3 (it can't
be imported with 3); its DataDriftPreset chooses tests and thresholds, and PSI is its own at its threshold of
0.1. Reported: any column drifts (shown in red), and its "dataset drift" (half of the columns).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lifecycle.settings")
# small matrices: threads would only wait for each other
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import django  # noqa: E402
import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

django.setup()

from monitoring.drift import comparing, judging, reference  # noqa: E402
from monitoring.drift.measuring import accuracy, bins, shifts  # noqa: E402
from monitoring.drift.measuring.measured import Measured, Reference  # noqa: E402
from monitoring.drift.rules import ALPHA, Monitor  # noqa: E402
from monitoring.traffic.counts import Counts  # noqa: E402

BENCH = Path(__file__).resolve().parent.parent / "var" / "bench"
PEER = Path(__file__).resolve().parent / "drift_peers" / "evidently_windows.py"
REFERENCE, SIZES, TEXT_SIZES = 3_000, (50, 100, 200, 500, 1_000), (50, 200, 1_000)
TEXT_REFERENCE = 500
BAR = 0.02
LABELS, SEQUENCE, REFERENCES = 40, 60, 40
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Answered texts: label numbers, confidences, lengths, shares of unknown words."""

    label: NDArray[np.int64]
    confidence: Floats
    chars: NDArray[np.int64]
    oov: Floats


@dataclass(frozen=True)
class Shift:
    """What is planted. monitor: which one has to see it."""

    name: str
    monitor: Monitor
    plant: Callable[[Rows, np.random.Generator], Rows]


# ── Rows ────────────────────────────────────────────────────────────────────
PRIOR = 1 / np.arange(1, LABELS + 1) ** 0.7
PRIOR /= PRIOR.sum()


def draw(count: int, rng: np.random.Generator) -> Rows:
    """Rows as a support inbox gives them: some labels are rare, most answers are sure, a few texts are
    long.
    """
    return Rows(
        rng.choice(LABELS, count, p=PRIOR),
        rng.beta(8, 1.2, count),
        np.maximum(1, rng.lognormal(4.1, 0.5, count)).astype(np.int64),
        rng.beta(1.5, 12, count),
    )


def more_of_one(rows: Rows, rng: np.random.Generator) -> Rows:
    """A fifth of the answers become the 13th label, which had 2 %."""
    return instead(rows, 12, rng)


def more_of_a_rare_one(rows: Rows, rng: np.random.Generator) -> Rows:
    """A fifth of the answers become the 35th label, which had 1 % and no bin of its own."""
    return instead(rows, 34, rng)


def instead(rows: Rows, label: int, rng: np.random.Generator) -> Rows:
    """A fifth of the answers become one label."""
    return Rows(
        np.where(rng.random(len(rows.label)) < 0.2, label, rows.label), rows.confidence, rows.chars, rows.oov
    )


def less_sure(rows: Rows, rng: np.random.Generator) -> Rows:
    """The mean confidence falls from 0.87 to 0.75."""
    return Rows(rows.label, rng.beta(4.5, 1.5, len(rows.label)), rows.chars, rows.oov)


def longer(rows: Rows, rng: np.random.Generator) -> Rows:
    """Texts are half as long again."""
    return Rows(rows.label, rows.confidence, (rows.chars * 1.5).astype(np.int64), rows.oov)


def unknown_words(rows: Rows, rng: np.random.Generator) -> Rows:
    """The share of unknown words goes from 11 to 20 %."""
    return Rows(rows.label, rows.confidence, rows.chars, rng.beta(2.4, 9.6, len(rows.label)))


SHIFTS = (
    Shift("one label from 2 to 22 %", Monitor.LABEL, more_of_one),
    Shift("a rare label from 1 to 21 %", Monitor.LABEL, more_of_a_rare_one),
    Shift("confidence 0.87 to 0.75", Monitor.CONFIDENCE, less_sure),
    Shift("texts half as long again", Monitor.LENGTH, longer),
    Shift("unknown words 11 to 20 %", Monitor.OOV, unknown_words),
)


# ── Ours ────────────────────────────────────────────────────────────────────
def baseline(rows: Rows, rng: np.random.Generator) -> Reference:
    """The product's reference of an evaluation with such predictions: calibrated ones."""
    counts = counted(rows)
    right = (rng.random(len(rows.label)) < rows.confidence).astype(np.float64)
    calibration = {"labels": [f"label {each}" for each in range(LABELS)]} | reference.of_accuracy(
        rows.confidence, right
    )
    histograms = {
        "label": counts.labels,
        "confidence": counts.confidence,
        "chars": counts.chars,
        "oov": counts.oov,
    }
    return Reference(len(rows.label), histograms, calibration)


def counted(rows: Rows) -> Counts:
    """The rollup of a window."""
    counts = Counts()
    for label, confidence, chars, oov in zip(rows.label, rows.confidence, rows.chars, rows.oov, strict=True):
        counts.add_answer(
            labels=[f"label {label}"],
            confidence=float(confidence),
            chars=int(chars),
            tokens=0,
            oov=float(oov),
            truncated=False,
            cpu_ms=None,
        )
    return counts


def monitors(known: Reference, counts: Counts) -> list[Measured]:
    """Every monitor of a window."""
    found = [shifts.measure(each, known, counts) for each in bins.FIELD]
    return [*found, accuracy.measure_accuracy(known, counts)]


def over(found: Sequence[Measured]) -> set[str]:
    """The monitors beyond their limits in this window alone."""
    sure = shifts.sure(found)
    return {
        each.monitor for each in found if each.value is not None and sure[each.monitor] and each.ratio > 1
    }


def ours(
    known: Sequence[Reference], size: int, windows: int, shift: Shift | None, rng: np.random.Generator
) -> dict[str, Any]:
    """The shares of windows with an alarm."""
    tests: Counter[str] = Counter()
    beyond: Counter[str] = Counter()
    any_over = 0
    for at in range(windows):
        rows = draw(size, rng)
        found = monitors(known[at % len(known)], counted(shift.plant(rows, rng) if shift else rows))
        tests.update(each.monitor for each in found if each.p is not None and each.p <= ALPHA)
        now = over(found)
        beyond.update(now)
        any_over += bool(now)
    return {
        "over": any_over / windows,
        "test": {each.monitor: tests[each.monitor] / windows for each in found},
        "beyond": {each.monitor: beyond[each.monitor] / windows for each in found},
    }


def opened(known: Sequence[Reference], size: int, endpoints: int, rng: np.random.Generator) -> float:
    """The share of endpoints on which anything opens in 60 null windows, judged one after the other."""
    hit = 0
    for at in range(endpoints):
        before: list[dict[str, Any]] = []
        for _ in range(SEQUENCE):
            results = judging.assess(monitors(known[at % len(known)], counted(draw(size, rng))), before, ())
            before.append({each.measured.monitor: each.plain() for each in results})
            if any(each.opens for each in results):
                hit += 1
                break
    return hit / endpoints


# ── Texts ───────────────────────────────────────────────────────────────────
WHO = ("I", "we", "my", "friend", "somebody", "the", "customer", "colleague")
WHAT = (
    "card",
    "transfer",
    "payment",
    "account",
    "top-up",
    "refund",
    "cash",
    "fee",
    "limit",
    "PIN",
    "app",
    "statement",
    "rate",
)
DID = (
    "failed",
    "vanished",
    "arrived",
    "twice",
    "never",
    "came",
    "declined",
    "pending",
    "got",
    "blocked",
    "looks",
    "wrong",
    "charged",
)


def corpus(rng: np.random.Generator) -> tuple[list[str], str]:
    """Texts to draw windows from, and what they are."""
    named = os.environ.get("DRIFT_TEXTS", "")
    if named and Path(named).exists():
        with Path(named).open(newline="", encoding="utf-8") as file:
            return [row["text"] for row in csv.DictReader(file)], Path(named).name
    made = [" ".join(rng.choice(words) for words in (WHO, WHAT, DID, WHAT, DID, WHO)) for _ in range(4_000)]
    return made, "sentences of a small grammar"


def texts(windows: int, rng: np.random.Generator) -> tuple[dict[int, dict[str, float]], str]:
    """Alarms of the word classifier on null windows and on windows of which a fifth is about something
    else.
    """
    known, name = corpus(rng)
    found: dict[int, dict[str, float]] = {}
    for size in TEXT_SIZES:
        null = planted = tested = 0
        for _ in range(windows):
            drawn = rng.permutation(len(known))[: TEXT_REFERENCE + size]
            sides = [known[at] for at in drawn[:TEXT_REFERENCE]], [known[at] for at in drawn[TEXT_REFERENCE:]]
            value = by_words(*sides)
            tested += value.p is not None and value.p <= ALPHA
            null += value.matters and value.ratio > 1
        for _ in range(max(10, windows // 5)):
            drawn = rng.permutation(len(known))[: TEXT_REFERENCE + size]
            now = [
                known[at] + (" since the storm the parcel locker stays shut" if n % 5 == 0 else "")
                for n, at in enumerate(drawn[TEXT_REFERENCE:])
            ]
            planted += by_words([known[at] for at in drawn[:TEXT_REFERENCE]], now).ratio > 1
        found[size] = {
            "test": tested / windows,
            "over": null / windows,
            "planted": planted / max(10, windows // 5),
            "windows": windows,
        }
    return found, name


def by_words(before: Sequence[str], now: Sequence[str]) -> Measured:
    """The words monitor of the product: each text counts once on its side."""
    sides = [[side[at] for at in comparing.once(side)] for side in (before, now)]
    return comparing.compare(
        *sides, [""] * len(sides[1]), "Not part of this benchmark.", lambda _: None
    ).found[0]


# ── Evidently ───────────────────────────────────────────────────────────────
def evidently(windows: int, seed: int) -> dict[str, Any] | None:
    """Evidently's results on windows drawn in the same way; None where it can't be installed."""
    python = BENCH / "evidently" / "bin" / "python"
    if not (BENCH / "evidently" / ".ready").exists():
        print("Installing Evidently into its own environment …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(python.parent.parent)], check=True)
        made = subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "evidently", "pandas<3"], check=False
        )
        if made.returncode:
            return None
        (BENCH / "evidently" / ".ready").touch()
    rng = np.random.default_rng([seed, 9])
    folder = BENCH / "drift_alarms"
    folder.mkdir(parents=True, exist_ok=True)
    sets: dict[str, Any] = {"reference": plain(draw(REFERENCE, rng))}
    for size in SIZES:
        sets[f"null {size}"] = [plain(draw(size, rng)) for _ in range(windows)]
    for shift in SHIFTS:
        for size in (50, 200, 1_000):
            sets[f"{shift.name} {size}"] = [
                plain(shift.plant(draw(size, rng), rng)) for _ in range(max(10, windows // 5))
            ]
    (folder / "windows.json").write_text(json.dumps(sets), encoding="utf-8")
    ended = subprocess.run(
        [str(python), str(PEER), str(folder / "windows.json")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"DO_NOT_TRACK": "1"},
    )
    if ended.returncode:
        print(ended.stderr[-2000:], file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def plain(rows: Rows) -> dict[str, list[Any]]:
    """Rows as JSON holds them."""
    return {
        "label": [f"label {each}" for each in rows.label.tolist()],
        "confidence": rows.confidence.tolist(),
        "chars": rows.chars.tolist(),
        "oov": rows.oov.tolist(),
    }


# ── Telling ─────────────────────────────────────────────────────────────────
def main() -> int:
    """Measure, print the table and the line of figures; 0 when the bar is met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=2_000, help="null windows of each size")
    parser.add_argument("--endpoints", type=int, default=100, help="with 60 windows each")
    parser.add_argument("--texts", type=int, default=200, help="null windows of texts of each size")
    parser.add_argument(
        "--peer", type=int, default=100, help="null windows of each size for Evidently; 0 leaves it out"
    )
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    began, rng = time.monotonic(), np.random.default_rng(given.seed)
    known = [baseline(draw(REFERENCE, rng), rng) for _ in range(REFERENCES)]
    null = {size: ours(known, size, given.windows, None, rng) for size in SIZES}
    power = {
        shift.name: {
            size: ours(known, size, max(50, given.windows // 10), shift, rng)["beyond"][shift.monitor]
            for size in (50, 200, 1_000)
        }
        for shift in SHIFTS
    }
    single = max(max(ours(known[:1], size, given.windows, None, rng)["test"].values()) for size in SIZES)
    episodes = {size: opened(known, size, given.endpoints, rng) for size in (50, 200)}
    by_text, name = texts(given.texts, rng)
    peer = evidently(given.peer, given.seed) if given.peer else None
    table(null, power, episodes, by_text, name, peer)
    print(f"\nWorst test with one reference for all windows: {100 * single:.2f} %")
    worst_test = max(max(each["test"].values()) for each in null.values())
    worst_over = max(each["over"] for each in null.values())
    worst_text = max(each["over"] for each in by_text.values())
    met = max(worst_test, worst_over, worst_text) <= BAR
    figures = {
        "false_alarms_a_window": worst_over,
        "false_alarms_a_test": worst_test,
        "false_alarms_of_texts": worst_text,
        "test_with_one_reference": single,
        "opened_in_60_windows": episodes,
        "null": null,
        "power": power,
        "texts": by_text,
        "evidently": peer,
        "windows": given.windows,
        "seed": given.seed,
        "seconds": round(time.monotonic() - began, 1),
    }
    ratio = round(BAR / max(worst_test, worst_over, worst_text, 1 / given.windows), 3)
    print(
        json.dumps(
            {
                "benchmark": "drift_alarms",
                "figures": figures,
                "ratio": ratio,
                "bar": {"false_alarms": BAR},
                "met": bool(met),
            }
        )
    )
    return 0 if met else 1


def table(
    null: dict[int, Any],
    power: dict[str, Any],
    episodes: dict[int, float],
    by_text: dict[int, Any],
    name: str,
    peer: dict[str, Any] | None,
) -> None:
    """What a person reads."""
    print(f"Null windows against a reference of {REFERENCE:,} rows; alarms, %")
    print(f"{'rows':>6} {'any over':>9} {'worst test':>11}   by monitor (test at 1 %)")
    for size, found in null.items():
        each = "  ".join(f"{monitor} {100 * share:.2f}" for monitor, share in found["test"].items())
        print(f"{size:>6} {100 * found['over']:>9.2f} {100 * max(found['test'].values()):>11.2f}   {each}")
    print(
        "\nEndpoints that opened anything in 60 null windows, %:",
        {size: round(100 * share, 1) for size, share in episodes.items()},
    )
    print("\nPlanted shifts found by their own monitor in one window, %")
    for shift, found in power.items():
        print(f"  {shift:<28}", "  ".join(f"{size} rows {100 * share:.0f}" for size, share in found.items()))
    print(f"\nWords of texts ({name}), reference {TEXT_REFERENCE}; %")
    for size, found in by_text.items():
        print(
            f"{size:>6} null over {100 * found['over']:.2f}, test {100 * found['test']:.2f} of"
            f" {found['windows']}; a fifth about something else found {100 * found['planted']:.0f}"
        )
    if peer:
        print(
            f"\nEvidently {peer['version']} (pandas {peer['pandas']}), DataDriftPreset as it comes:"
            f" {peer['tests']}; %"
        )
        for key, found in peer["windows"].items():
            print(f"  {key:<34}", "  ".join(f"{what} {100 * share:.1f}" for what, share in found.items()))
    else:
        print("\nEvidently was not run.")


if __name__ == "__main__":
    sys.exit(main())
