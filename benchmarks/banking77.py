"""banking77 through the product: its own files and split, LoRA with the suggested settings, measured on the
test rows that are left.

`python -m benchmarks.banking77`. The data (train.csv, test.csv with the columns text and category) is in
$SHARED_DATA/banking77 or in ../shared/data/banking77. Everything is done by the product's own actions in an
installation that is thrown away; its jobs run in this process, its engine in a child process as always. Every
tenth row of each category of the train file is declared as validation, to choose the best step; the test file
is used once, at the end. The rules omit rows of train with a text that is also in validation or test.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BAR = 0.91
SEED = 1
HELD_OUT = 10  # every tenth row of a category
ROOT = Path(__file__).parents[1]


def main() -> int:
    """Run it; 0 when the bar is met."""
    folder = Path(os.environ.get("SHARED_DATA") or ROOT.parent / "shared" / "data") / "banking77"
    if not (folder / "train.csv").exists():
        print(f"There is no train.csv in {folder}. Put banking77 there, or set SHARED_DATA.", file=sys.stderr)
        return 2
    with installation():
        from benchmarks.banking77_product import play

        figures = play(folder, HELD_OUT, SEED)
    table(figures)
    ratio = figures["accuracy"]["value"] / BAR
    met = figures["accuracy"]["value"] >= BAR
    print(
        json.dumps(
            {"benchmark": "banking77", "figures": figures, "ratio": round(ratio, 4), "bar": BAR, "met": met}
        )
    )
    return 0 if met else 1


@contextmanager
def installation() -> Iterator[None]:
    """An empty SQLite installation in a folder that is removed afterwards; Django is set up for it."""
    with tempfile.TemporaryDirectory(prefix="lifecycle-banking77-") as data_dir:
        os.environ |= {
            "DATA_DIR": data_dir,
            "DATABASE_URL": "",
            "BROKER_URL": "",
            "DEMO": "0",
            "HF_HUB_OFFLINE": "1",
            "LOG_LEVEL": "WARNING",
        }
        os.environ["DJANGO_SETTINGS_MODULE"] = "lifecycle.settings"
        import django

        django.setup()
        from django.core.management import call_command

        call_command("prepare", stdout=sys.stderr)
        yield


def table(figures: dict[str, Any]) -> None:
    """What was measured, for people."""
    rows, left_out = figures["rows"], figures["left_out"]
    how = f"{figures['threads']} threads, {figures['precision']}"
    print(f"banking77, seed {figures['seed']}, {figures['strategy']} on {figures['base']}, {how}")
    print(f"{'rows in the files':28} train {rows['train.csv']['read']:,}, test {rows['test.csv']['read']:,}")
    print(
        f"{'kept once (duplicate texts)':28} train {rows['train.csv']['new']:,}, test"
        f" {rows['test.csv']['new']:,}"
    )
    print(
        f"{'left out by the rules':28}"
        f" {', '.join(f'{name} {count}' for name, count in left_out.items()) or 'none'}"
    )
    print(
        f"{'in the snapshot':28}"
        f" {', '.join(f'{name} {count:,}' for name, count in figures['splits'].items())}"
    )
    print(
        f"{'training':28} {figures['train_seconds']:.0f} s, peak {figures['peak_memory_mb']:,.0f} MB, best"
        f" step {figures['best_step']}"
    )
    print(
        f"{'import, freeze, all':28} {figures['import_seconds']:.0f} s, {figures['freeze_seconds']:.0f} s,"
        f" {figures['seconds']:.0f} s"
    )
    print(f"\n{'on the test rows':28} {'accuracy':>9}  {'95 % interval':17} {'macro-F1':>9}")
    for name, found in [("fine-tuned", figures), *figures["baselines"].items()]:
        accuracy = found["accuracy"]
        print(
            f"{name:28} {accuracy['value']:9.4f}  [{accuracy['low']:.4f}, {accuracy['high']:.4f}]"
            f" {found['macro_f1']['value']:9.4f}"
        )
    print()


if __name__ == "__main__":
    sys.exit(main())
