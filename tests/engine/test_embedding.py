"""Texts as vectors of an untuned base: through the warm engine as in this process."""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.ground.compute import warm
from lifecycle.runtime.engine.base import bundled_minilm, open_base
from lifecycle.runtime.engine.embedding import Embedder
from lifecycle.runtime.refusals import Refused

pytestmark = pytest.mark.engine
TEXTS = ["my card is lost", "refund my order", "card"]


def test_vectors_of_an_untuned_base_have_length_1_and_do_not_depend_on_the_batch(tiny_base):
    embedder = Embedder(tiny_base, "mean", 64)

    together, alone = embedder.embed(TEXTS), np.vstack([embedder.embed([text]) for text in TEXTS])

    assert together.shape == (3, 32)
    assert np.allclose(np.linalg.norm(together, axis=1), 1)
    assert np.allclose(together, alone, atol=1e-5)


def test_the_warm_engine_gives_the_same_vectors_and_refuses_a_base_that_changed(tiny_base, warm_engine):
    digest = open_base(tiny_base).digest

    found = warm.embed_base(tiny_base, TEXTS, digest=digest, max_tokens=64)

    assert np.allclose(found, Embedder(tiny_base, "mean", 64).embed(TEXTS), atol=2e-5)
    assert warm.embed_base(tiny_base, [], digest=digest, max_tokens=64) == []
    with pytest.raises(Refused, match="different digest"):
        warm.embed_base(tiny_base, TEXTS, digest="0" * 64, max_tokens=64)


@pytest.mark.skipif(bundled_minilm() is None, reason="the package with all-MiniLM-L6-v2 is not installed")
def test_the_packaged_base_puts_equal_meanings_near_each_other(warm_engine):
    base = open_base(bundled_minilm())
    texts = ["Where is my new card?", "My card has not arrived yet", "I want my money back"]

    one, same, other = np.array(warm.embed_base(base.path, texts, digest=base.digest, max_tokens=128))

    assert one @ same > one @ other + 0.2
