"""Splitting rows: tables of cases, and properties of any input."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_app.snapshots.dividing import divide, own_split, targets
from datasets_app.snapshots.rules import SPLITS, Anchor, Row, check_shares, digests, leaked_rows, why_not

SHARES = {"train": 80, "validation": 10, "test": 10}


def row(
    item: str, label: str = "a", *, normal: str = "", group: str = "", kept: str = "", declared: str = ""
) -> Row:
    return Row(
        item, f"uuid-{item}", f"d-{item}", f"du-{item}", label, normal or f"n-{item}", group, kept, declared
    )


ROW3 = [row("3", declared="train")]


def where(division) -> dict[str, str]:
    return {placed.row.item: placed.split for placed in division.placed}


def test_splits_of_the_file_are_kept():
    rows = [
        row("1", declared="train"),
        row("2", declared="validation"),
        row("3", declared="test"),
        row("4", "b", declared="train"),
    ]

    assert where(divide(rows, seed=1, shares=SHARES)) == {
        "1": "train",
        "2": "validation",
        "3": "test",
        "4": "train",
    }


def test_quotas_are_met_within_each_label():
    rows = [
        row(f"{label}{n:03}", label)
        for label, count in (("a", 100), ("b", 50), ("c", 10))
        for n in range(count)
    ]
    found = Counter((placed.row.label, placed.split) for placed in divide(rows, seed=1, shares=SHARES).placed)

    assert found == {
        ("a", "train"): 80,
        ("a", "validation"): 10,
        ("a", "test"): 10,
        ("b", "train"): 40,
        ("b", "validation"): 5,
        ("b", "test"): 5,
        ("c", "train"): 8,
        ("c", "validation"): 1,
        ("c", "test"): 1,
    }


def test_a_label_of_three_rows_is_in_every_split():
    assert sorted(where(divide([row(x) for x in "123"], seed=1, shares=SHARES)).values()) == [
        "test",
        "train",
        "validation",
    ]


def test_a_train_row_with_the_text_of_a_test_row_is_left_out():
    division = divide(
        [
            row("1", normal="x", declared="train"),
            row("2", normal="x", declared="test"),
            row("3", declared="train"),
        ],
        seed=1,
        shares=SHARES,
    )

    assert "1" not in where(division)
    assert where(division)["2"] == "test"
    assert division.left_out == {"leak": 1}
    assert division.cases == [("uuid-1", "leak", "train", "uuid-2", "test")]


def test_a_train_row_in_the_group_of_a_test_row_is_left_out():
    division = divide(
        [
            row("1", group="g", declared="train"),
            row("2", group="g", declared="test"),
            row("3", declared="train"),
        ],
        seed=1,
        shares=SHARES,
    )

    assert division.left_out == {"leak": 1}


def test_a_new_row_that_is_linked_to_test_goes_to_test():
    rows = [
        row("1", normal="x", kept="test"),
        row("2", normal="x"),
        row("3", kept="train"),
        row("4", kept="validation"),
    ]

    assert where(divide(rows, seed=1, shares=SHARES))["2"] == "test"


def test_a_row_that_joins_a_train_and_a_test_cluster_excludes_the_train_rows():
    rows = [
        row("1", normal="x", kept="train"),
        row("2", group="g", kept="test"),
        row("3", normal="x", group="g"),
        row("4", kept="validation"),
    ]
    division = divide(rows, seed=1, shares=SHARES)

    assert where(division) == {"2": "test", "3": "test", "4": "validation"}
    assert division.left_out == {"leak": 1}


def test_contradicting_labels_of_one_text_are_left_out_together():
    rows = [row("1", "a", normal="x"), row("2", "b", normal="x"), row("3", "a"), row("4", "b")]
    division = divide(rows, seed=1, shares=SHARES)

    assert sorted(where(division)) == ["3", "4"]
    assert division.left_out == {"contradiction": 2}


def test_contradicting_test_rows_stay_and_are_counted():
    rows = [
        row("1", "a", normal="x", declared="test"),
        row("2", "b", normal="x", declared="test"),
        row("3", declared="train"),
    ]
    division = divide(rows, seed=1, shares=SHARES)

    assert (where(division)["1"], where(division)["2"]) == ("test", "test")
    assert division.test_contradictions == 2


def test_validation_is_taken_out_of_train_where_the_file_has_none():
    rows = [row(f"{n:03}", declared="train") for n in range(90)] + [
        row(f"t{n:02}", declared="test") for n in range(30)
    ]
    division = divide(rows, seed=1, shares=SHARES)

    assert Counter(where(division).values()) == {"train": 80, "validation": 10, "test": 30}
    assert division.carved == 10
    assert all(placed.split == "test" for placed in division.placed if placed.row.declared == "test")


def test_an_item_without_a_label_any_more_still_constrains_its_duplicates():
    rows = [row("1", normal="x"), *[row(f"m{n}") for n in range(9)]]

    assert where(divide(rows, seed=1, shares=SHARES, anchors=[Anchor("x", "", "test")]))["1"] == "test"


def test_another_seed_gives_another_division_of_the_same_size():
    rows = [row(f"{n:03}") for n in range(100)]
    one, other = where(divide(rows, seed=1, shares=SHARES)), where(divide(rows, seed=2, shares=SHARES))

    assert one != other
    assert Counter(one.values()) == Counter(other.values())


def test_targets_count_existing_rows():
    assert targets({"train": 80, "validation": 10, "test": 10}, 100, 100, SHARES) == {
        "test": 20,
        "validation": 20,
    }
    assert targets({}, 2, 2, SHARES) == {"test": 0, "validation": 0}


def test_shares_add_up_to_a_hundred():
    assert check_shares(SHARES) == {}
    assert check_shares({"train": 80, "validation": 10, "test": 9}) == {
        "train": ["The three shares add up to 99 %; they must add up to 100 %."]
    }
    assert list(check_shares({"train": 101, "validation": -1, "test": 0})) == ["train", "validation"]


def test_why_rows_cannot_be_frozen():
    assert why_not([], Counter(leak=2))[0] == "All 2 labeled rows are excluded."
    one_class = divide([row(f"{n}") for n in range(9)], seed=1, shares=SHARES)
    assert (
        why_not(one_class.placed, one_class.left_out)[0]
        == "All rows have the same label, so a model can't be trained."
    )
    few = divide([row("1", "a"), row("2", "b")], seed=1, shares=SHARES)
    assert why_not(few.placed, few.left_out)[0] == "The validation split would be empty."


names = st.sampled_from(["", "train", "validation", "test"])
made = st.builds(
    lambda normal, group, label, kept, declared: (normal, group, label, kept, declared),
    st.integers(0, 12),
    st.sampled_from(["", "", "g1", "g2", "g3"]),
    st.sampled_from("abc"),
    names,
    names,
)


def rows_from(parts) -> list[Row]:
    return [
        row(f"{n:03}", label, normal=f"n{normal:02}", group=group, kept=kept, declared=declared)
        for n, (normal, group, label, kept, declared) in enumerate(parts)
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(made, max_size=40), st.integers(0, 5))
def test_no_text_and_no_group_is_in_two_splits(parts, seed):
    division = divide(rows_from(parts), seed=seed, shares=SHARES)
    sides: dict[str, set[str]] = defaultdict(set)
    for placed in division.placed:
        sides[placed.row.normal].add(placed.split)
        sides[placed.cluster].add(placed.split)
        if placed.row.group:
            sides["group " + placed.row.group].add(placed.split)

    assert all(len(splits) == 1 for splits in sides.values())
    assert leaked_rows(division.placed) == 0
    assert len(division.placed) + division.left_out.total() == len(parts)


@settings(max_examples=200, deadline=None)
@given(st.lists(made, max_size=40), st.integers(0, 5))
def test_a_row_is_never_moved_from_the_split_it_had(parts, seed):
    for placed in divide(rows_from(parts), seed=seed, shares=SHARES).placed:
        if placed.row.kept:
            assert placed.split == placed.row.kept
        elif placed.row.declared and own_split(placed.row) != "train":
            assert placed.split == placed.row.declared
        assert placed.split in SPLITS


@settings(max_examples=100, deadline=None)
@given(st.lists(made, max_size=40), st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_same_rows_in_any_order_give_the_same_snapshot(parts, seed, random_: random.Random):
    rows = rows_from(parts)
    shuffled = random_.sample(rows, len(rows))
    one, other = (divide(each, seed=seed, shares=SHARES) for each in (rows, shuffled))

    assert digests(one.placed, "s") == digests(other.placed, "s")
    assert (one.cases, one.left_out) == (other.cases, other.left_out)


@settings(max_examples=100, deadline=None)
@given(st.lists(made, max_size=30), st.lists(made, max_size=10), st.integers(0, 5))
def test_a_later_snapshot_keeps_every_earlier_assignment(parts, more, seed):
    first = divide(rows_from([(*part[:3], "", part[4]) for part in parts]), seed=seed, shares=SHARES)
    kept = where(first)
    later = rows_from([(*part[:3], "", part[4]) for part in (*parts, *more)])
    second = divide([each._replace(kept=kept.get(each.item, "")) for each in later], seed=seed, shares=SHARES)

    for item, split in where(second).items():
        assert kept.get(item, split) == split
