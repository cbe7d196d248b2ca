from django.db.models import Count, QuerySet

from pairselect.designs.models import Design, SelectedPair


def designs() -> QuerySet[Design]:
    return Design.objects.select_related("pool").annotate(pair_count=Count("pairs"))


def pairs_in_order(design: Design) -> QuerySet[SelectedPair]:
    return design.pairs.select_related("prompt", "first", "second").order_by("position")
