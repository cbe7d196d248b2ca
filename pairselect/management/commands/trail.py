from datetime import datetime
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from pairselect.trail.models import Entry
from pairselect.trail.queries import entries
from pairselect.trail.summaries import entry_summary

FEW = 50


class Command(BaseCommand):
    help = "Who did what, the newest last; with --json all of it, one object a line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--person", default="", help="a name")
        parser.add_argument("--action", default="", help="campaign.paused; campaign: all of these")
        parser.add_argument("--subject", default="", help="annotate.campaign, annotate.campaign:3")
        parser.add_argument("--since", default="", help="a day, or a moment: 2026-11-22T10:00")
        parser.add_argument("--until", default="", help="the same; from this moment on no more")
        parser.add_argument("--last", type=int, help=f"so many; {FEW}, with --json all")
        parser.add_argument("--json", action="store_true", help="JSONL: one object a line")

    def handle(self, *args: Any, json: bool, last: int | None, **options: Any) -> None:
        kind, _, number = options["subject"].partition(":")
        if number and not number.isdigit():
            raise CommandError("--subject: give a kind and a number, such as annotate.campaign:3.")
        found = entries(
            person=options["person"],
            action=options["action"],
            subject_kind=kind,
            subject_id=int(number) if number else None,
            since=moment("--since", options["since"]),
            until=moment("--until", options["until"]),
        )
        if last is not None and last < 1:
            raise CommandError("--last: give a whole number above 0.")
        if json and last is None:
            for one in found.order_by("pk").iterator(chunk_size=2000):
                self.stdout.write(as_json(one))
            return
        for one in reversed(found[: last or FEW]):
            self.stdout.write(as_json(one) if json else in_words(one))


def as_json(entry: Entry) -> str:
    return orjson.dumps(entry_summary(entry), default=str, option=orjson.OPT_UTC_Z).decode()


def in_words(entry: Entry) -> str:
    when = timezone.localtime(entry.at).strftime("%Y-%m-%d %H:%M:%S")
    how = " ".join(filter(None, (entry.via, entry.via_name)))
    return "  ".join((when, entry.person_name or "-", how, entry.sentence))


def moment(option: str, text: str) -> datetime | None:
    """A day's first moment, or a moment, in the server's time unless it says its own."""
    if not text:
        return None
    try:
        found = parse_datetime(text)
        if found is None and (day := parse_date(text)):
            found = datetime(day.year, day.month, day.day)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{option}: write a day or a moment, such as 2026-11-22T10:00.")
    return found if timezone.is_aware(found) else timezone.make_aware(found)
