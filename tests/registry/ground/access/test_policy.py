"""`can`, `visible_to` and `who_can` agree, and no one gets anything from being a superuser."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Model
from django.http import Http404
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from guardian.shortcuts import assign_perm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from datasets_app.datasets.models import Dataset
from registry.ground.access import policy, roles
from registry.ground.access.actions import grant, revoke
from registry.ground.access.models import Project, User
from registry.ground.access.roles import Role
from tests.support.people import make_person, make_project


def test_every_action_names_roles_and_every_role_has_an_action():
    assert all(action.roles for action in roles.ACTIONS.values())
    assert {role for action in roles.ACTIONS.values() for role in action.roles} == set(Role)
    labels = [action.label for action in roles.ACTIONS.values()]
    assert (len(set(labels)), all(labels)) == (len(labels), True)


@pytest.mark.django_db
def test_the_page_of_a_project_lists_who_may_do_what(project, mia, client_for):
    shown = dict(client_for(mia).get(reverse("access:project", args=[project.uuid])).context["table"])

    assert shown["Adjudicate"] == [role == Role.ADJUDICATOR for role in Role]
    assert list(shown) == [action.label for action in roles.ACTIONS.values()]


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("promotions.approve", {"lee", "gita"}),
        ("endpoints.roll_back", {"lee", "omar"}),
        ("labeling.adjudicate", {"ravi"}),
        ("datasets.read_samples", {"ana", "ravi", "mia", "gita"}),
        ("training.launch", {"mia", "lee"}),
    ],
)
def test_a_role_allows_what_the_table_lists(
    project, ana, ravi, mia, lee, gita, omar, aida, otto, adam, action, allowed
):
    everyone = {
        "ana": ana,
        "ravi": ravi,
        "mia": mia,
        "lee": lee,
        "gita": gita,
        "omar": omar,
        "aida": aida,
        "otto": otto,
        "adam": adam,
    }

    assert {name for name, person in everyone.items() if policy.can(person, action, project)} == allowed
    assert {person.username for person in policy.who_can(action, project)} == allowed


def test_a_superuser_without_a_role_sees_and_may_nothing(project):
    root = User.objects.create_superuser("root", password="correct horse battery")

    assert list(policy.visible_to(root, Project, "access.view_project")) == []
    assert not policy.can(root, "promotions.approve", project)


def test_someone_who_was_deactivated_may_nothing(project, lee):
    lee.is_active = False
    lee.save()

    assert not policy.can(lee, "promotions.approve", project)
    assert list(policy.who_can("training.launch", project)) == []


def test_one_statement_gets_a_row_for_those_who_may_act_on_it(project, mia, ana, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert policy.get_permitted(mia, Project, "training.launch", uuid=project.uuid) == project

    with pytest.raises(PermissionDenied):
        policy.get_permitted(ana, Project, "training.launch", uuid=project.uuid)
    with pytest.raises(Project.DoesNotExist):
        policy.get_permitted(mia, Project, "training.launch", uuid=mia.uuid)


def test_anonymous_people_see_nothing(project):
    assert list(policy.visible_to(AnonymousUser(), Project, "access.view_project")) == []


def test_a_role_taken_away_ends_at_once(project, mia):
    revoke(user=mia, role=Role.ENGINEER, root=project, actor=None)

    assert not policy.can(mia, "training.launch", project)


def test_a_role_on_a_dataset_reaches_that_dataset_alone(project, otto, mia):
    mine = Dataset.objects.create(project=project, slug="mine", name="Mine", created_by=mia)
    Dataset.objects.create(project=project, slug="other", name="Other", created_by=mia)

    grant(user=otto, role=Role.ANALYST, root=mine, actor=None)

    assert list(policy.visible_to(otto, Dataset, "datasets.view")) == [mine]
    assert not policy.can(otto, "access.view_project", project)
    assert otto in policy.who_can("datasets.upload", mine)


def test_hidden_and_missing_are_the_same_404(project, otto):
    with pytest.raises(Http404) as hidden:
        policy.get_visible(otto, Project, "access.view_project", uuid=project.uuid)
    with pytest.raises(Http404) as missing:
        policy.get_visible(otto, Project, "access.view_project", uuid="00000000-0000-0000-0000-000000000000")

    assert str(hidden.value) == str(missing.value)


def test_a_refusal_names_the_roles_that_may(project, ana):
    with pytest.raises(PermissionDenied, match="Only an ML lead or a governance reviewer can do this."):
        policy.require(ana, "promotions.approve", project)


def test_a_list_takes_one_query(project, mia):
    with CaptureQueriesContext(connection) as queries:
        list(policy.visible_to(mia, Dataset, "datasets.view"))

    assert len(queries) == 1


def hold(person: User, role: Role, root: Model) -> None:
    """What `grant` leaves in the tables, without its event."""
    group, _ = Group.objects.get_or_create(name=policy.group_name(root, role))
    assign_perm(f"role_{role.value}", group, root)
    group.user_set.add(person)


class Agreement(TestCase):
    """For any users, roles, and objects: an object is in the list exactly when the check of that object
    permits it.
    """

    @classmethod
    def setUpTestData(cls):
        for n in range(3):
            make_person(f"p{n}")
        for project in [make_project(f"project-{n}") for n in range(2)]:
            Dataset.objects.create(project=project, slug="d", name="D")

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2),
                st.sampled_from(list(Role)),
                st.sampled_from(["project", "dataset"]),
                st.integers(0, 1),
            )
        ),
        st.sampled_from(sorted(set(roles.ACTIONS))),
    )
    def test_lists_questions_and_people_agree(self, grants, action):
        people = list(User.objects.filter(username__startswith="p").order_by("id"))
        projects, datasets = list(Project.objects.order_by("id")), list(Dataset.objects.order_by("id"))
        for who, role, kind, where in grants:
            hold(people[who], role, (projects if kind == "project" else datasets)[where])

        for subjects in (projects, datasets):
            model = type(subjects[0])
            each = policy.who_can_each(action, model.objects.all())
            listed = {person: set(policy.visible_to(person, model, action)) for person in people}
            for subject in subjects:
                named = set(policy.who_can(action, subject))
                assert each[subject.pk] == {person.pk for person in named}
                for person in people:
                    assert (
                        (subject in listed[person])
                        == policy.can(person, action, subject)
                        == (person in named)
                    )
