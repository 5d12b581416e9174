import hashlib
import re

import pytest
from django.utils.safestring import SafeString

from lifecycle.ui import marks

HASH = "8c3456a7506c79f20e11e94f29cd381fec2faaf4e82b7f77b59150657556b322"


def test_a_digest_is_drawn_from_its_first_eight_digits():
    assert (
        marks.digest("0f" + HASH[2:])
        == f'<span class="digest" title="sha256:0f{HASH[2:]}"><svg class="fp" viewBox="0 0 23 14"'
        ' aria-hidden="true"><rect x="0" y="6" width="2" height="2"/><rect x="3" y="0" width="2"'
        ' height="14"/><rect x="6" y="4.8" width="2" height="4.4"/><rect x="9" y="4.4" width="2"'
        ' height="5.2"/><rect x="12" y="4" width="2" height="6"/><rect x="15" y="3.6" width="2"'
        ' height="6.8"/><rect x="18" y="2" width="2" height="10"/><rect x="21" y="3.2" width="2"'
        ' height="7.6"/></svg><code>0f3456a7</code></span>'
    )


def test_equal_digests_look_equal_and_the_prefix_does_not_matter():
    assert marks.digest("sha256:" + HASH.upper()) == marks.digest(HASH)
    assert marks.digest(hashlib.sha256(b"b").hexdigest()) != marks.digest(HASH)


def test_a_digest_offers_its_whole_value_to_copy():
    html = marks.digest(HASH, icon=SafeString("<svg/>"))

    assert (
        f'<button type="button" data-copy="{HASH}" aria-label="Copy digest 8c3456a7"><svg/></button>' in html
    )


def test_what_is_no_digest_is_escaped_and_not_drawn():
    assert marks.digest("<script>") == "<code>&lt;script&gt;</code>"
    assert marks.digest(None) == '<span class="muted">none</span>'


def test_an_interval_right_of_zero_is_blue_and_labeled():
    assert (
        marks.interval(0.013, 0.006, 0.02, limit=-0.01, scale=0.03)
        == '<svg class="ci" width="150" height="16" viewBox="0 0 150 16" role="img" aria-label="+0.013,'
        ' 95\u00a0% interval +0.006 to +0.020"><line class="zero" x1="75" x2="75" y1="-4" y2="20"/><line'
        ' class="lim" x1="51" x2="51" y1="-4" y2="20"/><line class="rng" x1="89.4" x2="123" y1="8"'
        ' y2="8"/><circle class="pt" cx="106.2" cy="8" r="3"/></svg>'
    )


def test_an_interval_that_holds_zero_is_grey():
    assert marks.interval(-0.005, -0.012, 0.002).startswith('<svg class="ci flat"')
    assert marks.interval(-0.005, -0.012, 0.0).startswith('<svg class="ci flat"')


def test_a_watched_interval_is_marked():
    assert marks.interval(-0.013, -0.031, 0.005, watch=True).startswith('<svg class="ci watch"')


def test_right_is_better_for_values_that_should_fall():
    fallen = marks.interval(-11, -15, -7, better="down", digits=0, scale=20)

    assert 'cx="114.6"' in fallen
    assert 'x1="100.2" x2="129"' in fallen
    assert 'aria-label="−11, 95\u00a0% interval −15 to −7"' in fallen


def test_a_difference_without_its_interval_is_not_drawn():
    assert marks.interval(0.013, None, None) == '<span class="muted">Not measured</span>'


def test_a_spark_keeps_gaps_open():
    assert (
        marks.spark([1, 2, None, 3, 2])
        == '<svg class="spark" width="96" height="20" viewBox="0 0 96 20" aria-hidden="true">'
        '<path d="M2 18L25 10M71 2L94 10"/><circle cx="94" cy="10" r="2.25"/></svg>'
    )
    assert '<circle class="hot" ' in marks.spark([1, 2], hot=True)


def test_a_spark_of_equal_values_is_flat_and_of_one_is_none():
    assert 'd="M2 18L94 18"' in marks.spark([0.5, 0.5])
    assert marks.spark([0.5]) == '<span class="muted">Too few points</span>'
    assert marks.spark([]) == '<span class="muted">Not measured</span>'


@pytest.mark.parametrize(
    ("share", "width"), [(0.38, "38"), (0, "0"), (1.7, "100"), (-1, "0"), (None, "0"), (0.1234, "12.3")]
)
def test_a_bar_is_as_long_as_its_share(share, width):
    assert (
        marks.bar(share)
        == '<svg class="bar judged" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="all" width="100" height="6"/><rect class="part" width="{width}" height="6"/></svg>'
    )


def test_a_bar_with_a_label_is_an_image():
    assert 'role="img" aria-label="4 % left"' in marks.bar(0.04, kind="bad", label="4 % left")


def test_a_state_is_a_mark_and_a_word():
    assert marks.state("ok", "10 gates <passed>") == '<span class="st ok">10 gates &lt;passed&gt;</span>'
    assert marks.state("live", "Canary", boxed=True) == '<span class="st live boxed">Canary</span>'


def test_an_unknown_mark_is_refused():
    with pytest.raises(ValueError, match="'green' isn't a state"):
        marks.state("green", "good")


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("Queued", "wait"),
        ("rolled_back", "bad"),
        ("Production", "prod"),
        ("Succeeded", "ok"),
        ("Curious", "half"),
    ],
)
def test_words_choose_their_mark_and_unknown_ones_promise_nothing(word, kind):
    assert marks.kind_of(word) == kind


def test_no_drawing_carries_inline_style_or_script():
    drawings = [
        marks.digest(HASH),
        marks.interval(1, 0.5, 2),
        marks.spark([1, 2]),
        marks.bar(0.3),
        marks.state("ok", "x"),
    ]

    assert not [drawing for drawing in drawings if re.search(r"\sstyle=|\son\w+=|<script", drawing)]
