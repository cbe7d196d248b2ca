"""Seconds of the pages and API calls about a campaign, by its number of labels."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SMALL = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", help="where to work; a folder of its own if not said")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.repeats)))
        return
    found = {}
    for labels in (SMALL, options.labels):
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            found[labels] = of_size(labels, Path(name), options.repeats)
    print(f"{'':28}{SMALL:>12,} {options.labels:>16,} labels   ratio")
    for name, (small, small_own) in found[SMALL].items():
        large, own = found[options.labels][name]
        print(f"{name:28}{small:9.0f} ms {large:13.0f} ms {large / small:13.1f}")
        print(f"{'  of the processor':28}{small_own:9.0f} ms {own:13.0f} ms")


def of_size(labels: int, folder: Path, repeats: int) -> dict[str, tuple[float, float]]:
    environment = os.environ | {
        "PAIRSELECT_DATA_DIR": str(folder / "data"),
        "DJANGO_SETTINGS_MODULE": "pairselect.settings",
    }
    environment.pop("DATABASE_URL", None)
    manage = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(manage, env=environment, check=True)
    fill = ["benchmarks.export", "--labels", str(labels), "--labels-per-pair", "2", "--words", "60"]
    subprocess.run([sys.executable, "-m", *fill, "--child", "fill"], env=environment, check=True)
    child = [sys.executable, "-m", "benchmarks.pages", "--child", "--repeats", str(repeats)]
    done = subprocess.run(child, env=environment, check=True, stdout=subprocess.PIPE)
    return {name: tuple(times) for name, times in json.loads(done.stdout).items()}


def measure(repeats: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of each, the least of some repeats: by the clock, and by the processor."""
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import Group, User
    from django.test import Client

    from annotate.measures import people_of
    from annotate.models import Campaign
    from annotate.summaries import campaign_detail
    from annotate.tally import is_large, make_tally

    settings.ALLOWED_HOSTS = ["testserver"]
    campaign, person = Campaign.objects.get(), User.objects.get(username="person0")
    admin = User.objects.create_user("admin")
    admin.groups.add(Group.objects.get(name="admin"))
    person.groups.add(Group.objects.get(name="annotator"))
    campaign.annotators.add(person)
    found = {}

    def take(name: str, call: Any, times: int = repeats) -> None:
        clock, processor = [], []
        for _ in range(times):
            started, own = time.perf_counter(), time.process_time()
            call()
            clock.append(1000 * (time.perf_counter() - started))
            processor.append(1000 * (time.process_time() - own))
        found[name] = (min(clock), min(processor))

    def page(user: User, address: str) -> Any:
        client = Client()
        client.force_login(user)

        def get() -> None:
            assert client.get(address, secure=True).status_code == 200

        get()  # the first one loads the templates
        return get

    take("a worker's count", lambda: make_tally(campaign), 1)
    if not is_large(campaign):
        campaign.tally.delete()
    take("the campaign's page", page(admin, f"/campaigns/{campaign.pk}/"))
    take("all campaigns' page", page(admin, "/campaigns/"))
    take("an annotator's work page", page(person, "/work/"))
    take("campaign, by the API", lambda: campaign_detail(campaign))
    take("its people, by the API", lambda: people_of(campaign))
    return found


if __name__ == "__main__":
    main()
