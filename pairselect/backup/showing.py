"""What the commands say of a backup, and the bar that they show meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import OutputWrapper

from pairselect.backup.checking import Checked
from pairselect.backup.manifest import Manifest
from pairselect.jobs.terminal import progress_bar


@contextmanager
def watched(stream: OutputWrapper) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar where somebody watches; gives what is told how far the work is."""
    at = ""
    with progress_bar("", stream) as bar:

        def told(what: str, done: int, total: int) -> None:
            nonlocal at
            if bar.disable:
                return
            if what != at:
                at = what
                bar.reset(total or None)
                bar.set_description(what, refresh=False)
            bar.total = total or None
            bar.update(done - bar.n)

        yield told


def summary(manifest: Manifest) -> dict[str, Any]:
    return {
        "version": manifest.version,
        "made_at": manifest.made_at,
        "database": manifest.database,
        "tables": dict(manifest.tables),
        "files": len(manifest.files) - 1,  # beside the database
        "lost": manifest.lost,
        "secrets": manifest.secrets,
    }


def checked_summary(checked: Checked) -> dict[str, Any]:
    return {**summary(checked.manifest), "trail_links": checked.links}


def checked_lines(checked: Checked) -> list[str]:
    found = checked.manifest
    trail = "of another version's form, so its chain was not looked at"
    if checked.links is not None:
        trail = f"{checked.links:,} links hold"
    return [
        f"Made {found.made_at} by pairselect {found.version}, of {found.database}: "
        f"{sum(found.tables.values()):,} rows in {len(found.tables)} tables, "
        f"{len(found.files) - 1:,} files.",
        f"Audit trail: {trail}.",
        *(f"Was gone before the backup: {name}" for name in found.lost),
        *([] if found.secrets else ["The secret key is not in it."]),
    ]
