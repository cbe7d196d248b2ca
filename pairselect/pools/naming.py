"""Names are how people and commands speak of prompt sets, pools, designs and campaigns."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction


class NameTaken(Exception):
    """The message says what has the name."""


M = TypeVar("M", bound=models.Model)


def row_named(
    model: type[M],
    name: str,
    *,
    settings: dict[str, Any],
    created_by: User | None,
    came_to_nothing: Callable[[M], bool],
) -> M:
    """The row of that name: a new one, or the one made before with the same settings.

    One with other settings is replaced if it came to nothing (a failed attempt holds no name).

    Raises
    ------
    NameTaken
        When the name belongs to something else.
    """
    what = model._meta.verbose_name
    manager = model._default_manager
    try:
        with transaction.atomic():
            old = manager.select_for_update().filter(name=name).first()
            if old is not None:
                if all(getattr(old, key) == value for key, value in settings.items()):
                    return old
                if not came_to_nothing(old):
                    raise NameTaken(
                        f"There is a {what} named “{name}” with other settings. "
                        "Choose another name."
                    )
                old.delete()
            return manager.create(name=name, created_by=created_by, **settings)
    except IntegrityError:
        raise NameTaken(f"There is a {what} named “{name}”. Choose another name.") from None
