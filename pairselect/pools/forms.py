from django import forms
from django.conf import settings

from pairselect.pools.models import PromptSet


class PromptFileForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="What you will call these prompts.")
    file = forms.FileField(
        help_text='JSONL: {"prompt": "…"} or {"messages": [{"role": …, "content": …}, …]} a line.'
    )


class PoolFileForm(forms.Form):
    name = forms.CharField(max_length=100)
    file = forms.FileField(
        help_text='JSONL: {"prompt": "…", "completions": ["…", {"text": "…"}]} a line.'
    )
    model = forms.CharField(
        max_length=300, required=False, help_text="What wrote the completions, for your records."
    )


class PoolForm(forms.Form):
    """A pool to generate. On the web the model is the operator's, from the settings."""

    prompt_set = forms.ModelChoiceField(PromptSet.objects.filter(imported_at__isnull=False))
    name = forms.CharField(max_length=100)
    model = forms.CharField(max_length=300, required=False)
    completions = forms.IntegerField(
        min_value=2, max_value=1000, initial=8, label="Completions a prompt"
    )
    max_new_tokens = forms.IntegerField(min_value=1, max_value=32768, initial=128)
    temperature = forms.FloatField(
        min_value=0.01, max_value=10, initial=1.0, help_text="1 samples the model as it is."
    )
    top_p = forms.FloatField(min_value=0.01, max_value=1, initial=1.0, label="Top p")
    seed = forms.IntegerField(min_value=0, max_value=2**63 - 1, initial=0)

    def clean_model(self) -> str:
        return self.cleaned_data["model"].strip() or str(settings.PAIRSELECT_MODEL)


class WebPoolForm(PoolForm):
    """Without ``model``: which files and addresses a worker opens is not a web form's to say."""

    model = None  # type: ignore[assignment]
