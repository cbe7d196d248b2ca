from typing import Any

from annotate.models import Campaign
from annotate.queries import campaigns
from annotate.summaries import campaign_summary
from pairselect.designs.models import Design
from pairselect.jobs.models import Job
from pairselect.jobs.queries import with_subjects
from pairselect.jobs.summaries import job_summary
from pairselect.jobs.terminal import JsonCommand
from pairselect.pools.models import Pool, PromptSet


class Command(JsonCommand):
    help = "Say what there is, what runs, and how far the open campaigns are."

    def handle(self, *args: Any, **options: Any) -> None:
        counts = {
            "prompt_sets": PromptSet.objects.filter(imported_at__isnull=False).count(),
            "pools": Pool.objects.filter(completed_at__isnull=False).count(),
            "designs": Design.objects.filter(solved_at__isnull=False).count(),
            "campaigns": Campaign.objects.filter(opened_at__isnull=False).count(),
        }
        active = with_subjects(Job.objects.filter(status__in=Job.ACTIVE).order_by("pk"))
        jobs = [job_summary(job) for job in active]
        running = campaigns().filter(opened_at__isnull=False, closed_at__isnull=True)
        people = running.prefetch_related("annotators", "adjudicators")
        open_ones = [campaign_summary(one) for one in people]
        lines = [", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items())]
        for job in jobs:
            way = f"{job['done']:,} of {job['total']:,}" if job["total"] else job["message"]
            lines.append(f"{job['label']}: {job['status']}{f', {way}' if way else ''}")
        lines += [
            f"“{one['name']}” is {one['state']}: {one['labels']:,} of {one['wanted']:,} labels"
            for one in open_ones
        ]
        self.tell("\n".join(lines), {**counts, "jobs": jobs, "open_campaigns": open_ones})
