"""Names are how people and commands speak of prompt sets, pools, designs and campaigns."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext, gettext_noop

from pairselect.trail.actions import record

MOST_CHARACTERS = 100
# What has a name, for the translators: the models' own names are these.
NAMED = (
    gettext_noop("prompt set"),
    gettext_noop("pool"),
    gettext_noop("design"),
    gettext_noop("campaign"),
)

M = TypeVar("M", bound=models.Model)


class NameRefused(Exception):
    """The message says why the name cannot be had, and what to do."""


def clean_name(name: str) -> str:
    """The name without blanks around it.

    Raises
    ------
    NameRefused
        When it is empty, longer than 100 characters, or not printable.
    """
    name = name.strip()
    if not 0 < len(name) <= MOST_CHARACTERS or not name.isprintable():
        raise NameRefused(
            gettext("A name has 1 to %(most)s printable characters.") % {"most": MOST_CHARACTERS}
        )
    return name


def name_taken(what: str, name: str) -> NameRefused:
    """The refusal of a name that another ``what`` has."""
    said = gettext("There is a %(what)s named “%(name)s”. Choose another name.")
    return NameRefused(said % {"what": what, "name": name})


def row_named(
    model: type[M],
    name: str,
    *,
    settings: dict[str, Any],
    created_by: User | None,
    came_to_nothing: Callable[[M], bool],
    start: dict[str, Any] | None = None,
) -> M:
    """The row of that name: a new one, or the one made before with the same settings.

    One with other settings that came to nothing takes the new ones: a failed attempt does not
    keep its name, and what waits for it (a design for its pool) then waits for the new attempt.
    ``start`` are values that a new row, or a new attempt, starts with.

    Raises
    ------
    NameRefused
        When the name belongs to something else.
    """
    name, manager = clean_name(name), model._default_manager
    said = {"what": gettext(str(model._meta.verbose_name)), "name": name}
    try:
        with transaction.atomic():
            old = manager.select_for_update().filter(name=name).first()
            if old is None:
                new = manager.create(name=name, created_by=created_by, **settings, **(start or {}))
                record(f"{model._meta.model_name}.created", new, person=created_by, **settings)
                return new
            if all(getattr(old, key) == value for key, value in settings.items()):
                return old
            if not came_to_nothing(old):
                raise NameRefused(
                    gettext(
                        "There is a %(what)s named “%(name)s” with other settings. "
                        "Choose another name."
                    )
                    % said
                )
            for key, value in (settings | (start or {})).items():
                setattr(old, key, value)
            old.save()
            record(f"{model._meta.model_name}.created", old, person=created_by, **settings)
            return old
    except IntegrityError:  # made in this moment, by the same request sent twice or another
        made = manager.filter(name=name).first()
        if made and all(getattr(made, key) == value for key, value in settings.items()):
            return made
        raise name_taken(said["what"], name) from None
