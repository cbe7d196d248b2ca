"""The job: ask a machine every pair in both orders, and keep each answer as it comes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from annotate.edits import model_names
from annotate.leasing import TEXTS
from annotate.machines.actions import (
    MachineRefused,
    asked,
    check_server,
    in_scope,
    lay_out,
    still_to_ask,
)
from annotate.machines.prompt import Question, fingerprint_of_prompt
from annotate.masking import mask_identity
from annotate.models import Assignment, Campaign, Comparison, Guideline, Judgement
from annotate.queries import current_guideline
from pairselect.jobs.progress import JobError, JobProgress, JobStopped

if TYPE_CHECKING:  # its client stays out of the web process
    from annotate.machines.asking import Reply
    from pairselect.pools.engine.endpoint import Endpoint

CHUNK = 256  # comparisons between two looks at the campaign
FIRST_CHUNK = 32  # whether it judges at all shows soon
SAME_SOURCE = ("root", "prompt")  # of the fingerprint, throughout a campaign


def judge_campaign(assignment_id: int, progress: JobProgress) -> None:
    """Ask what is in scope and has no answer yet. What has one is never asked again."""
    from annotate.machines.asking import replies
    from pairselect.pools.engine.contract import GenerationFailed, GenerationStopped

    assignment = Assignment.objects.select_related("campaign__design__pool", "machine__user").get(
        pk=assignment_id
    )
    if assignment.campaign.opened_at is None:
        raise JobError(f"“{assignment.campaign}” is not open yet: nothing can be asked.")
    if assignment.campaign.archived_at is not None:
        raise JobError(f"“{assignment.campaign}” is archived: bring it back to ask a machine.")
    progress.report(0, 0, "queueing comparisons")
    lay_out(assignment)
    writer = Writer(assignment, progress)
    try:
        endpoint = _endpoint(assignment, progress)
        for chunk in _chunks(assignment):
            guideline = current_guideline(assignment.campaign)
            questions = [question_of(one, assignment, guideline) for one in chunk]
            try:
                for place, reply in replies(questions, endpoint, should_stop=writer.should_stop):
                    writer.add(chunk[place], reply, guideline)
            finally:  # also on the way out: what was answered is kept
                writer.store()
            writer.check()
    except GenerationStopped as stopped:
        raise JobStopped from stopped
    except GenerationFailed as problem:
        raise JobError(str(problem)) from problem
    writer.conclude()


def question_of(
    comparison: Comparison, assignment: Assignment, guideline: Guideline | None
) -> Question:
    """The comparison as this machine is asked it, masked where people see it masked."""
    campaign = comparison.campaign
    left, right = texts_of(comparison)
    return Question(
        name=f"about pair {comparison.position + 1}",
        messages=tuple(comparison.messages),
        left=left,
        right=right,
        choices=choices_of(campaign),
        guidelines=guideline.text if guideline else "",
        instructions=assignment.machine.instructions,
        with_reason=campaign.reason == Campaign.Reason.REQUIRED,
    )


def texts_of(comparison: Comparison) -> tuple[str, str]:
    """Left and right, masked where people see them masked."""
    left, right = comparison.left_text, comparison.right_text
    if comparison.campaign.mask_identities:
        names = model_names(comparison.campaign.design.pool)
        left, right = mask_identity(left, names)[0], mask_identity(right, names)[0]
    return left, right


def choices_of(campaign: Campaign) -> tuple[str, ...]:
    """What the campaign lets anybody answer, skips aside."""
    offered = {"tie": campaign.ties, "both_bad": campaign.both_bad}
    return ("left", "right", *(name for name, is_offered in offered.items() if is_offered))


class Writer:
    """Stores answers as they come: they are paid for.

    Until one has been read, those that cannot be are held back: where none can, the model is the
    wrong one, and nothing is kept that would stand for its answers.
    """

    def __init__(self, assignment: Assignment, progress: JobProgress) -> None:
        self._assignment, self._progress = assignment, progress
        self._waiting: list[tuple[Comparison, Judgement]] = []
        self._held: list[tuple[Comparison, Judgement]] = []
        self._spent = [0, 0, 0]
        in_all = asked(assignment).filter(pair__in=in_scope(assignment).values("pair"))
        self._total = in_all.count()
        self._done = in_all.filter(labelled_at__isnull=False).count()
        answers = Judgement.objects.filter(comparison__in=asked(assignment))
        self._any_read = answers.exclude(choice=Judgement.Choice.SKIP).exists()
        self._unread = 0
        self._last_reason = ""
        progress.report(self._done, self._total, f"reaching {assignment.machine.model}")

    def add(self, comparison: Comparison, reply: "Reply", guideline: Guideline | None) -> None:
        skip = Judgement.Choice.SKIP
        judgement = Judgement(
            comparison=comparison,
            annotator=self._assignment.machine.user,
            choice=reply.choice or skip,
            reason=reply.reason,
            skip_reason="" if reply.choice else Judgement.SkipReason.OTHER,
            first_on_left=comparison.first_on_left,
            lease=uuid4(),
            seconds=reply.seconds,
            confidence=reply.confidence,
            guideline=guideline,
        )
        self._spent[0] += reply.requests
        self._spent[1] += reply.tokens_read
        self._spent[2] += reply.tokens_written
        if reply.choice is None:
            self._unread += 1
            self._last_reason = reply.reason
        else:
            self._any_read = True
        (self._waiting if self._any_read else self._held).append((comparison, judgement))

    def store(self) -> None:
        if self._any_read:
            self._waiting, self._held = self._held + self._waiting, []
        if any(self._spent):
            self._count_cost()
        if not self._waiting:
            return
        now, user = timezone.now(), self._assignment.machine.user
        with transaction.atomic():
            # Another worker may have stored them while this one was thought dead.
            Judgement.objects.bulk_create(
                [judgement for _, judgement in self._waiting], ignore_conflicts=True
            )
            rows = Comparison.objects.filter(pk__in=[one.pk for one, _ in self._waiting])
            rows.filter(labelled_at__isnull=True).update(
                labelled_at=now, shown_at=now, annotator=user
            )
        self._done += len(self._waiting)
        self._waiting = []
        self._progress.report(self._done, self._total, "asking")

    def should_stop(self) -> bool:
        """Asked by the endpoint four times a second: no answer waits longer."""
        self.store()
        return self._progress.should_stop()

    def check(self) -> None:
        """End where nothing that came back could be read.

        Raises
        ------
        JobError
        """
        if self._held:
            raise JobError(
                f"{self._assignment.machine.model} gave no answer that can be read to the first "
                f"{len(self._held)} questions; the last: {self._last_reason} Add a machine with "
                "another model, or with other instructions."
            )

    def conclude(self) -> None:
        if self._unread:
            self._progress.notice(
                f"{self._unread:,} of {self._total:,} answers could not be had and are kept as "
                f"skips; the last: {self._last_reason}"
            )

    def _count_cost(self) -> None:
        requests, read, written = self._spent
        Assignment.objects.filter(pk=self._assignment.pk).update(
            requests=F("requests") + requests,
            tokens_read=F("tokens_read") + read,
            tokens_written=F("tokens_written") + written,
        )
        self._spent = [0, 0, 0]


def _endpoint(assignment: Assignment, progress: JobProgress) -> "Endpoint":
    """The machine's server, having answered as what it answered as before."""
    from pairselect.pools.engine.endpoint import Endpoint

    model = assignment.machine.model
    if not model:
        raise JobError(f"The answers of “{assignment.machine}” come by the API: nobody is asked.")
    try:
        check_server(model)
    except MachineRefused as problem:
        raise JobError(str(problem)) from problem
    label, _, name = model.partition(":")
    server = settings.PAIRSELECT_SERVERS[label]
    endpoint = Endpoint(server.url, name, api_key=server.key or None, notice=progress.notice)
    found = {**endpoint.describe(progress.should_stop), "prompt": fingerprint_of_prompt()}
    answered = Judgement.objects.filter(comparison__in=asked(assignment))
    if not answered.exists():
        assignment.fingerprint = found
        assignment.save(update_fields=["fingerprint"])
        return endpoint
    for key in SAME_SOURCE:
        if assignment.fingerprint.get(key) != found.get(key):
            raise JobError(
                f"“{assignment.machine}” began here as another revision of {model} ({key} "
                "differs). Add a machine of another name."
            )
    return endpoint


def _chunks(assignment: Assignment) -> Iterator[Sequence[Comparison]]:
    left = still_to_ask(assignment).select_related(*TEXTS, "campaign__design__pool")
    after, size = 0, FIRST_CHUNK
    while chunk := list(left.filter(pk__gt=after)[:size]):
        yield chunk
        after, size = chunk[-1].pk, CHUNK
