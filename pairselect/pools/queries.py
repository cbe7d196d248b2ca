from django.conf import settings
from django.db.models import Count, QuerySet

from pairselect.pools.models import Completion, FeatureSet, Pool, PromptSet

# What the engine can extract, by name; a test holds the two lists together.
FEATURE_KINDS = ("mean_middle", "last_token")
DEFAULT_FEATURES = "mean_middle"


def prompt_sets() -> QuerySet[PromptSet]:
    return PromptSet.objects.annotate(pool_count=Count("pools"))


def pools() -> QuerySet[Pool]:
    return Pool.objects.select_related("prompt_set").annotate(completion_count=Count("completions"))


def completions_in_order(pool: Pool) -> QuerySet[Completion]:
    """The completions in the order of the feature arrays' rows."""
    return Completion.objects.filter(pool=pool).order_by("prompt__position", "index")


def completions_expected(pool: Pool) -> int:
    """How many completions the pool will have; of an imported one, how many it has."""
    if pool.source == Pool.Source.GENERATED and pool.completions_per_prompt:
        return pool.prompt_set.prompt_count * pool.completions_per_prompt
    return pool.completions.count()


def has_scores(pool: Pool) -> bool:
    """Whether every completion has a score; False of an empty pool."""
    rows = pool.completions.order_by().aggregate(all=Count("pk"), scored=Count("score"))
    return bool(0 < rows["all"] == rows["scored"])


def reference_model(pool: Pool) -> str:
    """The model whose features describe the pool: the one that wrote it, where it is known."""
    if pool.source == Pool.Source.GENERATED:
        return pool.model
    return str(settings.PAIRSELECT_MODEL)


def finished_features(pool: Pool, kind: str = DEFAULT_FEATURES) -> FeatureSet | None:
    """The pool's newest complete feature set of that kind."""
    return pool.feature_sets.filter(kind=kind, completed_at__isnull=False).first()
