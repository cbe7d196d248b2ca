from annotate.models.assessments import Assessment
from annotate.models.assignments import Assignment
from annotate.models.campaigns import Campaign, Guideline, Participation
from annotate.models.comparisons import Comparison, Gold
from annotate.models.exports import Export
from annotate.models.judgements import Edit, Flag, Judgement
from annotate.models.machines import Machine
from annotate.models.preferences import Preferences
from annotate.models.tallies import Tally

__all__ = [
    "Assessment",
    "Assignment",
    "Campaign",
    "Comparison",
    "Edit",
    "Export",
    "Flag",
    "Gold",
    "Guideline",
    "Judgement",
    "Machine",
    "Participation",
    "Preferences",
    "Tally",
]
