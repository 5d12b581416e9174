import pytest
from django import forms

from lifecycle.runtime.refusals import Refused
from lifecycle.ui.forms import Problem, add_refusal, cleaned, errors_of, problems
from tests.support.pages import as_shown


class RunForm(forms.Form):
    rank = forms.IntegerField(
        label="LoRA rank",
        max_value=64,
        help_text="1 to <64>.",
        widget=forms.NumberInput(attrs={"class": "narrow"}),
    )
    note = forms.CharField(required=False)
    early = forms.BooleanField(label="Stop early", required=False)
    strategy = forms.ChoiceField(
        choices=[("lora", "LoRA"), ("full", "All weights")], widget=forms.RadioSelect
    )
    file = forms.FileField(required=False)

    def clean(self):
        raise forms.ValidationError("The queue is full (8 of 8).")


@pytest.fixture
def wrong():
    return RunForm({"rank": "128", "strategy": "lora"})


def test_a_text_field_has_our_class_beside_its_own(wrong):
    assert 'class="narrow in"' in str(wrong["rank"])
    assert 'class="in"' in str(wrong["note"])
    assert "class=" not in str(wrong["early"])
    assert "class=" not in str(wrong["file"])


def test_screen_readers_announce_a_wrong_field(wrong):
    html = wrong["rank"].as_field_group()

    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_rank_helptext id_rank_error"' in html
    assert '<span class="help" id="id_rank_helptext">1 to &lt;64&gt;.</span>' in html
    assert 'id="id_rank_error"' in html
    assert "Ensure this value is less than or equal to 64." in html


def test_only_optional_fields_are_marked(wrong):
    assert '<label for="id_note">Note <span class="opt">optional</span></label>' in as_shown(
        wrong["note"].as_field_group()
    )
    assert '<label for="id_rank">LoRA rank</label>' in as_shown(wrong["rank"].as_field_group())


def test_a_checkbox_is_before_its_label(wrong):
    html = wrong["early"].as_field_group()

    assert (
        '<label class="check" for="id_early"><input type="checkbox" name="early" id="id_early"><span>Stop'
        " early</span></label>" in html
    )


def test_choices_are_a_group_with_a_legend(wrong):
    html = as_shown(wrong["strategy"].as_field_group())

    assert "<fieldset><legend>Strategy</legend>" in html
    assert html.count('<label class="check"') == 2


def test_a_file_can_be_dropped(wrong):
    assert '<div class="drop" data-drop>' in wrong["file"].as_field_group()


def test_problems_come_in_the_order_of_the_page(wrong):
    assert problems(wrong) == [
        Problem("", "", "The queue is full (8 of 8)."),
        Problem("id_rank", "LoRA rank", "Ensure this value is less than or equal to 64."),
    ]


def test_the_summary_links_to_the_fields_and_takes_the_focus(wrong, render):
    html = render("{% error_summary form 'The run is incomplete.' %}", form=wrong)

    assert 'role="alert" tabindex="-1" data-focus' in html
    assert "The run is incomplete. Fix 2 fields." in html
    assert '<li><a href="#id_rank">LoRA rank</a>: Ensure this value is less than or equal to 64.</li>' in html


def test_a_form_in_order_has_no_summary(render):
    class Plain(forms.Form):
        note = forms.CharField(required=False)

    assert render("{% error_summary form %}", form=Plain()).strip() == ""
    assert render("{% error_summary form %}", form=Plain({})).strip() == ""


def test_a_whole_form_renders_with_its_hidden_fields():
    class Seen(forms.Form):
        note = forms.CharField()
        digest = forms.CharField(widget=forms.HiddenInput)

    html = as_shown(str(Seen({"note": "", "digest": "abc"})))

    assert "Fix 1 field." in html
    assert '<input type="hidden" name="digest" value="abc"' in html


class Two(forms.Form):
    name = forms.CharField()
    unit = forms.CharField()


def refused(refusal):
    form = Two({"name": "a", "unit": "b"})
    assert form.is_valid()
    add_refusal(form, refusal)
    return errors_of(form)


def test_a_refusal_of_one_field_shows_the_reason_and_next_step_beside_it():
    errors = refused(
        Refused(
            "There is one of this name.",
            fields={"name": ["Choose another."]},
            next_step="Or rename the other.",
        )
    )

    assert errors == {"name": ["There is one of this name.", "Choose another.", "Or rename the other."]}


def test_a_refusal_of_several_fields_shows_each_ones_error():
    errors = refused(Refused("It was not made.", fields={"name": ["Too long."], "unit": ["Unknown."]}))

    assert errors == {"name": ["Too long."], "unit": ["Unknown."]}


def test_a_refusal_without_a_field_is_above_the_form():
    assert refused(Refused("It is frozen.", next_step="Lift the freeze.")) == {
        "__all__": ["It is frozen. Lift the freeze."]
    }
    assert refused(Refused("No.", fields={"seen": ["It has changed."]})) == {
        "__all__": ["No. It has changed."]
    }


def test_a_dialog_that_is_not_complete_is_refused_with_its_fields():
    with pytest.raises(Refused) as refusal:
        cleaned(Two({"name": "a"}))

    assert refusal.value.fields == {"unit": ["This field is required."]}
    assert cleaned(Two({"name": "a", "unit": "b"})) == {"name": "a", "unit": "b"}
