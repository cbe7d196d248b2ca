from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from annotate.models import Campaign
from annotate.queries import campaigns
from pairselect.accounts.roles import is_admin
from pairselect.designs.models import Design
from pairselect.jobs.models import Job
from pairselect.jobs.queries import with_subjects
from pairselect.pools.models import Pool, PromptSet


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Admins: what runs, what there is, the next step. Annotators: their work."""
    if not is_admin(request.user):
        return redirect("annotate:work")
    active = Job.objects.filter(status__in=Job.ACTIVE).order_by("pk")
    context = {
        "active": with_subjects(active),
        "recent": with_subjects(Job.objects.exclude(status__in=Job.ACTIVE)[:8]),
        "campaigns": campaigns()[:5],
        "counts": {
            "prompt_sets": PromptSet.objects.count(),
            "pools": Pool.objects.count(),
            "designs": Design.objects.count(),
            "campaigns": Campaign.objects.count(),
        },
    }
    return render(request, "home.html", context)
