"""Predictions on perturbed texts; changes are counted and stored."""

from __future__ import annotations

import json

import pytest

from lifecycle.runtime.engine.flips import Flip, read_flips, write_flips
from lifecycle.runtime.engine.perturb import PROBES
from lifecycle.runtime.statistics.intervals import wilson
from tests.engine.inbox import ROWS, write_rows


def test_flips_are_read_by_perturbation_largest_loss_first(tmp_path):
    fixed, other, worse, broken, surer = (
        Flip("upper", name, "card", *rest)
        for name, rest in {
            "a": ("refund", 0.9, "card", 0.99, 0.0, 1.0),
            "b": ("refund", 0.9, "login", 0.99, 0.0, 0.0),
            "c": ("card", 0.6, "login", None, 0.75, 0.5),
            "d": ("card", 0.6, "refund", 0.7, 1.0, 0.0),
            "e": ("card", 0.6, "refund", 0.8, 1.0, 0.0),
        }.items()
    )
    elsewhere = Flip("half", "d", "card", "card", 0.6, "refund", 0.7, 1.0, 0.0)
    write_flips(tmp_path / "flips.parquet", [fixed, other, worse, broken, surer, elsewhere])

    assert read_flips(tmp_path / "flips.parquet", "upper") == [surer, broken, worse, other, fixed]
    assert read_flips(tmp_path / "flips.parquet", "lower") == []
    assert [(each.is_broken, each.is_fixed) for each in (fixed, other, worse)] == [
        (False, True),
        (False, False),
        (True, False),
    ]


@pytest.fixture
def probed(run_folder, once, train_here, tiny_base, tmp_path):
    run = run_folder(epochs=15)
    once(run)

    def probe(name="probed", **fields):
        folder = tmp_path / name
        folder.mkdir()
        write_rows(folder / "data.jsonl", ROWS)
        spec = {
            "artifact": str(run / "artifact"),
            "base": {"path": str(tiny_base), "name": "tiny"},
            "bootstrap": 50,
        } | fields
        (folder / "spec.json").write_text(json.dumps(spec))
        return folder, train_here(folder, verb="robustness")

    return probe


@pytest.mark.engine
def test_every_perturbation_is_scored_against_the_clean_texts(probed):
    folder, result = probed()

    assert (result["status"], result["rows"], result["of"], result["seed"]) == ("succeeded", 8, 8, 1)
    assert list(result["probes"]) == list(PROBES)
    assert result["clean"]["accuracy"] == 1.0
    for name, found in result["probes"].items():
        flips = read_flips(folder / "flips.parquet", name)
        broken = sum(flip.is_broken for flip in flips)
        assert found["accuracy"] == 1 - broken / 8
        assert (found["broken"], found["fixed"]) == (broken, 0)
        assert found["change"]["accuracy"]["difference"] == pytest.approx(found["accuracy"] - 1)
        low, high = wilson(len(flips), 8)
        assert found["flipped"] == {"value": len(flips) / 8, "low": low, "high": high, "count": len(flips)}
    assert result["probes"]["lower"]["flipped"]["count"] == 0  # its words are lower already
    assert result["probes"]["upper"]["flipped"]["count"] == 0  # and its tokenizer lowers the others


@pytest.mark.engine
def test_the_same_seed_gives_the_same_and_rows_are_drawn_by_it(probed):
    (first, one), (second, two), (_, few) = probed(), probed("again"), probed("few", rows=3)

    assert {name: one[name] for name in ("clean", "probes")} == {
        name: two[name] for name in ("clean", "probes")
    }
    assert (first / "flips.parquet").read_bytes() == (second / "flips.parquet").read_bytes()
    assert (first / "data.jsonl").read_bytes() == (second / "data.jsonl").read_bytes()
    assert (few["rows"], few["of"]) == (3, 8)
