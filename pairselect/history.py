"""The admin's page of the audit trail, whole or of one object."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.apps import apps
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from pairselect.accounts.roles import admin_required
from pairselect.kinds import KINDS
from pairselect.trail.models import Entry
from pairselect.trail.queries import entries
from pairselect.trail.words import SENTENCES

PER_PAGE = 50
MOST_ID = 2**63 - 1
PAGES = {kind.model._meta.label_lower: kind.page for kind in KINDS.values() if kind.has_name}
PAGES["pools.upload"] = "pools:prompt_set_upload"
SUBJECTS = {kind.what: kind.model._meta.label_lower for kind in KINDS.values()}  # in addresses


def groups() -> list[tuple[str, str]]:
    """The first parts of the actions' codes; those without one stand for themselves."""
    found = dict.fromkeys(code.partition(".")[0] for code in SENTENCES)
    return [("", str(_("all"))), *((one, one.replace("_", " ")) for one in sorted(found))]


class HistoryForm(forms.Form):
    person = forms.CharField(label=_("Who"), required=False, max_length=150)
    action = forms.ChoiceField(label=_("What"), required=False, choices=groups)
    since = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    kind = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
    id = forms.IntegerField(
        required=False, min_value=1, max_value=MOST_ID, widget=forms.HiddenInput
    )
    before = forms.IntegerField(
        required=False, min_value=1, max_value=MOST_ID, widget=forms.HiddenInput
    )


@dataclass(frozen=True)
class Change:
    """One of an entry's details: a setting before and after, or a fact alone."""

    name: str
    value: str
    before: str | None = None


@dataclass(frozen=True)
class Row:
    entry: Entry
    url: str  # of the subject's page, where there is one and it is still there
    changes: list[Change]


@require_GET
@admin_required
def history(request: HttpRequest) -> HttpResponse:
    """The newest entries, or those before one of them: rows that come in shift nothing."""
    form = HistoryForm(request.GET)
    rows: list[Row] = []
    older = ""
    if form.is_valid():
        asked = form.cleaned_data
        found = entries(
            person=asked["person"],
            action=asked["action"],
            subject_kind=SUBJECTS.get(asked["kind"], asked["kind"]),
            subject_id=asked["id"],
            since=_midnight(asked["since"]),
            until=_midnight(_next_day(asked["until"])),
        )
        if asked["before"]:
            found = found.filter(pk__lt=asked["before"])
        shown = list(found[: PER_PAGE + 1])
        rows = rows_of(shown[:PER_PAGE])
        if len(shown) > PER_PAGE:
            older = _query(request.GET, before=str(rows[-1].entry.pk))
    context = {
        "form": form,
        "rows": rows,
        "older": older,
        "newest": _query(request.GET) if request.GET.get("before") else None,
        "one": _one(form, rows),
    }
    return render(request, "trail/history.html", context)


def rows_of(found: Sequence[Entry]) -> list[Row]:
    """What the page shows of each; a query for each kind of subject, however many entries."""
    there: dict[str, set[int]] = {}
    for kind, page in PAGES.items():
        ids = {one.subject_id for one in found if one.subject_kind == kind and page}
        if ids:
            rows = apps.get_model(kind)._default_manager.filter(pk__in=ids)
            there[kind] = set(rows.values_list("pk", flat=True))
    return [
        Row(
            one,
            reverse(PAGES[one.subject_kind], args=[one.subject_id])
            if one.subject_id in there.get(one.subject_kind, ())
            else "",
            changes_of(one.details),
        )
        for one in found
    ]


def changes_of(details: dict[str, Any]) -> list[Change]:
    found = []
    for name, value in details.items():
        words = name.replace("_", " ")
        if isinstance(value, dict) and value.keys() == {"before", "after"}:
            found.append(Change(words, _shown(value["after"]), _shown(value["before"])))
        elif value not in (None, "", [], {}):
            found.append(Change(words, _shown(value)))
    return found


def _shown(value: Any) -> str:
    if value is None or value == "" or value == []:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_shown(one)}" for name, one in value.items())
    return str(value)


def _one(form: HistoryForm, rows: list[Row]) -> Row | None:
    """The object whose history is shown, by its newest entry."""
    asked = form.cleaned_data
    return rows[0] if rows and asked.get("kind") and asked.get("id") else None


def _next_day(day: date | None) -> date | None:
    return None if day is None or day == date.max else day + timedelta(days=1)


def _midnight(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time())) if day else None


def _query(given: QueryDict, **more: str) -> str:
    query = given.copy()
    query.pop("before", None)
    for name, value in more.items():
        query[name] = value
    return query.urlencode()
