"""The navigation: rooms register items at start-up, each with its audience and count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lifecycle.ui.addresses import find_url

GROUPS = ("Data", "Training", "Registry", "Serving", "Outcomes")
Person = Any  # a signed-in user; this room knows nothing about the model behind it


def everyone(_user: Person) -> bool:
    """Show to every signed-in person."""
    return True


@dataclass(frozen=True)
class NavItem:
    """One line of the navigation.

    group: one of GROUPS. order: position within it. show: who sees it. count: open work for this person
    (None: no number), called only by the lazy counts fragment. hot: the count burns (SLO, incident) and is
    red. match: URL names or namespaces on whose pages this item is current, by default the namespace of its
    own URL; the longest match wins. key: the letter after `g` that goes there.
    """

    group: str
    label: str
    url_name: str
    order: int = 100
    show: Callable[[Person], bool] = everyone
    count: Callable[[Person], int | None] | None = None
    hot: bool = False
    match: tuple[str, ...] = ()
    key: str = ""

    @property
    def element_id(self) -> str:
        """The id of the element that holds the count."""
        return "count-" + self.url_name.replace(":", "-").replace("_", "-")

    @property
    def counted(self) -> bool:
        """Whether a number may are beside the item (a template would call `count` itself)."""
        return self.count is not None

    def fits(self, view_name: str) -> int:
        """How closely the page belongs to this item: the length of the longest match, 0 for none."""
        names = self.match or (self.url_name.rpartition(":")[0] or self.url_name,)
        return max(
            (len(name) for name in names if view_name == name or view_name.startswith(name + ":")), default=0
        )


@dataclass(frozen=True)
class Link:
    """An item as the page shows it."""

    item: NavItem
    url: str
    current: bool


@dataclass(frozen=True)
class Group:
    """A named part of the thread with its links."""

    label: str
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Count:
    """The number beside an item; value is None when there is none."""

    item: NavItem
    value: int | None


_items: dict[str, NavItem] = {}


def register(item: NavItem) -> None:
    """Add an item; registering the same URL name again replaces it."""
    if item.group not in GROUPS:
        raise ValueError(
            f"{item.label!r} is in the unknown group {item.group!r}; choose from {', '.join(GROUPS)}."
        )
    _items[item.url_name] = item


def items() -> list[NavItem]:
    """All items, in the order of the page."""
    return sorted(_items.values(), key=lambda item: (GROUPS.index(item.group), item.order, item.label))


def groups(user: Person, view_name: str = "") -> list[Group]:
    """The person's navigation, with the current page marked. Omits groups without a visible item, and missing
    rooms.
    """
    shown = [(item, url) for item in items() if (url := find_url(item.url_name)) and item.show(user)]
    best = max(shown, key=lambda pair: pair[0].fits(view_name), default=None)
    current = best[0] if best and best[0].fits(view_name) else None
    links = [Link(item, url, item is current) for item, url in shown]
    parts = [Group(label, tuple(link for link in links if link.item.group == label)) for label in GROUPS]
    return [part for part in parts if part.links]


def counts(user: Person) -> list[Count]:
    """The numbers for the lazy fragment, for the items this person sees; a zero is not worth showing."""
    shown = [item for item in items() if item.count and find_url(item.url_name) and item.show(user)]
    return [Count(item, (item.count(user) if item.count else None) or None) for item in shown]
