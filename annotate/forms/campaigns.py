from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from annotate.forms.asked import AskedForm
from annotate.models import Campaign
from annotate.queries import people_with_a_role
from pairselect.accounts.roles import ANNOTATOR
from pairselect.designs.queries import openable_designs

NO_ANNOTATOR = _("One of these people is not an annotator any more.")


NO_ACCOUNT = _("One of these people has no account any more.")


class AnnotatorsForm(forms.Form):
    annotators = forms.ModelMultipleChoiceField(
        User.objects.filter(is_active=True, groups__name=ANNOTATOR).order_by("username"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("Who compares"),
        error_messages={"invalid_choice": NO_ANNOTATOR, "invalid_pk_value": NO_ANNOTATOR},
    )


class AdjudicationForm(forms.Form):
    adjudicate = forms.ChoiceField(
        label=_("An adjudicator decides"),
        choices=Campaign.Adjudicate.choices,
        widget=forms.RadioSelect,
        help_text=_("Once all labels of a pair are there."),
    )
    adjudicators = forms.ModelMultipleChoiceField(
        people_with_a_role(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("Adjudicators"),
        help_text=_("Nobody decides a pair that they labelled themselves."),
        error_messages={
            "invalid_choice": NO_ACCOUNT,
            "invalid_pk_value": NO_ACCOUNT,
        },
    )


class PriceForm(forms.Form):
    """What people are paid. Without a price nothing is said of costs."""

    price = forms.DecimalField(
        label=_("Price"),
        min_value=0,
        max_digits=10,
        decimal_places=4,
        required=False,
        widget=forms.NumberInput(attrs={"step": "any"}),
        help_text=_("Empty: not known."),
    )
    priced_by = forms.ChoiceField(
        label=_("For each"),
        choices=[
            (Campaign.PricedBy.LABEL, _("label that stands, and decision of an adjudicator")),
            (Campaign.PricedBy.HOUR, _("active hour, checks and onboarding among them")),
        ],
        widget=forms.RadioSelect,
    )
    currency = forms.RegexField(
        r"^[A-Za-z]{3}$",
        label=_("Currency"),
        required=False,
        widget=forms.TextInput(attrs={"maxlength": 3, "size": 4, "autocapitalize": "characters"}),
        help_text=_("Three letters: EUR, USD."),
        error_messages={"invalid": _("A currency is three letters, as EUR or USD.")},
    )

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if found.get("price") is not None and not found.get("currency") and not self.errors:
            self.add_error("currency", _("Say in which currency."))
        return found


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
