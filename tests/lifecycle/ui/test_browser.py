"""What only a browser can show: keys, dialogs, themes, charts, polling, and accessibility."""

import pytest
from playwright.sync_api import expect

from lifecycle.ui import navigation
from lifecycle.ui.navigation import NavItem
from registry.ground.access.models import User
from tests.support.browser import NARROW, OF_COLOURS, WIDE, is_accessible, is_legible, shown_as, violations

pytestmark = [
    pytest.mark.browser,
    pytest.mark.urls("tests.lifecycle.ui.urls"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("empty_registries", "page_template"),
]


@pytest.fixture
def mia():
    navigation.register(NavItem("Training", "Runs", "work:runs", count=lambda user: 2, key="r"))
    navigation.register(NavItem("Registry", "Models", "work:models"))
    return User.objects.create_user("mia", display_name="Mia Trainer")


def test_the_style_guide_is_accessible(opened, mia):
    for width, schemes in ((WIDE, ("light", "dark")), (NARROW, ("dark", "light"))):
        page = opened("/styleguide/", mia, width=width, scheme=schemes[0])
        expect(page.locator(".plot svg.main-svg").first).to_be_visible()
        is_legible(page, f"styleguide-{width}-{schemes[0]}")
        shown_as(page, width, schemes[1])
        is_legible(page, f"styleguide-{width}-{schemes[1]}", OF_COLOURS)


def test_the_sign_in_page_is_accessible(opened):
    page = opened("/accounts/login/", width=NARROW, scheme="dark")
    is_accessible(page, "sign-in", both_schemes=True)


def test_a_wrong_password_moves_the_focus_to_the_summary(opened, mia):
    page = opened("/accounts/login/")
    page.get_by_label("Username or e-mail").fill("mia")
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.locator("[data-focus]")).to_be_focused()
    expect(page.locator("[data-focus]")).to_contain_text("You aren't signed in.")


def test_counts_arrive_after_the_page(opened, mia):
    expect(opened("/page/", mia).locator("#count-work-runs")).to_have_text("2")


def test_a_live_part_asks_until_its_answer_no_longer_asks(opened, mia):
    expect(opened("/page/", mia).locator("#live")).to_have_text("done")


def test_g_and_a_letter_go_to_a_page(opened, mia):
    page = opened("/page/", mia)
    page.keyboard.press("g")
    page.keyboard.press("r")

    page.wait_for_url("**/work/runs/")


def test_keys_are_text_in_a_field_and_nothing_for_who_switched_them_off(opened, mia):
    page = opened("/page/", mia)
    page.locator("#text").press_sequentially("gr?/t")

    assert page.locator("#text").input_value() == "gr?/t"
    assert page.locator("dialog[open]").count() == 0

    User.objects.filter(pk=mia.pk).update(single_keys=False)
    page.reload()
    page.keyboard.press("?")
    assert page.locator("dialog[open]").count() == 0


def test_j_and_k_move_through_rows(opened, mia):
    page = opened("/page/", mia)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Second")).to_be_focused()
    page.keyboard.press("k")

    expect(page.get_by_role("link", name="First")).to_be_focused()


def test_the_theme_is_switched_by_a_key_and_kept(opened, mia):
    page = opened("/page/", mia)
    with page.expect_response("**/access/theme/"):
        page.keyboard.press("t")
    page.reload()

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    mia.refresh_from_db()
    assert mia.theme == "dark"


def test_the_palette_finds_and_goes_with_the_keyboard_alone(opened, mia):
    page = opened("/page/", mia)
    page.keyboard.press("/")
    expect(page.get_by_role("option")).to_have_count(2)
    page.keyboard.type("mod")
    expect(page.get_by_role("option")).to_have_count(1)
    assert violations(page) == []
    expect(page.get_by_role("option", selected=True)).to_have_text("Models")
    page.keyboard.press("Enter")

    page.wait_for_url("**/work/models/")


def test_a_dangerous_dialog_opens_on_the_safe_button_and_waits_for_the_typed_name(opened, mia):
    page = opened("/styleguide/", mia)
    opener = page.locator("[commandfor=sample-dialog][command=show-modal]")
    opener.click()
    dialog = page.locator("#sample-dialog")

    expect(dialog.get_by_role("button", name="Keep canary")).to_be_focused()
    expect(dialog.locator(".sure")).to_be_disabled()
    assert violations(page) == []
    dialog.locator("[data-match]").fill("3.2.0")
    expect(dialog.locator(".sure")).to_be_enabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_drawer_opens_closes_and_returns_the_focus(opened, mia):
    page = opened("/page/", mia, width=390)
    toggle = page.get_by_role("button", name="Menu")
    toggle.click()
    expect(page.get_by_role("link", name="Runs 2")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.locator("#nav")).to_be_hidden()
    expect(toggle).to_be_focused()


def test_charts_take_their_colours_from_the_theme(opened, mia):
    page = opened("/styleguide/", mia)
    line = page.locator("#sample-loss .scatterlayer .trace path.js-line").nth(1)
    expect(line).to_have_css("stroke", "rgb(43, 80, 212)")
    page.locator("main [data-theme-toggle]").click()

    expect(line).to_have_css("stroke", "rgb(127, 155, 255)")


def test_on_paper_charts_are_light_and_as_wide_as_their_column_and_afterwards_as_before(opened, mia):
    page = opened("/styleguide/", mia)
    page.locator("main [data-theme-toggle]").click()
    line, drawing = (
        page.locator("#sample-loss .scatterlayer .trace path.js-line").nth(1),
        page.locator("#sample-loss .main-svg").first,
    )
    expect(line).to_have_css("stroke", "rgb(127, 155, 255)")

    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(line).to_have_css("stroke", "rgb(43, 80, 212)")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 900})
    assert drawing.evaluate(
        "svg => svg.getBoundingClientRect().width <= svg.closest('.plot').clientWidth + 1"
    )
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")

    expect(line).to_have_css("stroke", "rgb(127, 155, 255)")
    assert drawing.get_attribute("viewBox") is None


def test_a_chart_grows_by_the_points_since(opened, mia):
    page = opened("/styleguide/", mia)
    page.locator("#sample-loss svg.main-svg").first.wait_for()
    page.evaluate(
        """() => { const old = document.getElementById("sample-loss"), next = old.cloneNode(true), plot = next.querySelector(".plot");
        plot.replaceChildren(); plot.className = "plot tall"; plot.dataset.chartUpdates = "/points/";
        old.replaceWith(next); htmx.trigger(next, "htmx:load", {elt: next}); }"""  # noqa: E501
    )
    grown = """() => new Promise((done) => { const look = () => { const data = document.querySelector("#sample-loss .plot").data;
        if (data?.[1].x.at(-1) === 780) done(data.map((trace) => trace.y.at(-1))); else requestAnimationFrame(look); }; look(); })"""  # noqa: E501

    assert page.evaluate(grown) == [0.09, 0.33]


def test_a_file_is_named_after_it_was_chosen(opened, mia, tmp_path):
    (tmp_path / "train.csv").write_bytes(b"x" * 2_500_000)
    page = opened("/styleguide/", mia)
    page.locator("input[type=file]").set_input_files(tmp_path / "train.csv")

    expect(page.locator(".drop-say")).to_have_text("train.csv, 2.5 MB")
