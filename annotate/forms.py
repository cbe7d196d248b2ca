from django import forms
from django.contrib.auth.models import User

from annotate.formats import FORMATS
from annotate.models import Judgement
from pairselect.accounts.roles import ANNOTATOR
from pairselect.designs.queries import openable_designs


class AnswerForm(forms.Form):
    choice = forms.ChoiceField(choices=Judgement.Choice.choices)
    token = forms.UUIDField()


class UndoForm(forms.Form):
    judgement = forms.IntegerField(min_value=1, max_value=2**63 - 1)


class AnnotatorsForm(forms.Form):
    annotators = forms.ModelMultipleChoiceField(
        User.objects.filter(is_active=True, groups__name=ANNOTATOR).order_by("username"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Who compares",
        error_messages={
            "invalid_choice": "One of these people is not an annotator any more.",
            "invalid_pk_value": "One of these people is not an annotator any more.",
        },
    )


class InstructionsForm(forms.Form):
    instructions = forms.CharField(
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="What “better” means here. Markdown.",
    )


class CampaignForm(AnnotatorsForm, InstructionsForm):
    design = forms.ModelChoiceField(openable_designs())
    name = forms.CharField(max_length=100)
    field_order = ("design", "name", "annotators", "instructions")


class ExportForm(forms.Form):
    format = forms.ChoiceField(choices=[(one.name, one.title) for one in FORMATS.values()])
