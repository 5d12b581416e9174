"""A failure has a page, also where no page can be rendered."""

import pytest
from django.test import Client

from lifecycle.roof.home import views

pytestmark = pytest.mark.django_db
PAGE = "/accounts/login/"


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


def test_a_failure_is_answered_without_the_manifest_of_static_files(browser, settings, tmp_path):
    assert browser.get(PAGE).status_code == 200
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "lifecycle.ui.static.Storage"}}

    answer = browser.get(PAGE)

    assert (answer.status_code, answer.content.decode()) == (500, views.BARE)


def test_a_failure_has_the_look_of_the_site_otherwise(browser, monkeypatch):
    monkeypatch.setattr("allauth.account.views.LoginView.dispatch", lambda *_args, **_kwargs: 1 / 0)

    answer = browser.get(PAGE)

    assert (answer.status_code, [each.name for each in answer.templates][0]) == (500, "500.html")
