from typing import Any

from django import forms
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from pairselect.core import STRATEGIES
from pairselect.core.strategies import AGREEMENT, KEEP
from pairselect.designs.budgeting import MOST
from pairselect.designs.fields import percent
from pairselect.designs.grouping import GroupedForm
from pairselect.designs.models import PRIOR_SD, Design
from pairselect.designs.queries import choosable_pairs, choosable_pools
from pairselect.pools.models import Pool, ScoreSet
from pairselect.pools.queries import (
    DEFAULT_FEATURES,
    FEATURE_KINDS,
    finished_scores,
    is_feature_kind,
)
from pairselect.pools.words import whole

STRATEGY_CHOICES = [(name, name.replace("_", " ")) for name in STRATEGIES]


class KindField(forms.ChoiceField):
    """The usual kinds of features are on offer; any layer can be named."""

    def valid_value(self, value: str) -> bool:
        return is_feature_kind(value)


class PoolField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Says of a pool that is put away that it is, which can be helped."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except forms.ValidationError:
            key = str(value.pk if isinstance(value, Pool) else value)
            away = Pool.objects.filter(archived_at__isnull=False)
            if key.isdecimal() and (pool := away.filter(pk=int(key)).first()):
                raise forms.ValidationError(_archived(pool)) from None
            raise


