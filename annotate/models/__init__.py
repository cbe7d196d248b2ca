from annotate.models.campaigns import Campaign, Guideline, Participation
from annotate.models.comparisons import Comparison, Gold
from annotate.models.exports import Export
from annotate.models.judgements import Edit, Flag, Judgement
from annotate.models.preferences import Preferences

__all__ = [
    "Campaign",
    "Comparison",
    "Edit",
    "Export",
    "Flag",
    "Gold",
    "Guideline",
    "Judgement",
    "Participation",
    "Preferences",
]
