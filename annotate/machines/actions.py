"""Machines: made, put to work in a campaign, taken out of it again."""

import re
from collections.abc import Iterator
from itertools import islice

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from annotate.models import Assignment, Campaign, Comparison, Judgement, Machine
from annotate.queries import current_labels
from pairselect.accounts.roles import MACHINE
from pairselect.jobs.actions import Work, is_active
from pairselect.trail.actions import record

Kind = Comparison.Kind

NAME = re.compile(r"[\w.+-]{1,60}")
MOST_MODEL, MOST_INSTRUCTIONS = 300, 4_000  # characters
BATCH = 1_000  # pairs that are laid out together
SIDES = (True, False)  # whether the pair's first text is A, by slot


class MachineRefused(Exception):
    """The message is one sentence that says what to do, ``field`` of which part of a machine."""

    def __init__(self, message: str, field: str = "name") -> None:
        super().__init__(message)
        self.field = field


def create_machine(
    name: str, *, model: str = "", instructions: str = "", created_by: User | None = None
) -> Machine:
    """The machine of that name, made unless it is there.

    Without a model its answers come by the API. What a machine is cannot be changed: answers of
    two models, or of two instructions, under one name could not be told apart.

    Raises
    ------
    MachineRefused
        For a name, a model or instructions that cannot be, and when a machine of that name has
        other ones.
    """
    if not NAME.fullmatch(name):
        raise MachineRefused(
            _("A machine's name has letters, digits and . + - _ only, at most 60. Choose another.")
        )
    if len(model) > MOST_MODEL or len(instructions) > MOST_INSTRUCTIONS:
        most = {"model": MOST_MODEL, "instructions": MOST_INSTRUCTIONS}
        said = _(
            "A model's name has at most %(model)d characters, instructions have at most "
            "%(instructions)d. Shorten them."
        )
        raise MachineRefused(said % most, "instructions")
    if model:
        check_server(model)
    with transaction.atomic():
        # Only who calls the API with a token needs to be active; nobody can log in as either.
        user, made = User.objects.get_or_create(
            username=MACHINE + name, defaults={"is_active": not model}
        )
        if made:
            user.set_unusable_password()
            user.save(update_fields=["password"])
            machine = Machine.objects.create(
                user=user, model=model, instructions=instructions, created_by=created_by
            )
            record("machine.created", machine, person=created_by, model=model)
            return machine
    found = Machine.objects.filter(user=user).first()
    if found is None or (found.model, found.instructions) != (model, instructions):
        said = _(
            "There is a machine “%(name)s” with another model or other instructions. Choose "
            "another name."
        )
        raise MachineRefused(said % {"name": name})
    return found


def check_server(model: str) -> None:
    """Refuse a model on a server that is none of the operator's.

    Raises
    ------
    MachineRefused
    """
    label, _colon, name = model.partition(":")
    labels = sorted(settings.PAIRSELECT_SERVERS)
    if label in labels and name.strip():
        return
    if not labels:
        raise MachineRefused(
            _(
                "There is no server that could judge: the operator names servers in "
                "PAIRSELECT_SERVERS."
            ),
            "model",
        )
    said = _("“%(model)s” is on none of the operator's servers. Give one, such as %(label)s:NAME.")
    raise MachineRefused(said % {"model": model, "label": labels[0]}, "model")


def assign(
    campaign: Campaign,
    machine: Machine,
    *,
    pairs: int | None = None,
    labelled_only: bool = False,
    created_by: User | None = None,
) -> Assignment:
    """The machine's place in the campaign, to be asked those pairs from now on.

    Raises
    ------
    MachineRefused
        When it is being asked other pairs: the job has taken up which ones when it began.
    """
    scope = {"pairs": pairs, "labelled_only": labelled_only}
    with transaction.atomic():
        there = Assignment.objects.filter(campaign=campaign, machine=machine).first()
        if there is not None and (there.pairs, there.labelled_only) != (pairs, labelled_only):
            _refuse_at_work(there)
        found, _made = Assignment.objects.update_or_create(
            campaign=campaign,
            machine=machine,
            defaults=scope,
            create_defaults=scope | {"created_by": created_by},
        )
        record("machine.assigned", campaign, person=created_by, machine=str(machine), **scope)
    return found


def take_out(assignment: Assignment) -> None:
    """Take the machine out of the campaign.

    Raises
    ------
    MachineRefused
        When it has answered there, or is being asked.
    """
    answered = MachineRefused(_("The machine has answered, and answers are kept: it stays."))
    try:
        with transaction.atomic():
            rows = asked(assignment)
            _refuse_at_work(assignment)
            if Judgement.objects.filter(comparison__in=rows).exists():
                raise answered
            rows.delete()
            record("machine.removed", assignment.campaign, machine=str(assignment.machine))
            assignment.delete()
    except IntegrityError:  # answered in this moment
        raise answered from None


def _refuse_at_work(assignment: Assignment) -> None:
    if is_active("judge_campaign", assignment.pk):
        raise MachineRefused(_("The machine is at work. Cancel that first."))


def work_for(assignment: Assignment) -> Work:
    """The job that asks a server; none for a machine that calls the API itself."""
    return [("judge_campaign", assignment.pk)] if assignment.machine.model else []


def asked(assignment: Assignment) -> QuerySet[Comparison]:
    """The machine's comparisons in the campaign, answered or not, in either order."""
    return assignment.campaign.comparisons.filter(
        kind=Kind.MACHINE, reserved_for=assignment.machine.user_id
    )


def in_scope(assignment: Assignment) -> QuerySet[Comparison]:
    """The pairs that it is to be asked: the people's comparison of each, in the queue's order."""
    rows = assignment.campaign.comparisons.filter(kind=Kind.LABEL, slot=0)
    if assignment.pairs is not None:
        rows = rows.filter(position__lt=assignment.pairs)
    if assignment.labelled_only:
        labels = current_labels(assignment.campaign).exclude(choice=Judgement.Choice.SKIP)
        rows = rows.filter(pair__in=labels.values("comparison__pair"))
    return rows.order_by("position")


def still_to_ask(assignment: Assignment) -> QuerySet[Comparison]:
    """Those in scope without an answer, in the order in which they were laid out."""
    return (
        asked(assignment)
        .filter(labelled_at__isnull=True, pair__in=in_scope(assignment).values("pair"))
        .order_by("pk")
    )


def lay_out(assignment: Assignment, *, most: int | None = None) -> int:
    """Make the comparisons that are missing in scope, two a pair: one in either order.

    Two workers that do so at once make each of them once. ``most``: pairs, at most. Returns how
    many pairs were missing.
    """
    there = asked(assignment).filter(pair=OuterRef("pair"), slot=1)
    missing = iter(
        list(in_scope(assignment).exclude(Exists(there)).values_list("pair", "position")[:most])
    )
    count = 0
    while batch := list(islice(missing, BATCH)):
        Comparison.objects.bulk_create(_both_orders(assignment, batch), ignore_conflicts=True)
        count += len(batch)
    return count


def _both_orders(assignment: Assignment, batch: list[tuple[int, int]]) -> Iterator[Comparison]:
    for pair_id, position in batch:
        for slot, first_on_left in enumerate(SIDES):
            yield Comparison(
                campaign_id=assignment.campaign_id,
                kind=Kind.MACHINE,
                pair_id=pair_id,
                position=position,
                slot=slot,
                first_on_left=first_on_left,
                reserved_for_id=assignment.machine.user_id,
            )
