import pytest

from lifecycle.ui import navigation, palette
from lifecycle.ui.navigation import NavItem
from lifecycle.ui.palette import Hit
from tests.support.pages import render_shown

pytestmark = pytest.mark.urls("tests.lifecycle.ui.urls")


@pytest.fixture(autouse=True)
def pages(empty_registries):
    navigation.register(NavItem("Training", "Runs", "work:runs", 10))
    navigation.register(NavItem("Registry", "Models", "work:models", show=lambda user: user == "gita"))
    palette.register_page("Compare runs", "work:compare", keywords="difference")


def titles(user, query):
    return {section.label: [hit.title for hit in section.hits] for section in palette.find(user, query)}


def test_nothing_typed_lists_the_pages_this_person_sees():
    assert titles("mia", "") == {"Pages": ["Runs", "Compare runs"]}
    assert titles("gita", " ") == {"Pages": ["Runs", "Models", "Compare runs"]}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("run", ["Runs", "Compare runs"]),
        ("COMP run", ["Compare runs"]),
        ("diff", ["Compare runs"]),
        ("train", ["Runs"]),
        ("ain", []),
    ],
)
def test_every_word_must_fit_a_label_or_begin_a_keyword(query, found):
    assert titles("mia", query).get("Pages", []) == found


def test_providers_are_asked_for_the_person_and_cut_to_eight():
    palette.register_search(
        "Datasets", lambda user, text: [Hit(f"{text} {number} for {user}", "/d/") for number in range(12)]
    )

    assert titles("mia", " 184 ") == {"Datasets": [f"184 {number} for mia" for number in range(8)]}


def test_a_page_of_the_navigation_is_listed_once_and_found_by_its_rooms_keywords():
    palette.register_page("All runs", "work:runs", keywords="curves")

    assert titles("mia", "") == {"Pages": ["Runs", "Compare runs"]}
    assert titles("mia", "curves") == {"Pages": ["Runs"]}


def test_a_thing_that_two_providers_find_is_listed_once():
    palette.register_search(
        "Datasets", lambda user, text: [Hit("One", "/d/"), Hit("One", "/d/"), Hit("Two", "/d/2/")]
    )
    palette.register_search("Slices", lambda user, text: [Hit("Two", "/d/2/"), Hit("Three", "/d/3/")])

    assert titles("mia", "184") == {"Datasets": ["One", "Two"], "Slices": ["Three"]}


def test_providers_are_not_asked_for_nothing():
    palette.register_search("Datasets", lambda user, text: pytest.fail("asked"))

    assert titles("mia", "") == {"Pages": ["Runs", "Compare runs"]}


def test_a_result_is_a_list_of_options():

    html = render_shown(
        "components/palette_results.html", {"sections": palette.find("mia", "compare"), "query": "compare"}
    )

    assert (
        '<a role="option" id="palette-1-1" aria-selected="false" href="/work/runs/compare/"><span>Compare'
        " runs</span></a>" in html
    )


def test_an_empty_result_names_what_was_looked_for():

    html = render_shown("components/palette_results.html", {"sections": [], "query": "<x>"})

    assert "No results for “&lt;x&gt;”." in html
