from typing import Any

from django import forms

from pairselect.core import STRATEGIES
from pairselect.designs.models import Design
from pairselect.pools.models import Pool
from pairselect.pools.queries import DEFAULT_FEATURES, FEATURE_KINDS, pairs_at_most

MOST = 2**31 - 1  # of an integer column
TITLES = {
    "trace": "trace: the pairs whose labels tell most",
    "uniform": "uniform: pairs at random, as a control",
}
STRATEGY_CHOICES = [(name, TITLES.get(name, name)) for name in STRATEGIES]


class DesignForm(forms.Form):
    pool = forms.ModelChoiceField(Pool.objects.all())
    name = forms.CharField(max_length=100)
    budget = forms.IntegerField(
        min_value=1, max_value=MOST, help_text="How many pairs you will have labelled."
    )
    strategy = forms.ChoiceField(choices=STRATEGY_CHOICES, initial="trace")
    method = forms.ChoiceField(
        choices=Design.Method.choices, initial=Design.Method.EXACT, required=False
    )
    max_per_prompt = forms.IntegerField(
        min_value=1,
        max_value=MOST,
        required=False,
        label="Pairs a prompt, at most",
        help_text="Empty: as many as the design finds useful.",
    )
    feature_kind = forms.ChoiceField(
        choices=[(name, name.replace("_", " ")) for name in FEATURE_KINDS],
        initial=DEFAULT_FEATURES,
        required=False,
        label="Features",
    )
    dimension = forms.IntegerField(
        min_value=1,
        max_value=4096,
        required=False,
        label="Feature dimensions, at most",
        help_text="Empty: half the budget, up to 128.",
    )
    seed = forms.IntegerField(min_value=0, max_value=2**63 - 1, initial=0)

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        pool, budget = data.get("pool"), data.get("budget")
        if pool is not None and budget is not None:
            most = pairs_at_most(pool, data.get("max_per_prompt"))
            if budget > most > 0:
                cap = " under that cap" if data.get("max_per_prompt") else ""
                self.add_error("budget", f"The pool has {most:,} pairs{cap}; ask for no more.")
        return data

    def clean_method(self) -> str:
        return self.cleaned_data["method"] or Design.Method.EXACT

    def clean_feature_kind(self) -> str:
        return self.cleaned_data["feature_kind"] or DEFAULT_FEATURES
