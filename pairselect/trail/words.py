"""What each action is called: a sentence for people for each code that is recorded."""

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# %(name)s is the subject's name; the others are details of the entry.
SENTENCES: dict[str, "StrOrPromise"] = {
    "upload.received": _("Uploaded the file of “%(name)s”"),
    "upload.confirmed": _("Confirmed what the file of “%(name)s” is"),
    "upload.discarded": _("Discarded the file of “%(name)s”"),
    "prompt_set.imported": _("Imported the prompt set “%(name)s”"),
    "pool.created": _("Asked for the pool “%(name)s”"),
    "pool.imported": _("Imported the pool “%(name)s”"),
    "pool.generated": _("Generated the pool “%(name)s”"),
    "pool.scored": _("Scored the pool “%(name)s”"),
    "features.asked": _("Asked for features of “%(name)s”"),
    "scores.asked": _("Asked for scores of “%(name)s”"),
    "report.asked": _("Asked for the report of “%(name)s”"),
    "plan.created": _("Asked what a budget in “%(name)s” would be worth"),
    "design.created": _("Asked for the design “%(name)s”"),
    "design.solved": _("Solved the design “%(name)s”"),
    "campaign.created": _("Made the campaign “%(name)s”"),
    "campaign.opened": _("Opened the campaign “%(name)s”"),
    "campaign.asked_changed": _("Changed what “%(name)s” asks"),
    "campaign.guidelines_changed": _("Changed the guidelines of “%(name)s”"),
    "campaign.people_changed": _("Changed who works in “%(name)s”"),
    "campaign.adjudication_changed": _("Changed how disagreements in “%(name)s” are decided"),
    "campaign.price_changed": _("Changed what a label in “%(name)s” costs"),
    "campaign.paused": _("Paused the campaign “%(name)s”"),
    "campaign.resumed": _("Resumed the campaign “%(name)s”"),
    "campaign.closed": _("Closed the campaign “%(name)s”"),
    "campaign.reopened": _("Opened the campaign “%(name)s” again"),
    "campaign.next_round": _("Designed the next round of “%(name)s”"),
    "assessment.asked": _("Asked how far the labels of “%(name)s” can be trusted"),
    "gold.added": _("Added gold pairs to “%(name)s”"),
    "gold.retired": _("Took a gold pair out of “%(name)s”"),
    "gold.restored": _("Brought a gold pair of “%(name)s” back"),
    "machine.created": _("Made the machine “%(name)s”"),
    "machine.assigned": _("Let a machine answer in “%(name)s”"),
    "machine.removed": _("Took a machine out of “%(name)s”"),
    "dispute.settled": _("Decided a disagreement in “%(name)s”"),
    "dispute.undone": _("Took back a decision in “%(name)s”"),
    "flag.resolved": _("Resolved a flag in “%(name)s”"),
    "flag.reopened": _("Opened a flag in “%(name)s” again"),
    "export.started": _("Asked for an export of “%(name)s”"),
    "export.finished": _("Wrote an export of “%(name)s”"),
    "export.downloaded": _("Downloaded an export of “%(name)s”"),
    "export.deleted": _("Deleted the %(name)s"),
    "renamed": _("Renamed “%(before)s” to “%(name)s”"),
    "archived": _("Archived “%(name)s”"),
    "restored": _("Brought “%(name)s” back from the archive"),
    "deletion.asked": _("Asked a worker to delete “%(name)s”"),
    "deleted": _("Deleted “%(name)s”"),
    "person.created": _("Made the account “%(name)s”"),
    "person.deactivated": _("Deactivated “%(name)s”"),
    "person.reactivated": _("Let “%(name)s” log in again"),
    "person.role_changed": _("Gave “%(name)s” another role"),
    "person.operator_changed": _("Changed whether “%(name)s” is an operator"),
    "person.password_changed": _("Changed the own password"),
    "person.link_made": _("Made a login link for “%(name)s”"),
    "person.link_used": _("Used a login link"),
    "person.locked_out": _("Locked out “%(username)s” after too many failed logins"),
    "person.lock_lifted": _("Lifted the lock of “%(username)s”"),
    "invitation.made": _("Made an invitation"),
    "invitation.used": _("Used an invitation"),
    "invitation.revoked": _("Took back an invitation"),
    "token.made": _("Made an API token of %(of)s"),
    "token.revoked": _("Revoked an API token of %(of)s"),
    "job.cancelled": _("Cancelled: %(label)s"),
    "job.retried": _("Ran again: %(label)s"),
}


def sentence_of(action: str, name: str, details: Mapping[str, Any]) -> str:
    """What was done. An action that has no sentence any more is told by its code."""
    told = SENTENCES.get(action)
    if told is None:
        return f"{action}: {name}" if name else action
    return str(told) % defaultdict(str, details, **({"name": name} if name else {}))
