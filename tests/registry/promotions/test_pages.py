"""The pages: queue, request form, promotion page; with and without htmx."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


def url(name, request):
    return reverse(f"promotions:{name}", args=[request.uuid])


def decision(request, **changes):
    return {"seen": request.subject_digest, "reason": "Good.", "password": PASSWORD, "consent": "on"} | changes


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_page_shows_gates_and_who_decides(client_for, request_, lee, headers):
    html = client_for(lee).get(url("detail", request_), **headers).content.decode()

    assert "Needs 2 more approvals" in html
    assert "7 gates passed" in html
    assert "You may approve" in html
    assert "First version, nothing to compare" in html
    assert ("<html" in html) is not bool(headers)


def test_a_lead_approves_on_the_page(client_for, request_, lee):
    answer = client_for(lee).post(url("approve", request_), decision(request_))

    assert answer.status_code == 302
    assert request_.verdicts.get().reviewer == lee
