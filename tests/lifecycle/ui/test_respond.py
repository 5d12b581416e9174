import re

import pytest

from lifecycle.ui.respond import wants_fragment

pytestmark = [
    pytest.mark.urls("tests.lifecycle.ui.urls"),
    pytest.mark.usefixtures("empty_registries", "page_template"),
]
HTMX = {"HTTP_HX_REQUEST": "true", "HTTP_HX_CURRENT_URL": "http://testserver/page/?tab=rows"}


def squeezed(html):
    return re.sub(r">\s+<", "><", html)


def test_a_browser_gets_the_page(client):
    response = client.get("/page/")

    assert response.status_code == 200
    assert "<!DOCTYPE html>" in response.text
    assert '<section id="part">7</section>' in response.text
    assert "HX-Request" in response["Vary"]


def test_htmx_gets_the_fragment_alone(client):
    response = client.get("/page/", **HTMX)

    assert response.text.strip() == '<section id="part">7</section>'
    assert "HX-Request" in response["Vary"]


@pytest.mark.parametrize("header", ["HTTP_HX_BOOSTED", "HTTP_HX_HISTORY_RESTORE_REQUEST"])
def test_boosted_links_and_history_get_the_page(client, header):
    assert "<!DOCTYPE html>" in client.get("/page/", **HTMX, **{header: "true"}).text


def test_a_request_without_the_middleware_wants_the_page(rf):
    assert wants_fragment(rf.get("/page/")) is False


def test_a_toast_comes_with_the_fragment_out_of_band(client):
    html = squeezed(client.post("/save/", **HTMX).text)

    assert html.startswith('<section id="part">8</section>')
    assert (
        '<div hx-swap-oob="beforeend:#toasts"><div class="toast" role="status" data-toast><span class="st'
        ' ok">Saved as card_arrival</span>' in html
    )
    assert 'hx-post="/undo/"' in html


def test_a_toast_is_in_the_corner_of_a_page(client):
    html = squeezed(client.post("/save/").text)

    assert (
        '<div class="toasts" id="toasts" aria-live="polite"><div class="toast" role="status" data-toast>'
        in html
    )
    assert "hx-swap-oob" not in html


def test_an_invalid_form_answers_422_and_may_go_elsewhere(client):
    fragment, page = client.post("/wrong/", **HTMX), client.post("/wrong/")

    assert (fragment.status_code, page.status_code) == (422, 422)
    assert fragment["HX-Retarget"] == "#elsewhere"
    assert "HX-Retarget" not in page


def test_after_a_change_the_browser_goes_on(client):
    assert client.post("/back/")["Location"] == "/page/"
    assert client.post("/back/", **HTMX)["HX-Redirect"] == "/page/"
    assert client.post("/again/?tab=1")["Location"] == "/again/?tab=1"
    assert client.post("/again/", **HTMX)["HX-Refresh"] == "true"


def test_a_redirect_never_lands_inside_a_page(client):
    plain, fragment = client.get("/moved/"), client.get("/moved/", **HTMX)

    assert (plain.status_code, plain["Location"]) == (302, "/page/")
    assert (fragment.status_code, fragment["HX-Redirect"]) == (200, "/page/")


def test_after_sign_in_one_returns_to_the_page_not_to_its_fragment(client):
    assert client.get("/private/", **HTMX)["HX-Redirect"] == "/accounts/login/?next=%2Fpage%2F%3Ftab%3Drows"
    assert client.get("/private/")["Location"] == "/accounts/login/?next=/private/"


@pytest.mark.parametrize(
    ("kind", "status"), [("conflict", 409), ("refused", 422), ("not_ready", 503), ("denied", 403)]
)
def test_a_refused_fragment_request_becomes_a_toast_and_changes_nothing_else(client, kind, status):
    response = client.post(f"/{kind}/refuse/", **HTMX)

    assert response.status_code == status
    assert response["HX-Reswap"] == "none"
    assert (
        squeezed(response.text)
        .lstrip()
        .startswith(
            '<div hx-swap-oob="beforeend:#toasts"><div class="toast" role="alert" data-toast><span class="st'
            ' bad">'
        )
    )
    assert "<!DOCTYPE html>" not in response.text


@pytest.mark.parametrize(
    ("kind", "status", "sentence"),
    [
        ("conflict", 409, "Request 41 is approved and can no longer be rejected."),
        ("refused", 422, "The queue holds 8 of 8 runs."),
        ("not_ready", 503, "The base model is still being fetched."),
        ("denied", 403, "Only a governance reviewer can approve."),
    ],
)
def test_a_refused_page_shows_the_reason(client, kind, status, sentence):
    response = client.post(f"/{kind}/refuse/")

    assert response.status_code == status
    assert sentence in response.text
    assert "<!DOCTYPE html>" in response.text


def test_a_conflict_shows_the_next_step(client):
    assert "Reload the page." in client.post("/conflict/refuse/", **HTMX).text
