import pytest

from lifecycle.ui import navigation
from lifecycle.ui.navigation import NavItem

pytestmark = [pytest.mark.urls("tests.lifecycle.ui.urls"), pytest.mark.usefixtures("empty_registries")]


def labels(groups):
    return {group.label: [link.item.label for link in group.links] for group in groups}


def current(groups):
    return [link.item.label for group in groups for link in group.links if link.current]


def test_items_are_ordered_by_group_and_number():
    navigation.register(NavItem("Registry", "Models", "work:models", 10))
    navigation.register(NavItem("Training", "Compare", "work:compare", 20))
    navigation.register(NavItem("Training", "Runs", "work:runs", 10))

    assert labels(navigation.groups("mia")) == {"Training": ["Runs", "Compare"], "Registry": ["Models"]}


def test_an_item_shows_only_to_its_audience():
    navigation.register(NavItem("Training", "Runs", "work:runs", show=lambda user: user == "mia"))

    assert labels(navigation.groups("mia")) == {"Training": ["Runs"]}
    assert navigation.groups("otto") == []


def test_an_item_of_an_absent_room_is_left_out():
    navigation.register(NavItem("Serving", "Drift", "drift:list"))

    assert navigation.groups("mia") == []


def test_the_longest_match_is_current():
    navigation.register(NavItem("Training", "Runs", "work:runs"))
    navigation.register(NavItem("Training", "Compare", "work:compare", match=("work:compare",)))

    assert current(navigation.groups("mia", "work:runs")) == ["Runs"]
    assert current(navigation.groups("mia", "work:detail")) == ["Runs"]
    assert current(navigation.groups("mia", "work:compare")) == ["Compare"]
    assert current(navigation.groups("mia", "worker:runs")) == []
    assert current(navigation.groups("mia")) == []


def test_registering_again_replaces():
    navigation.register(NavItem("Training", "Runs", "work:runs"))
    navigation.register(NavItem("Training", "All runs", "work:runs"))

    assert labels(navigation.groups("mia")) == {"Training": ["All runs"]}


def test_an_unknown_group_is_refused():
    with pytest.raises(ValueError, match="'Extras'"):
        navigation.register(NavItem("Extras", "Runs", "work:runs"))

    assert navigation.items() == []


def test_counts_are_queried_only_for_visible_items_and_zero_is_hidden():
    asked = []

    def count(name, number):
        return lambda user: asked.append((name, user)) or number

    navigation.register(NavItem("Training", "Runs", "work:runs", count=count("runs", 2)))
    navigation.register(NavItem("Training", "Compare", "work:compare", count=count("compare", 0)))
    navigation.register(
        NavItem("Registry", "Models", "work:models", count=count("models", 9), show=lambda user: False)
    )

    navigation.groups("mia")
    assert asked == []
    assert [(count.item.label, count.value) for count in navigation.counts("mia")] == [
        ("Compare", None),
        ("Runs", 2),
    ]
    assert asked == [("compare", "mia"), ("runs", "mia")]
