"""Renaming, archiving and deleting, of all that has a name, and of exports."""

from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from pairselect.accounts.roles import admin_required, signed_in
from pairselect.jobs.actions import JobBusy, enqueue_job
from pairselect.kinds import KINDS
from pairselect.pools import tidying
from pairselect.pools.naming import NameRefused
from pairselect.pools.tidying import AT_ONCE, Kind, StillNeeded
from pairselect.trail.actions import record


@require_POST
@admin_required
def rename(request: HttpRequest, what: str, pk: int) -> HttpResponse:
    kind, row = _found(what, pk, named=True)
    old = str(row)
    try:
        tidying.rename(row, request.POST.get("name", ""))
    except NameRefused as problem:
        messages.error(request, str(problem))
    else:
        said = gettext("“%(old)s” is now called “%(new)s”. Commands know it by that name.")
        messages.success(request, said % {"old": old, "new": row})
    return redirect(kind.page_of(row))


@require_POST
@admin_required
def archive(request: HttpRequest, what: str, pk: int) -> HttpResponse:
    kind, row = _found(what, pk, named=True)
    tidying.archive(row)
    said = gettext("“%(name)s” is archived: lists and forms leave it out. Nothing is deleted.")
    messages.success(request, said % {"name": row})
    return redirect(kind.page_of(row))


@require_POST
@admin_required
def restore(request: HttpRequest, what: str, pk: int) -> HttpResponse:
    kind, row = _found(what, pk, named=True)
    tidying.restore(row)
    messages.success(request, gettext("“%(name)s” is back.") % {"name": row})
    return redirect(kind.page_of(row))


@require_http_methods(["GET", "POST"])
@admin_required
def delete(request: HttpRequest, what: str, pk: int) -> HttpResponse:
    """What goes with it, or what stands in the way; sent, it goes."""
    kind, row = _found(what, pk)
    if request.method == "POST":
        return _delete(request, kind, row)
    obstacles = kind.obstacles(row)
    context = {
        "row": row,
        "kind": kind,
        "page": kind.page_of(row),
        "obstacles": obstacles,
        "goes": [] if obstacles else kind.goes(row),
    }
    return render(request, "delete.html", context)


def _delete(request: HttpRequest, kind: Kind[Any], row: Model) -> HttpResponse:
    name, after, pk = str(row), kind.list_of(row), row.pk
    said = gettext("“%(name)s” is deleted.")
    try:
        if kind.rows(row) > AT_ONCE and not kind.obstacles(row):
            with suppress(JobBusy), transaction.atomic():  # a worker is at it
                enqueue_job(kind.job, row.pk, created_by=signed_in(request))
                record("deletion.asked", row)
            said = gettext("A worker deletes “%(name)s”.")
        else:
            kind.delete(row, None)
    except ObjectDoesNotExist:  # sent twice
        messages.success(request, said % {"name": name})
        return redirect(after)
    except (StillNeeded, IntegrityError):  # the page says what, or what has come in this moment
        return redirect("delete", what=kind.what, pk=pk)
    messages.success(request, said % {"name": name})
    return redirect(after)


def _found(what: str, pk: int, *, named: bool = False) -> tuple[Kind[Any], Any]:
    kind = KINDS.get(what)
    if kind is None or (named and not kind.has_name):
        raise Http404
    return kind, get_object_or_404(kind.model, pk=pk)
