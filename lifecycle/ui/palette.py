"""The palette (`/`): searches the pages and providers that rooms register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lifecycle.ui import navigation
from lifecycle.ui.addresses import find_url
from lifecycle.ui.navigation import Person, everyone

LIMIT = 8


@dataclass(frozen=True)
class Hit:
    """One search result: title, address, and a note that distinguishes equal titles."""

    title: str
    url: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """The hits of one provider under its label."""

    label: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True)
class Page:
    """A page that the palette finds by name. keywords: other words people look for."""

    label: str
    url_name: str
    show: Callable[[Person], bool] = everyone
    keywords: str = ""


Search = Callable[[Person, str], list[Hit]]
_pages: dict[str, Page] = {}
_searches: dict[str, Search] = {}


def register_page(
    label: str, url_name: str, *, show: Callable[[Person], bool] = everyone, keywords: str = ""
) -> None:
    """Make a page reachable by name; items of the navigation are there already."""
    _pages[url_name] = Page(label, url_name, show, keywords)


def register_search(label: str, search: Search) -> None:
    """Register `search(user, query)`; it must return only what the user may see. The same label again
    replaces it.
    """
    _searches[label] = search


def find(user: Person, query: str) -> list[Section]:
    """Pages first, then each provider's hits, at most LIMIT each; empty sections are left out. An empty query
    lists the pages.
    """
    words = query.casefold().split()
    sections = [Section("Pages", tuple(pages(user, words)))]
    seen = {(hit.url, hit.title) for hit in sections[0].hits}
    for label, search in sorted(_searches.items()) if words else ():
        hits = {key: hit for hit in search(user, query.strip()) if (key := (hit.url, hit.title)) not in seen}
        sections.append(Section(label, tuple(hits.values())[:LIMIT]))
        seen |= hits.keys()
    return [section for section in sections if section.hits]


def fits_word(page: Page, word: str) -> bool:
    """Whether the label contains the word, or a keyword begins with it."""
    return word in page.label.casefold() or any(
        keyword.startswith(word) for keyword in page.keywords.casefold().split()
    )


def pages(user: Person, words: list[str]) -> list[Hit]:
    """The pages that every word fits, each once; the group of a navigation item is a keyword beside those
    that its room registered.
    """
    listed = {item.url_name: item for item in navigation.items()}
    words_of = {url_name: _pages[url_name].keywords for url_name in listed.keys() & _pages.keys()}
    known = [
        Page(item.label, item.url_name, item.show, f"{item.group} {words_of.get(item.url_name, '')}")
        for item in listed.values()
    ]
    known += [page for page in _pages.values() if page.url_name not in listed]
    fits = [page for page in known if all(fits_word(page, word) for word in words)]
    found = [Hit(page.label, url) for page in fits if (url := find_url(page.url_name)) and page.show(user)]
    return found[:LIMIT] if words else found
