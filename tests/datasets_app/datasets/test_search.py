"""Text search: parsing of queries, matches on both databases, and excerpts of matches."""

from __future__ import annotations

import pytest

from datasets_app.datasets import search
from datasets_app.datasets.models import Item
from datasets_app.datasets.search import Query, Term, marked, parse
from datasets_app.datasets.selection import Selection
from lifecycle.runtime.refusals import Refused
from tests.support.labeling import add_items, make_dataset

pytestmark = pytest.mark.postgres

TEXTS = [
    "My card was declined at the till",
    "The card transfer has not arrived",
    "A transfer by card, pending since Monday",
    "Transferring money abroad",
    "card/transfer or card-transfer?",
    "Straße und Ärger mit der KARTE",
    "see https://example.org/help?x=1 or write to help@example.org",
    "Version 3.5 costs -5 <b>bold</b> it's",
    "日本語 カード 拒否",
    "हिन्दी कार्ड अस्वीकार",
    "🙂 only a smile and card_arrival",
]


@pytest.fixture
def dataset(project, ana):
    return make_dataset(project, ana, TEXTS)


def found(dataset, user, typed: str) -> list[int]:
    """The indexes in TEXTS of the matches."""
    selection = Selection(dataset, user, {"q": typed})
    assert selection.is_valid, selection.problems
    return sorted(TEXTS.index(item.text) for item in selection.page().items)


@pytest.mark.parametrize(
    ("typed", "terms"),
    [
        ("card", (Term(("card",)),)),
        ("card  transfer", (Term(("card",)), Term(("transfer",)))),
        ('"card transfer" x', (Term(("card", "transfer")), Term(("x",)))),
        ('"card transfer', (Term(("card", "transfer")),)),
        ("-card x", (Term(("card",), without=True), Term(("x",)))),
        ('x -"a b"', (Term(("x",)), Term(("a", "b"), without=True))),
        ("transf*", (Term(("transf",), prefix=True),)),
        ('"card tra"*', (Term(("card", "tra"), prefix=True),)),
        ("card-transfer", (Term(("card", "transfer")),)),
        ("card card", (Term(("card",)),)),
    ],
)
def test_queries_are_parsed(typed, terms):
    assert parse(typed) == Query(terms)


@pytest.mark.parametrize("typed", ["", "   ", "🙂", "***", "-", '""', "-card", "- -", "\x00"])
def test_a_query_without_an_included_word_is_refused(typed):
    with pytest.raises(Refused):
        parse(typed)


def test_a_query_of_too_many_words_is_refused():
    with pytest.raises(Refused, match="21 .*20"):
        parse(" ".join(f"w{n}" for n in range(21)))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("typed", "places"),
    [
        ("card", [0, 1, 2, 4, 10]),
        ("CARD", [0, 1, 2, 4, 10]),
        ("card transfer", [1, 2, 4]),
        ('"card transfer"', [1, 4]),
        ("card -transfer", [0, 10]),
        ('card -"card transfer"', [0, 2, 10]),
        ("transf*", [1, 2, 3, 4]),
        ("transf", []),
        ('"the car"*', [1]),
        ("card-transfer", [1, 4]),
        ("straße", [5]),
        ("ärger karte", [5]),
        ("example.org", [6]),
        ("help", [6]),
        ("help@example.org", [6]),
        ("3.5", [7]),
        ("5", [7]),
        ("bold", [7]),
        ("it's", [7]),
        ("カード", [8]),
        ("कार्ड", [9]),
        ("card_arrival", [10]),
        ("nowhere", []),
    ],
)
def test_words_phrases_prefixes_and_exclusions_match_the_same_on_both_databases(dataset, ana, typed, places):
    assert found(dataset, ana, typed) == places


HOSTILE = [
    "' OR 1=1 --",
    "card' & 'x",
    "card:*",
    "card & | ! <-> ()",
    "NEAR(card transfer, 2)",
    "text:card",
    "card AND OR NOT",
    "^card",
    "{text}: card",
    "card\\",
    "card\\' x",
    "a\x00b card",
    "\ud800card",
    "card " * 19,
    "(((card",
    "card)))",
    '"card" "',
    '"-card" card',
    "%s card %(x)s",
    "card; DROP TABLE datasets_item",
    "*card*",
    "--card card",
    "<->card",
    "card:A",
    "1e5 card",
    "c++ card",
    "½ card",
    "card\u202e",
    "x" * 190,
]


@pytest.mark.django_db
@pytest.mark.parametrize("typed", HOSTILE)
def test_no_query_raises_a_database_error(dataset, ana, typed):
    selection = Selection(dataset, ana, {"q": typed})
    assert selection.page().items is not None
    assert Item.objects.count() == len(TEXTS)


@pytest.mark.django_db
def test_only_items_of_imported_uploads_of_this_dataset_are_found(project, dataset, ana):
    other = make_dataset(project, ana, ["card elsewhere"], name="Other", slug="other")
    add_items(dataset, ana, ["card that is still coming"], imported=False)

    assert found(dataset, ana, "card coming") == []
    assert found(dataset, ana, "card elsewhere") == []
    assert [item.text for item in Selection(other, ana, {"q": "card"}).page().items] == ["card elsewhere"]


@pytest.mark.django_db
def test_a_deleted_item_is_removed_from_the_index(dataset, ana):
    (item,) = add_items(dataset, ana, ["evanescent"], imported=False)
    assert search.matching(dataset.pk, parse("evanescent"), 0, 2**62) == [item.pk]

    Item.objects.filter(pk=item.pk).delete()
    (again,) = add_items(dataset, ana, ["something else"], imported=False)

    assert search.matching(dataset.pk, parse("evanescent"), 0, 2**62) == []
    assert search.matching(dataset.pk, parse("something"), 0, 2**62) == [again.pk]


@pytest.mark.parametrize(
    ("text", "typed", "line"),
    [
        ("My card was declined", "card", "My <mark>card</mark> was declined"),
        ("My Card, my cards", "card", "My <mark>Card</mark>, my cards"),
        ("My cards", "car*", "My <mark>cards</mark>"),
        ("a card/transfer", '"card transfer"', "a <mark>card/transfer</mark>"),
        ("<script>card</script>", "card", "&lt;script&gt;<mark>card</mark>&lt;/script&gt;"),
        ("<b>", "b", "&lt;<mark>b</mark>&gt;"),
        ("amp & card", "amp", "<mark>amp</mark> &amp; card"),
        ("card\u202eevil", "card", "c"),
        ("nothing here", "card", "nothing here"),
        ("with and without", "with -without", "<mark>with</mark> and without"),
    ],
)
def test_matches_are_marked_and_the_text_is_escaped(text, typed, line):
    shown = marked(text, parse(typed))
    if line == "c":
        assert shown.startswith("<mark>card</mark><span class=")
        assert "\u202e" not in shown
    else:
        assert shown == line


def test_a_long_text_is_shown_around_its_match():
    text = "word " * 100 + "needle " + "word " * 100
    shown = marked(text, parse("needle"))
    assert shown.startswith("…word")
    assert "<mark>needle</mark>" in shown
    assert shown.endswith("…")
    assert marked("word " * 100, None) == "word " * 28 + "…"
