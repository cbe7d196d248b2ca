"""From the first release on: a campaign that runs loses nothing and is asked nothing new."""

import uuid
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps
from django.utils import timezone

from annotate.answering import Outcome, answer
from annotate.leasing import next_comparison
from annotate.models import Campaign, Comparison, Guideline, Judgement
from tests.conftest import make_design, make_pool

FIRST = ("annotate", "0001_initial")


def migrate(*target: tuple[str, str]) -> StateApps:
    executor = MigrationExecutor(connection)
    executor.migrate(list(target) or executor.loader.graph.leaf_nodes("annotate"))
    return MigrationExecutor(connection).loader.project_state(list(target)).apps


@pytest.fixture
def first_release(transactional_db: None) -> Iterator[StateApps]:
    yield migrate(FIRST)
    migrate()


def test_a_running_campaign_goes_on(first_release: StateApps) -> None:
    anna = User.objects.create_user("anna")
    design = make_design(make_pool(3))
    old = first_release.get_model
    campaign = old("annotate", "Campaign").objects.create(
        name="c", design_id=design.pk, instructions="Be kind.", opened_at=timezone.now()
    )
    campaign.annotators.add(anna.pk)
    pairs = list(design.pairs.order_by("position"))
    now, lease = timezone.now(), uuid.uuid4()
    for position, pair in enumerate(pairs):
        old("annotate", "Comparison").objects.create(
            campaign=campaign,
            pair_id=pair.pk,
            position=position,
            first_on_left=position == 1,
            annotator_id=anna.pk if position < 2 else None,
            lease=lease if position == 1 else None,
            leased_until=now if position == 1 else None,
            shown_at=now if position < 2 else None,
            labelled_at=now if position == 0 else None,
        )
    old("annotate", "Judgement").objects.create(
        comparison=old("annotate", "Comparison").objects.get(position=0),
        annotator_id=anna.pk,
        choice="left",
        first_on_left=False,
        lease=uuid.uuid4(),
        seconds=3.5,
    )
    migrate()

    kept = Campaign.objects.get()
    assert (kept.repeat_share, kept.gold_share, kept.passing_mark) == (0.0, 0.0, None)
    assert [(one.number, one.text) for one in Guideline.objects.all()] == [(1, "Be kind.")]
    judgement = Judgement.objects.get()
    assert (judgement.choice, judgement.seconds, judgement.prefers_first) == ("left", 3.5, False)
    held = next_comparison(kept, anna)
    assert held is not None
    assert (held.position, held.lease, held.first_on_left) == (1, lease, True)
    choice = Judgement.Choice.RIGHT
    assert answer(held, anna, choice=choice, lease=lease) is Outcome.STORED
    following = next_comparison(kept, anna)
    assert following is not None
    assert following.position == 2
    assert Comparison.objects.filter(kind="label").count() == 3
