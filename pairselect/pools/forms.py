from itertools import product
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from pairselect.pools.language import offered_models, on_server
from pairselect.pools.models import ScoreSet
from pairselect.pools.queries import answerable_prompt_sets
from pairselect.pools.recipes import Recipe
from pairselect.pools.words import whole

MOST_EACH = 20  # temperatures, and system prompts
MOST_COMPLETIONS = 1000  # of a prompt


class PoolForm(forms.Form):
    """A pool to generate, by each model at each temperature with each system prompt.

    On the web the models are those that the operator offers: which files and addresses a worker
    opens is not a web form's to say.
    """

    prompt_set = forms.ModelChoiceField(answerable_prompt_sets(), label=_("Prompt set"))
    name = forms.CharField(max_length=100, label=_("Name"))
    model = forms.MultipleChoiceField(
        label=_("Models"), required=False, widget=forms.CheckboxSelectMultiple
    )
    temperature = forms.CharField(
        initial="1.0",
        label=_("Temperatures"),
        help_text=_("1 samples the model as it is. Several, such as 0.7, 1.0, give more variety."),
    )
    system_prompt = forms.CharField(
        required=False,
        label=_("System prompts"),
        max_length=50_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "For variety in the answers; people and the dataset see the prompt without it. "
            "Several are separated by a line with ---, and an empty one stands for none."
        ),
    )
    completions = forms.IntegerField(
        min_value=1,
        max_value=1000,
        initial=8,
        label=_("Completions a prompt"),
        help_text=_("By each model, at each temperature, with each system prompt."),
    )
    max_new_tokens = forms.IntegerField(
        min_value=1, max_value=32768, initial=128, label=_("Max new tokens")
    )
    top_p = forms.FloatField(min_value=0.01, max_value=1, initial=1.0, label=_("Top p"))
    seed = forms.IntegerField(min_value=0, max_value=2**63 - 1, initial=0, label=_("Seed"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        models = self.fields["model"]
        assert isinstance(models, forms.MultipleChoiceField)
        models.choices = [(name, name) for name in offered_models()]
        models.initial = [settings.PAIRSELECT_MODEL]
        if len(models.choices) == 1:
            models.widget = forms.MultipleHiddenInput()

    def clean_model(self) -> list[str]:
        names = [name.strip() for name in self.cleaned_data["model"]]
        if any(len(name) > 300 for name in names):
            raise forms.ValidationError(gettext("A model's name has at most 300 characters."))
        return list(filter(None, names)) or [str(settings.PAIRSELECT_MODEL)]

    def clean_temperature(self) -> list[float]:
        try:
            found = [float(text) for text in self.cleaned_data["temperature"].split(",")]
        except ValueError:
            found = []
        if not 0 < len(found) <= MOST_EACH or not all(0.01 <= value <= 10 for value in found):
            said = gettext("Give numbers from 0.01 to 10, separated by commas, %(most)s at most.")
            raise forms.ValidationError(said % {"most": MOST_EACH})
        return found

    def clean_system_prompt(self) -> list[str]:
        lines = self.cleaned_data["system_prompt"].splitlines()
        blocks: list[list[str]] = [[]]
        for line in lines:
            if line.strip() == "---":
                blocks.append([])
            else:
                blocks[-1].append(line)
        if len(blocks) > MOST_EACH:
            said = gettext("There are %(number)s; the limit is %(most)s.")
            raise forms.ValidationError(said % {"number": whole(len(blocks)), "most": MOST_EACH})
        return ["\n".join(block).strip() for block in blocks]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if {"model", "temperature", "system_prompt", "completions", "top_p"} <= data.keys():
            data["recipes"] = list(
                dict.fromkeys(
                    Recipe(model, temperature, data["top_p"], system)
                    for model, system, temperature in product(
                        data["model"], data["system_prompt"], data["temperature"]
                    )
                )
            )
            each = data["completions"] * len(data["recipes"])
            if each < 2:
                said = gettext("Two at least: one is not compared with anything.")
                self.add_error("completions", said)
            elif each > MOST_COMPLETIONS:
                said = gettext(
                    "That makes %(number)s a prompt, of all models, temperatures and system "
                    "prompts together; the limit is %(most)s."
                )
                facts = {"number": whole(each), "most": whole(MOST_COMPLETIONS)}
                self.add_error("completions", said % facts)
        return data

    @property
    def settings(self) -> dict[str, Any]:
        """What `create_pool` takes."""
        names = ("prompt_set", "name", "recipes", "completions", "max_new_tokens", "seed")
        return {name: self.cleaned_data[name] for name in names}


class AnyModels(forms.MultipleChoiceField):
    """At the terminal the operator names what they like."""

    def valid_value(self, value: str) -> bool:
        return True


class TerminalPoolForm(PoolForm):
    model = AnyModels(required=False)


class ScoreForm(forms.Form):
    """Scores by a reward model, or by a judge on a server; each among those on offer."""

    model = forms.ChoiceField(label=_("Scored by"))
    rubric = forms.CharField(
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=_("Rubric"),
        help_text=_(
            "For a judge: what makes an answer good. Empty: how helpful and correct it is."
        ),
    )
    name = forms.CharField(
        max_length=100,
        required=False,
        label=_("Name"),
        help_text=_("Empty: the model's name. It tells scores apart."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["model"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, name) for name in score_models()]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        judge = on_server(data.get("model", ""))
        data["source"] = ScoreSet.Source.JUDGE if judge else ScoreSet.Source.REWARD
        if not judge:
            data["rubric"] = ""
        return data


class AnyModel(forms.ChoiceField):
    def valid_value(self, value: str) -> bool:
        return True


class TerminalScoreForm(ScoreForm):
    model = AnyModel()


def score_models() -> list[str]:
    """The operator's reward models, and the models on servers, which can judge."""
    judges = [name for name in offered_models() if on_server(name)]
    return [*settings.PAIRSELECT_REWARD_MODELS, *judges]
