from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from annotate.formats import FORMATS
from annotate.forms.asked import AskedForm
from pairselect.accounts.roles import ANNOTATOR
from pairselect.designs.queries import openable_designs

NO_ANNOTATOR = _("One of these people is not an annotator any more.")


class AnnotatorsForm(forms.Form):
    annotators = forms.ModelMultipleChoiceField(
        User.objects.filter(is_active=True, groups__name=ANNOTATOR).order_by("username"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("Who compares"),
        error_messages={"invalid_choice": NO_ANNOTATOR, "invalid_pk_value": NO_ANNOTATOR},
    )


class GuidelinesForm(forms.Form):
    guidelines = forms.CharField(
        label=_("Guidelines"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 5, "dir": "auto"}),
        help_text=_("What “better” means here. Markdown."),
    )

    def clean_guidelines(self) -> str:
        """As it was typed: browsers end lines with two characters."""
        text: str = self.cleaned_data["guidelines"]
        return text.replace("\r\n", "\n")


class CampaignForm(AskedForm, AnnotatorsForm, GuidelinesForm):
    """All of a new campaign. What comes out are arguments of `create_campaign`."""

    design = forms.ModelChoiceField(openable_designs(), label=_("Design"))
    name = forms.CharField(max_length=100, label=_("Name"))
    field_order = ("design", "name", "annotators", "guidelines")

    def main_fields(self) -> list[Any]:
        return [self[name] for name in self.field_order]


class ExportForm(forms.Form):
    format = forms.ChoiceField(
        label=_("Format"), choices=[(one.name, one.title) for one in FORMATS.values()]
    )
