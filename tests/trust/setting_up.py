"""Rows for a site, made in a process of the site's own: ``python -m tests.trust.setting_up ASKED``.

Prints as JSON the campaign's id and, by name, the session of each annotator, logged in.
"""

import json
import sys

import django


def main(asked: dict[str, int]) -> dict[str, object]:
    from django.contrib.auth.models import Group, User
    from django.db import transaction
    from django.test import Client

    from tests.conftest import make_campaign

    with transaction.atomic():
        annotators = []
        for number in range(asked["people"]):
            user = User(username=f"annotator-{number:02}")
            user.set_unusable_password()
            user.save()
            user.groups.add(Group.objects.get(name="annotator"))
            annotators.append(user)
        campaign = make_campaign(
            *annotators, prompts=asked["pairs"], labels_per_pair=asked["labels_per_pair"]
        )
    sessions = {}
    for user in annotators:
        client = Client()
        client.force_login(user)
        sessions[user.username] = client.cookies["sessionid"].value
    return {"campaign": campaign.pk, "sessions": sessions}


if __name__ == "__main__":
    django.setup()
    print(json.dumps(main(json.loads(sys.argv[1]))))
