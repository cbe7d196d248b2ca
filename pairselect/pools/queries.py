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


def pairs_at_most(pool: Pool, max_per_prompt: int | None = None) -> int:
    """How many pairs the pool offers: more than a design finds only if completions are equal."""
    if pool.completed_at is None and pool.completions_per_prompt:
        sizes = [pool.completions_per_prompt] * pool.prompt_set.prompt_count
    else:
        counts = pool.completions.order_by().values("prompt").annotate(size=Count("pk"))
        sizes = list(counts.values_list("size", flat=True))
    pairs = (size * (size - 1) // 2 for size in sizes)
    return sum(min(count, max_per_prompt or count) for count in pairs)


def reference_model(pool: Pool) -> str:
    """The model whose features describe the pool: the one that wrote it, where it is known."""
    if pool.source == Pool.Source.GENERATED:
        return pool.model
    return str(settings.PAIRSELECT_MODEL)


def finished_features(pool: Pool, kind: str = DEFAULT_FEATURES) -> FeatureSet | None:
    """The pool's newest complete feature set of that kind."""
    return pool.feature_sets.filter(kind=kind, completed_at__isnull=False).first()
