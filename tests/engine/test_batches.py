"""The order in which a run reads its rows: like lengths together, batches by chance, the same again for the
same seed and epoch.
"""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.runtime.engine.trainer import EpochBatches

pytestmark = pytest.mark.engine

LENGTHS = np.random.default_rng(0).integers(3, 100, 1_000).tolist()


def batches(lengths, size, *, seed=1, epoch=0):
    rows = list(EpochBatches(lengths, size, seed, lambda: epoch))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 8, 1_000])
def test_every_row_is_read_once_an_epoch(count):
    assert sorted(row for batch in batches(LENGTHS[:count], 3) for row in batch) == list(range(count))


def test_like_lengths_share_a_batch():
    found = batches(LENGTHS, 8)
    spread = [max(LENGTHS[row] for row in batch) - min(LENGTHS[row] for row in batch) for batch in found]

    assert np.mean(spread) < np.ptp(LENGTHS) / 20
    assert len(found) == 125


def test_batches_come_in_random_order_and_do_not_grow_shorter():
    means = [np.mean([LENGTHS[row] for row in batch]) for batch in batches(LENGTHS, 8)]

    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.2


def test_the_longest_texts_come_first_and_what_makes_no_batch_last():
    found = batches(LENGTHS[:30], 4)

    assert max(LENGTHS[:30]) in [LENGTHS[row] for row in found[0]]
    assert [len(batch) for batch in found] == [4] * 7 + [2]


def test_only_seed_and_epoch_determine_the_order():
    assert batches(LENGTHS, 8) == batches(LENGTHS, 8)
    assert batches(LENGTHS, 8) != batches(LENGTHS, 8, epoch=1)
    assert batches(LENGTHS, 8) != batches(LENGTHS, 8, seed=2)
