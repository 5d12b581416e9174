import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template import TemplateSyntaxError
from django.template.loader import get_template

from lifecycle.ui import navigation
from lifecycle.ui.navigation import NavItem
from registry.ground.access.models import User
from tests.support.pages import render_shown

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted(
    path.relative_to(ROOT / "templates").as_posix() for path in (ROOT / "templates").rglob("*.html")
)
INLINE = re.compile(
    r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*(\ssrc=|type=\"application/json\"))|hx-on|javascript:|//cdn|https?://(?!www\.w3\.org)"
)


def faults(name: str) -> list[str]:
    """Why a template doesn't compile, or its inline code that belongs in a file of its own."""
    try:
        get_template(name)
    except TemplateSyntaxError as error:
        return [str(error)]
    return [found.group() for found in INLINE.finditer((ROOT / "templates" / name).read_text())]


def test_every_template_compiles_and_has_nothing_inline():
    assert {name: found for name in TEMPLATES if (found := faults(name))} == {}


@pytest.mark.parametrize("name", ["400.html", "403_csrf.html", "500.html"])
def test_the_pages_of_a_failing_server_need_no_request(name):
    html = get_template(name).render()

    assert html.count("<h1>") == 1
    assert 'data-theme="' not in html


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chosen_theme_is_in_the_page_before_any_script(theme, rf, user):
    user.theme = theme

    assert f'<html lang="en" data-theme="{theme}">' in page(rf, user)


def test_without_a_choice_the_system_decides(rf, user):
    assert '<html lang="en">' in page(rf, user)


def test_single_keys_can_be_switched_off(rf, user):
    assert 'data-keys="on"' in page(rf, user)
    user.single_keys = False
    assert 'data-keys="off"' in page(rf, user)


@pytest.mark.urls("tests.lifecycle.ui.urls")
@pytest.mark.usefixtures("empty_registries")
def test_the_navigation_holds_links_and_empty_places_for_counts(rf, user):
    navigation.register(
        NavItem(
            "Training",
            "Runs",
            "work:runs",
            count=lambda user: pytest.fail("counted while the page was made"),
            hot=True,
            key="r",
        )
    )

    html = page(rf, user)

    assert '<li><a href="/work/runs/">Runs <span class="n hot" id="count-work-runs"></span></a></li>' in html
    assert 'hx-get="/home/counts/" hx-trigger="load, every 60s" hx-swap="none"' in html
    assert '<a href="/work/runs/" data-go="r">Runs</a>' in html


@pytest.mark.urls("tests.lifecycle.ui.urls")
@pytest.mark.usefixtures("empty_registries")
def test_counts_come_out_of_band():
    navigation.register(NavItem("Training", "Runs", "work:runs", count=lambda user: 2))
    navigation.register(NavItem("Training", "Compare", "work:compare", 200, count=lambda user: 0))

    html = render_shown("components/navigation_counts.html", {"counts": navigation.counts("mia")})

    assert '<span class="n" id="count-work-runs" hx-swap-oob="true">2</span>' in html
    assert '<span class="n" id="count-work-compare" hx-swap-oob="true"></span>' in html


def test_a_stranger_sees_no_navigation(rf):
    html = render_shown("404.html", {}, rf.get("/"))

    assert "data-palette" not in html
    assert 'class="who"' not in html


def test_a_dialog_asks_for_reason_and_typed_name(rf):
    seen = {"seen": "a<b"}
    context = {
        "id": "roll",
        "title": "Roll back?",
        "text": "All traffic.",
        "action": "/roll/",
        "confirm": "Roll back",
        "kind": "danger",
    }

    html = render_shown(
        "components/dialog.html",
        context | {"match": "3.2.0", "reason": True, "hidden_fields": seen},
        rf.get("/"),
    )

    assert 'name="csrfmiddlewaretoken"' in html
    assert '<input type="hidden" name="seen" value="a&lt;b">' in html
    assert 'name="reason" rows="2" required' in html
    assert 'name="typed" required autocomplete="off" spellcheck="false" data-match="3.2.0"' in html
    assert (
        '<button class="btn" type="button" command="close" commandfor="roll" autofocus>Cancel</button>'
        in html
    )
    assert '<button class="btn sure danger">Roll back</button>' in html


def test_a_pager_has_no_page_numbers(render):
    html = render(
        '{% include "components/pager.html" with page=page noun="items" only %}',
        page={"about": 312, "as_of": None, "previous": "", "next": "?after=9"},
    )

    assert "about 312 items" in html
    assert '<span class="btn small" aria-disabled="true">Previous</span>' in html
    assert '<a class="btn small" rel="next" href="?after=9">Next</a>' in html


def test_progress_of_unknown_length_is_busy(render):
    known = render(
        '{% include "components/progress.html" with id="p" label="Step 7" value=7 max=9 left="2 s left"'
        " only %}"
    )
    unknown = render('{% include "components/progress.html" with id="p" label="Reading" only %}')

    assert '<progress id="p" max="9" value="7">7 of 9</progress>' in known
    assert '<progress id="p" aria-busy="true"></progress>' in unknown


def test_scripts_use_no_eval_and_no_markup_from_strings():
    for script in (ROOT / "static/js").glob("*.js"):
        source = script.read_text()
        assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write", source), (
            script.name
        )
        assert source.startswith("// @ts-check"), script.name


@pytest.fixture
def user(empty_registries):
    return User(username="mia", display_name="Mia Trainer")


def page(rf, user):
    request = rf.get("/")
    request.user = user
    return render_shown("404.html", {}, request)
