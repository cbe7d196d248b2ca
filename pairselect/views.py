from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from pairselect.accounts.roles import admin_required, is_admin
from pairselect.jobs.models import Job
from pairselect.jobs.queries import with_subjects
from pairselect.projects import Project, projects
from pairselect.waiting import waiting

MOST_ACTIVE = 5  # jobs that show their progress, each asking for itself


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Admins: what runs, what waits for them, the next step. Annotators: their work."""
    if not is_admin(request.user):
        return redirect("annotate:work")
    active = list(Job.objects.filter(status__in=Job.ACTIVE).order_by("pk"))
    active.sort(key=lambda job: job.status != Job.Status.RUNNING)
    shown = projects()
    context = _projects(shown) | {
        "next": next((one for one in shown if one.next), None),
        "active": with_subjects(active[:MOST_ACTIVE]),
        "more_active": len(active) - MOST_ACTIVE,
        "waiting": waiting(),
        "recent": with_subjects(Job.objects.exclude(status__in=Job.ACTIVE)[:8]),
    }
    return render(request, "home.html", context)


@require_GET
@admin_required
def home_projects(request: HttpRequest) -> HttpResponse:
    """The projects alone; they ask again while labels come in."""
    return render(request, "home.html#projects", _projects(projects()))


def _projects(shown: list[Project]) -> dict[str, object]:
    return {"projects": shown, "moving": any(one.moving for one in shown)}
