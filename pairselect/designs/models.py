from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from pairselect.core.strategies import AGREEMENT, KEEP
from pairselect.pools.models import Completion, FeatureSet, Pool, Prompt, ScoreSet

# core.Status for people; one that is not here is its own words.
STATUS_TITLES = {
    "converged": _("Converged"),
    "pass_limit": _("Stopped early"),
    "every_pair": _("Every pair"),
    "rank_deficient": _("Too few directions"),
    "few_pairs": _("Too few pairs"),
    "rule": _("By its rule"),
}


# What is expected of a random pair's logit where nobody says otherwise: its standard deviation.
# docs/proof has what it was chosen by.
PRIOR_SD = 0.5


class Design(models.Model):
    """Which pairs of a pool to label: what was asked for, and the receipt of what came out."""

    class Method(models.TextChoices):
        EXACT = "exact", _("exact: the best set found, certified")
        RANDOMIZED = "randomized", _("randomized: known inclusion probabilities")

    class Target(models.TextChoices):
        SAMPLES = "samples", _("samples: the completions as they were drawn")
        POLICY = "policy", _("policy: weighted by the model's own probabilities")
        FITTED = "fitted", _("fitted: weighted by what the labels prefer")  # of a next round

    name = models.CharField(max_length=100, unique=True)
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="designs")
    # What was asked for.
    feature_kind = models.CharField(max_length=40)
    strategy = models.CharField(max_length=40)
    method = models.CharField(max_length=12, choices=Method.choices, default=Method.EXACT)
    budget = models.PositiveIntegerField(help_text="n, the number of pairs to label")
    max_per_prompt = models.PositiveIntegerField(null=True, blank=True)
    dimension = models.PositiveIntegerField(
        null=True, blank=True, help_text="of the reduced features, at most; empty: by the budget"
    )
    ridge = models.FloatField(default=1e-3)
    prior_sd = models.FloatField(
        null=True, blank=True, help_text="of a random pair's logit; empty: the ridge alone"
    )
    tolerance = models.FloatField(default=0.003)
    target = models.CharField(max_length=10, choices=Target.choices, default=Target.SAMPLES)
    keep = models.FloatField(default=KEEP, help_text="share of the pairs that a gap lets through")
    agreement = models.FloatField(
        default=AGREEMENT,
        help_text="share of the labels that follow the scores, where they weigh pairs",
    )
    random_share = models.FloatField(default=0.0, help_text="share of the budget, as a control")
    seed = models.PositiveBigIntegerField(default=0)
    after = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="rounds",
        help_text="the design before it, whose labels it knows and whose pairs it leaves out",
    )
    feature_set = models.ForeignKey(
        FeatureSet,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="designs",
        help_text="the features that it was solved with",
    )
    score_set = models.ForeignKey(
        ScoreSet,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="designs",
        help_text="the scores that the strategy looks at, where it needs some",
    )
    # What came out. Φ is the trace criterion, smaller is better.
    objective = models.FloatField(null=True, blank=True, help_text="Φ of the chosen pairs")
    relaxed_objective = models.FloatField(null=True, blank=True, help_text="Φ of the weights")
    lower_bound = models.FloatField(null=True, blank=True, help_text="no design is below")
    uniform_objective = models.FloatField(null=True, blank=True, help_text="Φ of all pairs alike")
    random_objective = models.FloatField(
        null=True, blank=True, help_text="Φ of as many random pairs, the mean of several draws"
    )
    passes = models.PositiveIntegerField(null=True, blank=True)
    status = models.CharField(max_length=40, blank=True)
    message = models.CharField(max_length=500, blank=True)
    candidate_count = models.PositiveBigIntegerField(null=True, blank=True)
    reduction = models.JSONField(default=dict, help_text="how the features were reduced")
    diagnostics = models.JSONField(default=dict, help_text="as facts.Diagnostics documents")
    seconds = models.FloatField(null=True, blank=True)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    solved_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def has_few_pairs(self) -> bool:
        """Fewer pairs than dimensions: Φ is the ridge's alone, and so is what is made of it."""
        return self.status == "few_pairs"

    @property
    def is_control(self) -> bool:
        """Whether every pair was drawn at random."""
        return bool(self.diagnostics) and self.diagnostics["random_pairs"] == self.budget

    @property
    def gap(self) -> float | None:
        """How far the chosen pairs may be from the best possible choice, as a fraction."""
        if self.objective is None or not self.lower_bound or self.has_few_pairs:
            return None
        return max(self.objective / self.lower_bound - 1, 0.0)

    @property
    def gain(self) -> float | None:
        """Φ of as many random pairs over Φ of the chosen ones."""
        if not self.objective or self.random_objective is None:
            return None
        return self.random_objective / self.objective

    @property
    def worth(self) -> float | None:
        """How many random labels these are worth by the criterion; None where it cannot tell."""
        if self.has_few_pairs:
            return None
        curve: dict[str, float | None] = self.diagnostics.get("curve") or {}
        return curve.get("worth")

    # As the page shows them

    @property
    def gap_percent(self) -> float | None:
        return None if self.gap is None else 100 * self.gap

    @property
    def admissible_gap_percent(self) -> float | None:
        """The gap to the best that the strategy admits, where it does not admit all pairs."""
        found: float | None = self.diagnostics.get("admissible_gap")
        if found is None or self.gap is None or found > self.gap - 5e-5:
            return None
        return 100 * found

    @property
    def strategy_title(self) -> str:
        return self.strategy.replace("_", " ")

    @property
    def status_title(self) -> str:
        return str(STATUS_TITLES.get(self.status, self.status.replace("_", " ").capitalize()))

    @property
    def method_title(self) -> str:
        return self.get_method_display().partition(":")[0]

    @property
    def target_title(self) -> str:
        return self.get_target_display().partition(":")[0]


class SelectedPair(models.Model):
    """One pair to label, its place in the queue, and why it was chosen."""

    design = models.ForeignKey(Design, on_delete=models.CASCADE, related_name="pairs")
    position = models.PositiveIntegerField(help_text="0-based: the first n are a good design too")
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="+")
    first = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="+")
    inclusion_probability = models.FloatField()
    sensitivity = models.FloatField(help_text="d_e: how fast Φ falls with this pair's weight")
    feature_distance = models.FloatField(help_text="‖g_e‖ in the reduced features")
    first_log_prob = models.FloatField(help_text="nats, under the reference model")
    second_log_prob = models.FloatField(help_text="nats, under the reference model")
    is_random = models.BooleanField(default=False, help_text="drawn at random, as a control")
    rationale = models.JSONField(default=dict, help_text="the numbers that its reasons are told by")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["design", "position"], name="one_pair_per_position"),
            models.UniqueConstraint(fields=["design", "first", "second"], name="no_pair_twice"),
        ]

    def __str__(self) -> str:
        return f"pair {self.position} of {self.design_id}"


class Plan(models.Model):
    """What budgets and strategies would bring on a pool: predicted, before a design is saved."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="plans")
    asked = models.JSONField(help_text="of the design that it is made for, as its form has it")
    results = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"plan {self.pk} for {self.pool}"


class KnownLabel(models.Model):
    """A label that a design was made from, as it stood then; a pair may have several."""

    design = models.ForeignKey(Design, on_delete=models.CASCADE, related_name="known_labels")
    first = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="+")
    preference = models.FloatField(help_text="1: the first is better, 0: the second, ½: a tie")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(preference__in=[0, 0.5, 1]), name="preference_is_0_half_or_1"
            )
        ]

    def __str__(self) -> str:
        return f"{self.preference} on {self.first_id} and {self.second_id}"
