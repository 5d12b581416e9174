"""Words of prompts and responses are left out in turn; what a response's lead loses is their contribution."""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.runtime.engine.occlusion import spans
from lifecycle.runtime.engine.task_types.ranking.occlusion import explain_responses, shared_out

WEIGHTS = {"help": 2.0, "late": -1.0, "sorry": 0.5}
ANY = [99] * 6


def scored(pairs):
    """A model that adds up the weights of a response's words, plus 1 for each word that is in the prompt
    too.
    """
    found = []
    for prompt, response in pairs:
        in_prompt, in_response = (
            [text[start:end] for start, end in spans(text)] for text in (prompt, response)
        )
        found.append(sum(WEIGHTS.get(word, 0.0) + (word in in_prompt) for word in in_response))
    return np.array(found)


def effects(text, words):
    return {text[word.start : word.end]: word.effect for word in words}


def test_a_lead_is_the_difference_to_the_best_other_and_falls_by_what_a_word_added():
    prompt, responses = "lost card", ["late", "help card", "sorry"]

    first, second, third = explain_responses(scored, prompt, responses, ANY[:4])

    assert [each.answer for each in (first, second, third)] == [1, 2, 0]
    assert [each.log_odds for each in (first, second, third)] == [2.5, -2.5, -4.0]
    assert effects("help card", first.words) == {"help": 2.0, "card": 1.0}
    assert effects(prompt, first.prompt) == {"lost": 0.0, "card": 1.0}
    assert effects("sorry", second.words) == {"sorry": 0.5}
    assert effects(prompt, second.prompt) == {"lost": 0.0, "card": -1.0}
    assert [each.empty for each in (first, second, third)] == [-0.5, -2.0, -2.0]
    assert [each.found for each in (first, second, third)] == [4, 3, 3]


def test_the_best_of_the_others_is_found_anew_without_a_word():
    responses = ["card", "help", "lost lost sorry"]

    first, *_ = explain_responses(scored, "lost", responses, ANY[:4])

    assert (first.answer, first.log_odds) == (2, 0.5)  # 2.5 against 2 of help
    assert effects("lost", first.prompt) == {"lost": 2.0}  # 0.5 against 2 without it


def test_of_equally_strong_ones_the_first_is_first_and_leads_by_nothing():
    found = explain_responses(scored, "where", ["sorry", "sorry"], ANY[:3])

    assert [(each.answer, each.log_odds) for each in found] == [(0, 0.0), (1, 0.0)]


def test_no_more_of_a_long_text_is_scored_than_can_be_read():
    asked = []

    def seen(pairs):
        asked.extend(pairs)
        return scored(pairs)

    found = explain_responses(seen, "card " * 20_000, ["help", "late " * 20_000], [50, 4, 50])

    assert max(len(text) for pair in asked for text in pair) == 2 * 50 + 1_000
    assert found[0].found == 20_000 + 1


def test_only_words_that_the_model_reads_are_taken_and_all_texts_share_the_most():
    prompt, responses = " ".join(["card"] * 9), [" ".join(["help"] * 5), "sorry late"]

    first, second = explain_responses(scored, prompt, responses, [99, 99, 99], most=8)
    assert [len(each) for each in (first.prompt, first.words, second.prompt, second.words)] == [3, 3, 3, 2]
    assert (first.found, second.found) == (14, 11)
    first, second = explain_responses(scored, prompt, responses, [9, 4, 99])
    assert [len(each) for each in (first.prompt, first.words, second.prompt, second.words)] == [2, 1, 2, 2]


@pytest.mark.parametrize(
    ("counts", "most", "taken"),
    [
        ([9, 5, 2], 8, [3, 3, 2]),
        ([9, 5, 2], 99, [9, 5, 2]),
        ([0, 4], 3, [0, 3]),
        ([3, 3], 5, [2, 3]),
        ([1, 1], 0, [0, 0]),
        ([], 5, []),
    ],
)
def test_the_longest_give_way(counts, most, taken):
    assert shared_out(counts, most) == taken


def test_texts_without_a_word_are_answered():
    found = explain_responses(scored, "?", ["!", "…"], ANY[:3])

    assert [(each.log_odds, each.empty, each.prompt, each.words, each.found) for each in found] == [
        (0.0, 0.0, (), (), 0)
    ] * 2
