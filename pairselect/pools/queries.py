from typing import TypeVar

from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from pairselect.pools.engine.kinds import DEFAULT_KIND, feature_kind
from pairselect.pools.engine.kinds import FEATURE_KINDS as FEATURE_KINDS
from pairselect.pools.language import on_server, usual_reference_model
from pairselect.pools.models import Completion, FeatureSet, Pool, PromptSet, ScoreSet

Row = TypeVar("Row", bound=Model)
DEFAULT_FEATURES = DEFAULT_KIND
MOST_UNSCORED = 0.05  # of a pool's completions
REFUSED = "refused"  # the finish reason of what a server would not write


def is_feature_kind(name: str) -> bool:
    """Whether it is a kind of features; that the model has such a layer, extraction will see."""
    try:
        feature_kind(name)
    except ValueError:
        return False
    return True


def prompt_sets() -> QuerySet[PromptSet]:
    return PromptSet.objects.annotate(pool_count=Count("pools")).order_by("-pk")


def answerable_prompt_sets() -> QuerySet[PromptSet]:
    """Those that a pool can be written for."""
    return PromptSet.objects.filter(imported_at__isnull=False, archived_at=None)


def the_only(rows: QuerySet[Row]) -> Row | None:
    """The row that a form begins with, as there is no other to choose."""
    found = list(rows[:2])
    return found[0] if len(found) == 1 else None


def pools() -> QuerySet[Pool]:
    # Counted for the rows of a page alone: a join would count those of all pools.
    written = Completion.objects.filter(pool=OuterRef("pk")).order_by().values("pool")
    count = Subquery(written.annotate(number=Count("pk")).values("number"))
    return Pool.objects.select_related("prompt_set").annotate(completion_count=Coalesce(count, 0))


def completions_in_order(pool: Pool) -> QuerySet[Completion]:
    """The completions in the order of the feature arrays' rows."""
    return Completion.objects.filter(pool=pool).order_by("prompt__position", "index")


def latest_completions(pool: Pool, count: int = 3) -> QuerySet[Completion]:
    return pool.completions.select_related("prompt", "variant").order_by("-pk")[:count]


def completions_expected(pool: Pool) -> int:
    """How many completions the pool will have; of an imported one, how many it has."""
    if pool.source == Pool.Source.GENERATED and pool.completions_per_prompt:
        return pool.prompt_set.prompt_count * pool.completions_per_prompt
    return pool.completions.count()


def finished_scores(pool: Pool) -> QuerySet[ScoreSet]:
    """The score sets that a design can use, the newest first."""
    return pool.score_sets.filter(completed_at__isnull=False)


def enough_scored(scored: int, total: int) -> bool:
    """Whether scores of so many can be used: others get the mean of their prompt's."""
    return total > 0 and total - scored <= MOST_UNSCORED * total


def has_scores(pool: Pool) -> bool:
    return finished_scores(pool).exists()


def reference_model(pool: Pool) -> str:
    """The model whose features describe the pool: the one that wrote it, where it runs here."""
    for model in pool.variants.values_list("model", flat=True):
        if not on_server(model):
            return model
    return usual_reference_model()


def finished_features(pool: Pool, kind: str = DEFAULT_FEATURES) -> FeatureSet | None:
    """The pool's newest complete feature set of that kind."""
    return pool.feature_sets.filter(kind=kind, completed_at__isnull=False).first()
