"""How much work one person may have before the workers: the queue is everybody's."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext

from pairselect.accounts.middleware import by_htmx
from pairselect.accounts.roles import signed_in
from pairselect.jobs.models import Job

P = ParamSpec("P")
LATER = 60  # seconds, after which it is worth asking again


class TooManyJobs(Exception):
    """The message is one sentence that says what to do."""


def check_room(person: User) -> None:
    """Let through whoever may hand in more work. Asked before anything is stored for it; requests
    at the same moment may each hand in what they have.

    Raises
    ------
    TooManyJobs
        When `PAIRSELECT_MAX_JOBS` of theirs wait or run.
    """
    most = settings.PAIRSELECT_MAX_JOBS
    if Job.objects.filter(created_by=person, status__in=Job.ACTIVE).count() < most:
        return
    said = gettext(
        "You have %(most)s jobs that wait or run, which is the limit. Wait until some are done, or "
        "cancel some. Nothing was stored."
    )
    raise TooManyJobs(said % {"most": most})


def queues(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """What is sent to the view hands in work: 429 to whoever has too much there."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        refusal = no_room(request) if request.method == "POST" else None
        return refusal or view(request, *args, **kwargs)

    return cast("Callable[Concatenate[HttpRequest, P], HttpResponseBase]", guarded)


def no_room(request: HttpRequest) -> HttpResponse | None:
    """The refusal, where the person has too much there. It reads nothing of what is sent."""
    try:
        check_room(signed_in(request))
    except TooManyJobs as problem:
        response = render(request, "429.html", {"sentence": str(problem)}, status=429)
        response["Retry-After"] = str(LATER)
        if by_htmx(request):  # which shows nothing of a refusal: the page does, fetched anew
            messages.error(request, str(problem))
            response["HX-Refresh"] = "true"
        return response
    return None
