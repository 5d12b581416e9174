"""Every address of the product × everybody: what a GET and a POST answer. An address that is missing in the
table fails a test.

The table and its letters: tests/support/role_table.py. Pages of models are asked in
test_url_role_table_of_models.py, the API in test_url_role_table_of_the_api.py.
"""

import pytest

from tests.support.role_table import (
    PEOPLE,
    PLACES,
    ROOMS,
    ROWS,
    addresses,
    browsers_of_all,
    differences,
    is_refused_to_all,
    of_part,
    who_is_asked,
    wrong_in,
)


def test_the_table_names_every_address_and_no_other():
    assert sorted("/" + path for path in addresses()) == sorted(row.path for row in ROWS)


def test_each_part_of_the_table_has_a_file_that_walks_through_it():
    assert [*dict.fromkeys(room.partition(":")[0] for room in ROOMS)] == ["data", "models", "API"]


def test_two_people_speak_for_all_where_all_who_have_signed_in_are_refused_alike():
    asked = [
        (letters, who_is_asked(letters, at)) for at, row in enumerate(ROWS) for letters in (row.get, row.post)
    ]
    by_two = [(letters, people) for letters, people in asked if is_refused_to_all(letters)]

    assert {letters for letters, _ in by_two if len(set(letters[1:])) > 1} == set()
    assert {people[0] for _, people in by_two} == {0}
    assert {person for _, people in by_two for person in people} == {*range(len(PEOPLE))}
    assert all(people == [*range(len(PEOPLE))] for letters, people in asked if not is_refused_to_all(letters))


@pytest.mark.django_db
def test_each_answer_that_is_not_the_tables_is_reported(world):
    people = ROWS[PLACES["/access/people/"]]
    wrong = people._replace(get="LxxxxxxxxxL", post="+xx+xxxxx-x")

    assert [*differences(people, world, browsers_of_all(world))] == []
    assert [*differences(wrong, world, browsers_of_all(world))] == [
        "GET /access/people/: adam gets +, expected x",
        "GET /access/people/: aida gets x, expected L",
        "POST /access/people/: a visitor gets L, expected +",
        "POST /access/people/: omar gets x, expected -",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("room", of_part("data"))
def test_every_response_matches_the_role_table(world, room):
    wrong = wrong_in(room, world)

    assert not wrong, f"{len(wrong)} answers:\n" + "\n".join(wrong)
