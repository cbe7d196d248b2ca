"""How long the pages of the audit trail and the metrics take over very many rows.

On a SQLite database of its own, filled by SQL. Each time is the shortest of a few.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta

TOKEN = "a-token-of-the-benchmark"
PEOPLE, SUBJECTS = 50, 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "PAIRSELECT_DATA_DIR": folder,
            "PAIRSELECT_METRICS_TOKEN": TOKEN,
            "DJANGO_SETTINGS_MODULE": "pairselect.settings",
        }
        os.environ.pop("DATABASE_URL", None)
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, env=os.environ, check=True)
        import django

        django.setup()
        fill_trail(options.entries)
        fill_labels(options.labels)
        measure()


def fill_trail(number: int) -> None:
    """By SQL: an entry every ten seconds up to now, by 50 people, on 5,000 campaigns."""
    from django.db import connection

    from pairselect.trail.words import SENTENCES

    codes = list(SENTENCES)
    cases = " ".join(f"WHEN {place} THEN '{code}'" for place, code in enumerate(codes))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})
            INSERT INTO trail_entry (at, person_id, person_name, via, via_name, action,
                subject_kind, subject_id, subject_name, details, request_id)
            SELECT datetime('now', '-' || (10 * ({number} - i)) || ' seconds'), i % {PEOPLE},
                'person ' || (i % {PEOPLE}), 'web', '',
                CASE abs(random()) % {len(codes)} {cases} END, 'annotate.campaign',
                abs(random()) % {SUBJECTS}, 'a campaign',
                '{{"price": {{"before": null, "after": "0.4"}}}}', printf('%032x', i)
            FROM n
            """
        )


def fill_labels(number: int) -> None:
    """Ten campaigns; a tenth of the labels are still to come."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.utils import timezone

    from annotate.models import Campaign
    from tests.conftest import make_design, make_pool

    person, now = User.objects.create_user("a person"), timezone.now()
    design = make_design(make_pool(number // 300_000 + 1))
    first = design.pairs.order_by("pk").values_list("pk", flat=True)[0]
    for place in range(10):
        Campaign.objects.create(name=f"campaign {place}", design=design, opened_at=now)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {number - 1})
            INSERT INTO annotate_comparison (campaign_id, pair_id, kind, position, slot, attempt,
                first_on_left, labelled_at)
            SELECT 1 + i % 10, {first} + i / 300000, 'label', i, i / 10 % 30000, 0, 1,
                CASE WHEN i % 11 THEN '2026-01-01 00:00:00' END
            FROM n
            """
        )
        cursor.execute(
            f"""
            INSERT INTO annotate_judgement (comparison_id, annotator_id, choice, criteria, reason,
                skip_reason, first_on_left, lease, seconds, created_at)
            SELECT id, {person.pk}, CASE id % 4 WHEN 0 THEN 'left' WHEN 1 THEN 'right'
                WHEN 2 THEN 'tie' ELSE 'both_bad' END, '{{}}', '', '', 1, printf('%032x', id), 1.0,
                '2026-01-01 00:00:00'
            FROM annotate_comparison WHERE labelled_at IS NOT NULL
            """
        )


def measure() -> None:
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.utils import timezone

    from pairselect import facts
    from pairselect.trail.actions import seal

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    admin = User.objects.create_user("the admin")
    admin.groups.add(Group.objects.get(name="admin"))
    client = Client(headers={"host": "localhost"})
    client.force_login(admin)
    today = timezone.localdate()
    days = [today - timedelta(days=ago) for ago in (60, 59)]
    for name, query in {
        "newest": "",
        "an old page": "?before=500000",
        "a person's": "?person=person 7",
        "a person who did nothing": "?person=nobody",
        "an action's": "?action=campaign.paused",
        "a group of actions'": "?action=campaign",
        "a subject's": "?kind=campaign&id=77",
        "a subject's, an action's": "?kind=campaign&id=77&action=token",
        "of a day two months ago": f"?since={days[0]}&until={days[1]}",
        "a person's on that day": f"?person=person 7&since={days[0]}&until={days[1]}",
        "of days to come": f"?since={today + timedelta(days=9)}",
    }.items():
        print(f"{name:28}{shortest(lambda: client.get(f'/history/{query}')):8.1f} ms", flush=True)  # noqa: B023
    started = time.perf_counter()
    seal(everything=True)
    print(f"{'seal all':28}{time.perf_counter() - started:8.1f} s")
    started = time.perf_counter()
    call_command("verify_trail")
    print(f"{'verify':28}{time.perf_counter() - started:8.1f} s")
    bearer = {"Authorization": f"Bearer {TOKEN}", "host": "localhost"}
    print(f"{'counting labels':28}{shortest(lambda: facts.counts(every=0)):8.1f} ms")
    print(f"{'metrics, within the minute':28}", end="")
    print(f"{shortest(lambda: Client().get('/metrics', headers=bearer)):8.1f} ms")
    print(f"{'readiness':28}{shortest(lambda: Client().get('/ready/')):8.1f} ms")


def shortest(work: Callable[[], object], times: int = 4) -> float:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return 1000 * min(found)


if __name__ == "__main__":
    main()
