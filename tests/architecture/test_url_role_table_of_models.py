"""Every page of models, what serves them and what watches × everybody: what a GET and a POST answer."""

import pytest

from tests.support.role_table import of_part, wrong_in


@pytest.mark.django_db
@pytest.mark.parametrize("room", of_part("models"))
def test_every_response_matches_the_role_table(world, room):
    wrong = wrong_in(room, world)

    assert not wrong, f"{len(wrong)} answers:\n" + "\n".join(wrong)