class DesignForm(GroupedForm):
    """What a design is asked for, on the page and at the terminal. Shares are in percent here."""

    pool = PoolField(
        Pool.objects.none(),
        label=_("Pool"),
        error_messages={
            "invalid_choice": _("This pool has no completions to compare; see its page for why.")
        },
    )
    name = forms.CharField(max_length=100, label=_("Name"))
    strategy = forms.ChoiceField(
        choices=STRATEGY_CHOICES,
        initial="trace",
        label=_("Strategy"),
        widget=forms.RadioSelect,
    )
    random_share = percent(
        initial=0,
        # xgettext:no-python-format
        label=_("Random control, % of the budget"),
        help_text=_("Pairs drawn at random among the others, to measure what the choice is worth."),
    )
    keep = percent(
        least=1,
        initial=round(100 * KEEP),
        # xgettext:no-python-format
        label=_("Pairs that trace gap keeps, %"),
        help_text=_("Those whose scores differ most."),
    )
    agreement = percent(
        least=50,
        initial=round(100 * AGREEMENT),
        # xgettext:no-python-format
        label=_("Labels that follow the scores, %"),
        help_text=_(
            "How often people prefer the answer with the higher score, as trace weighted takes it: "
            "the more often, the more it prefers pairs whose scores differ."
        ),
    )
    scores = forms.CharField(
        max_length=100,
        required=False,
        label=_("Scores"),
        help_text=_(
            "Which of the pool's, by name, where the strategy needs some. Empty: the newest."
        ),
    )
    max_per_prompt = forms.IntegerField(
        min_value=1,
        max_value=MOST,
        required=False,
        label=_("Pairs a prompt, at most"),
        help_text=_("Empty: as many as the design finds useful."),
    )
    method = forms.ChoiceField(
        choices=Design.Method.choices,
        initial=Design.Method.EXACT,
        required=False,
        label=_("Method"),
    )
    target = forms.ChoiceField(initial=Design.Target.SAMPLES, required=False, label=_("Target"))
    feature_kind = KindField(
        choices=[(name, name.replace("_", " ")) for name in FEATURE_KINDS],
        initial=DEFAULT_FEATURES,
        required=False,
        label=_("Features"),
    )
    dimension = forms.IntegerField(
        min_value=1,
        max_value=4096,
        required=False,
        label=_("Feature dimensions, at most"),
        help_text=_("Empty: half the labels of all rounds, 4 to 128."),
    )
    ridge = forms.FloatField(
        min_value=1e-9,
        max_value=1e3,
        required=False,
        initial=1e-3,
        label=_("Ridge"),
        help_text=_(
            "λ, relative to the pool: keeps directions without labels from deciding. Leave it "
            "unless “Ridge” on a design’s page says “matters”."
        ),
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    prior_sd = forms.FloatField(
        min_value=1e-3,
        max_value=1e3,
        required=False,
        initial=PRIOR_SD,
        label=_("Expected strength of preference"),
        # E σ(|u|) with u ~ N(0, s²) is 0.596 at s = ½, 0.675 at 1, 0.778 at 2.
        # xgettext:no-python-format
        help_text=_(
            "Standard deviation of a random pair’s logit, as far as the features see it. 0.5: "
            "the better of two random completions is preferred 60% of the time; 1: 67%. The "
            "design leaves alone what so few labels cannot settle. Empty: the ridge alone."
        ),
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    seed = forms.IntegerField(
        min_value=0, max_value=2**63 - 1, initial=0, required=False, label=_("Seed")
    )

    def __init__(
        self, *args: Any, after: Design | None = None, predicts: bool = False, **kwargs: Any
    ) -> None:
        """``after``: of the next round, whose pool is fixed and whose scores the labels give.

        One that ``predicts`` asks for a plan, which needs no name.
        """
        super().__init__(*args, **kwargs)
        self.after = after
        self.fields["name"].required = not predicts
        if after is None:
            choice = self.fields["pool"]
            assert isinstance(choice, forms.ModelChoiceField)
            choice.queryset = choosable_pools()
        else:
            del self.fields["pool"]
        target = self.fields["target"]
        assert isinstance(target, forms.ChoiceField)
        target.choices = [
            (name, title)
            for name, title in Design.Target.choices
            if after is not None or name != Design.Target.FITTED
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if self.after is not None:
            data["pool"] = self.after.pool
            if self.after.pool.archived_at is not None:
                self.add_error(None, _archived(self.after.pool))
                return data
        if data.get("pool") is not None:
            self._check_budget(data["pool"], data.get("budget"), data.get("max_per_prompt"))
            data["score_set"] = self._check_scores(
                data["pool"], data.get("strategy"), data.pop("scores", "")
            )
        return data

    def typed(self) -> dict[str, str]:
        """What was typed, to be shown again: initial values of the same form."""
        return {
            name: str(self.data[name]) for name in self.fields if self.data.get(name) is not None
        }

    def clean_random_share(self) -> float:
        return float(self.cleaned_data["random_share"] or 0) / 100

    def clean_keep(self) -> float:
        return self._or_usual("keep") / 100

    def clean_agreement(self) -> float:
        return self._or_usual("agreement") / 100

    def clean_ridge(self) -> float:
        return self._or_usual("ridge")

    def clean_seed(self) -> int:
        return self.cleaned_data["seed"] or 0

    def clean_method(self) -> str:
        return self.cleaned_data["method"] or Design.Method.EXACT

    def clean_target(self) -> str:
        return self.cleaned_data["target"] or Design.Target.SAMPLES

    def clean_feature_kind(self) -> str:
        return self.cleaned_data["feature_kind"] or DEFAULT_FEATURES

    def _or_usual(self, name: str) -> float:
        value: float | None = self.cleaned_data[name]
        return float(self.fields[name].initial if value is None else value)

    def _check_budget(self, pool: Pool, budget: int | None, cap: int | None) -> None:
        if budget is None:
            return
        found = choosable_pairs(pool, enough=budget, max_per_prompt=cap, after=self.after)
        if found == 0:
            none = gettext("There is no pair to compare in this pool.")
            if self.after:
                none = gettext("There is no pair left to compare in this pool.")
            self.add_error(None, none)
        elif found < budget:
            said = _too_few(found, left=self.after is not None, capped=bool(cap))
            self.add_error("budget", said % {"number": whole(found)})

    def _check_scores(self, pool: Pool, strategy: str | None, name: str) -> ScoreSet | None:
        """The scores that the strategy will look at, if it needs any."""
        if not strategy or "scores" not in STRATEGIES[strategy].needs:
            return None
        if self.after is not None and not STRATEGIES[strategy].outside:
            return None  # they are fitted to the labels
        found = list(finished_scores(pool))
        named = next((one for one in found if one.name == name), None) if name else None
        if name and named is None:
            quoted = gettext("“%(name)s”")
            have = ", ".join(quoted % {"name": one.name} for one in found) or gettext("none")
            said = gettext("The pool has no scores named “%(name)s”; it has %(others)s.")
            self.add_error("scores", said % {"name": name, "others": have})
        elif not found and pool.completed_at is not None:  # else a worker will see
            said = gettext(
                "%(strategy)s needs a score of every completion, and this pool has none: score it, "
                "import it with scores, or choose a strategy that needs none."
            )
            self.add_error("strategy", said % {"strategy": strategy.replace("_", " ")})
        return named or next(iter(found), None)


def _archived(pool: Pool) -> str:
    said = gettext("The pool “%(name)s” is archived: bring it back to choose from it.")
    return said % {"name": pool.name}


def _too_few(found: int, *, left: bool, capped: bool) -> str:
    """What is said of a pool that has fewer pairs than are asked for."""
    if left and capped:
        return ngettext(
            "The pool has %(number)s pair left under that cap; ask for no more.",
            "The pool has %(number)s pairs left under that cap; ask for no more.",
            found,
        )
    if left:
        return ngettext(
            "The pool has %(number)s pair left; ask for no more.",
            "The pool has %(number)s pairs left; ask for no more.",
            found,
        )
    if capped:
        return ngettext(
            "The pool has %(number)s pair under that cap; ask for no more.",
            "The pool has %(number)s pairs under that cap; ask for no more.",
            found,
        )
    return ngettext(
        "The pool has %(number)s pair; ask for no more.",
        "The pool has %(number)s pairs; ask for no more.",
        found,
    )


def settings_of(design: Design) -> dict[str, Any]:
    """A design's settings as the form's initial values."""
    same = ("pool", "budget", "strategy", "max_per_prompt", "method", "target", "feature_kind")
    numbers = ("dimension", "ridge", "prior_sd", "seed")
    values = {name: getattr(design, name) for name in (*same, *numbers)}
    return values | {
        "random_share": round(100 * design.random_share, 6),
        "keep": round(100 * design.keep, 6),
        "agreement": round(100 * design.agreement, 6),
        "scores": design.score_set.name if design.score_set else None,
    }
