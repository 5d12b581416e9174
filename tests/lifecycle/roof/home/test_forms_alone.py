"""The address of a form alone, or a form sent after signing out elsewhere, leads back to a page."""

from __future__ import annotations


def test_the_address_of_a_form_alone_is_a_page_that_explains_it(mia, client_for):
    answer = client_for(mia).get("/access/tokens/create/")

    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "This URL only accepts form submissions." in answer.content.decode()


def test_a_form_sent_after_signing_out_leads_back_to_its_page(client, db):
    answer = client.post(
        "/access/tokens/create/", headers={"Referer": "http://testserver/access/profile/?tab=tokens"}
    )

    assert answer["Location"] == "/accounts/login/?next=/access/profile/%3Ftab%3Dtokens"


def test_a_form_sent_from_another_site_leads_home(client, db):
    answer = client.post(
        "/access/tokens/create/", headers={"Referer": "https://elsewhere.example/access/profile/"}
    )

    assert answer["Location"] == "/accounts/login/?next=/"
