from datetime import UTC, datetime, timedelta

from django.utils import timezone

from lifecycle.ui.charts import Chart
from lifecycle.ui.marks import Figure, Step

AT = datetime(2025, 11, 24, 16, 10, 5, tzinfo=UTC)
HASH = "8c3456a7506c79f20e11e94f29cd381fec2faaf4e82b7f77b59150657556b322"


def test_state_takes_a_kind_or_a_word(render):
    assert render("{% verdict code %}", code="unclear") == '<span class="st half">no clear difference</span>'
    assert render("{% verdict code %}", code="worse") == '<span class="st bad">worse</span>'
    assert render('{% state "ok" "10 passed" %}') == '<span class="st ok">10 passed</span>'
    assert (
        render("{% state word boxed=True %}", word="Rolled back")
        == '<span class="st bad boxed">Rolled back</span>'
    )


def test_digest_has_a_copy_button_by_default(render):
    assert f'data-copy="{HASH}"' in render("{% digest value %}", value=HASH)
    assert "<button" not in render("{% digest value False %}", value=HASH)


def test_when_has_the_full_time_in_its_title(render):
    assert (
        render("{% when at %}", at=AT)
        == '<time datetime="2025-11-24T16:10:05+00:00" title="Monday 24 November 2025, 16:10:05 UTC">24 Nov'
        " 2025 16:10</time>"
    )
    assert render('{% when at none="never" %}', at=None) == '<span class="muted">never</span>'


def test_when_can_be_relative(render):
    assert ">3\u00a0min ago</time>" in render(
        "{% when at relative=True %}", at=timezone.now() - timedelta(minutes=3, seconds=5)
    )


def test_person_shows_initials_and_marks_yourself(render):
    assert (
        render("{% person who %}", who="Mia <Trainer>")
        == '<span class="person"><span class="avatar" aria-hidden="true">MT</span><span>Mia'
        " &lt;Trainer&gt;</span></span>"
    )
    assert '<span class="muted">you</span>' in render("{% person who who %}", who="Mia")
    assert "System" in render("{% person None %}")


def test_missing_numbers_show_not_measured(render):
    source = (
        "{{ n|count }};{{ n|decimals:2 }};{{ n|signed }};{{ n|percent:1 }};{{ n|ms }};{{ n|size }};{{"
        " n|duration }}"
    )

    assert set(render(source, n=None).split(";")) == {"Not measured"}
    assert render(source, n=1) == "1;1.00;+1.000;100.0\u00a0%;1.0\u00a0ms;1\u00a0B;1\u00a0s"


def test_text_filters_escape_once(render):
    assert (
        render("{{ text|inert }}", text="<i>\u202e")
        == '&lt;i&gt;<span class="unseen" title="Right-to-left override">U+202E</span>'
    )
    assert render("{{ name|label }}", name="a_b") == "a_<wbr>b"


def test_icons_are_hidden_from_screen_readers(render):
    html = render('{% icon "copy" %}')

    assert html.startswith("<svg")
    assert 'class="i"' in html
    assert 'aria-hidden="true"' in html


def test_a_thread_marks_this_object_and_what_is_not_there_yet(render):
    steps = [
        Step("Dataset", "banking <77>", "/d/"),
        Step("Run", "184", at="now"),
        Step("Version", "none", at="next"),
    ]

    assert (
        render("{% thread steps %}", steps=steps).strip()
        == '<ol class="thread" aria-label="Lineage"><li><small>Dataset</small><a href="/d/">banking'
        ' &lt;77&gt;</a></li><li aria-current="step"><small>Run</small>184</li><li'
        ' class="next"><small>Version</small>none</li></ol>'
    )


def test_a_digest_in_a_thread_has_a_text_alternative(render):
    html = render("{% thread steps %}", steps=[Step("Snapshot", "version 7", "/s/", digest=HASH)])

    assert '<code>8c3456a7</code></span><span class="vh"> version 7</span></a>' in html


def test_figures_have_references_and_admit_gaps(render):
    figures = [
        Figure("Macro-F1", "0.921", sub="on 3.2.0", change="+0.009", good=True),
        Figure("Cost", None, sub="no price set"),
    ]

    assert (
        render("{% figs figures %}", figures=figures).strip()
        == '<dl class="figs"><div><dt>Macro-F1</dt><dd>0.921</dd><dd class="sub"><span'
        ' class="up">+0.009</span> on 3.2.0</dd></div><div><dt>Cost</dt><dd class="none">Not'
        ' measured</dd><dd class="sub">no price set</dd></div></dl>'
    )


def chart(**changes):
    figure = {"data": [{"x": [1], "y": [2], "name": "</script>"}]}
    return Chart(
        **{
            "id": "loss",
            "lead": "Loss <fell>",
            "caption": "by half.",
            "figure": figure,
            "head": ["step"],
            "rows": [[1]],
        }
        | changes
    )


def test_a_chart_has_its_finding_its_data_and_its_table(render):
    html = render("{% chart chart %}", chart=chart(size="tall", updates_url="/points/"))

    assert "<figcaption><strong>Loss &lt;fell&gt;</strong> by half.</figcaption>" in html
    assert (
        'role="img" aria-label="Loss &lt;fell&gt; by half." data-chart="loss-figure"'
        ' data-chart-updates="/points/"></div>' in html
    )
    assert '<div class="plot tall" ' in html
    assert '<script id="loss-figure" type="application/json">' in html
    assert "\\u003C/script\\u003E" in html
    assert '<th scope="col">step</th>' in html
    assert "<td>1</td>" in html


def test_a_chart_without_updates_does_not_ask_for_any(render):
    assert "data-chart-updates" not in render("{% chart chart %}", chart=chart())


def test_find_is_empty_for_rooms_that_are_not_there(render):
    assert render('{% find "nowhere:at_all" as url %}[{{ url }}]') == "[]"
