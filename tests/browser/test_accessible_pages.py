"""axe finds nothing on any page of the site, each of which has something to show."""

from collections.abc import Callable, Iterator

import pytest

from pairselect.designs.models import Plan
from tests.browser.conftest import Desk
from tests.browser.kept import Kept
from tests.browser.stages import Stages, every_stage
from tests.browser.test_accessibility import LAPTOP, OPEN_ALL, check
from tests.conftest import People, make_people

Sit = Callable[..., Desk]

PEOPLES = {
    "work": "/work/",
    "history": "/work/{campaign}/history/",
    "settings": "/settings/",
    "password": "/people/me/password/",
    "403": "/pools/",
    "404": "/nowhere/",
}
ADMINS = {
    "home": "/",
    "people": "/people/",
    "tokens": "/people/tokens/",
    "API reference": "/api/",
    "prompt sets": "/prompts/",
    "prompt set": "/prompts/{prompt_set}/",
    "new upload": "/prompts/uploads/new/",
    "upload": "/prompts/uploads/{upload}/",
    "import a pool": "/pools/import/",
    "pools": "/pools/",
    "new pool": "/pools/new/",
    "pool with its report": "/pools/{pool}/",
    "archived pools": "/pools/?archived",
    "a pool that stays": "/manage/pool/{pool}/delete/",
    "a campaign that stays": "/manage/campaign/{campaign}/delete/",
    "scores": "/pools/{pool}/scores/",
    "designs": "/designs/",
    "new design": "/designs/new/",
    "new design with its prediction": "/designs/new/?plan={plan}",
    "design": "/designs/{design}/",
    "design again": "/designs/{design}/again/",
    "campaigns": "/campaigns/",
    "new campaign": "/campaigns/new/",
    "campaign": "/campaigns/{campaign}/",
    "guidelines": "/campaigns/{campaign}/guidelines/",
    "gold": "/campaigns/{campaign}/gold/",
    "flags": "/campaigns/{campaign}/flags/",
    "disagreements": "/campaigns/{campaign}/disagreements/",
    "quality": "/campaigns/{campaign}/quality/",
    "machines": "/campaigns/{campaign}/machines/",
    "exports": "/campaigns/{campaign}/exports/",
    "acceptance report": "/exports/{export}/report/",
    "next round": "/campaigns/{campaign}/next-round/",
}


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept[tuple[People, Stages]]]:
    def make() -> tuple[People, Stages]:
        people = make_people()
        return people, every_stage(people)

    rows = Kept(make)
    yield rows
    rows.close()


@pytest.fixture
def shown(transactional_db: None, kept: Kept[tuple[People, Stages]]) -> tuple[People, Stages]:
    return kept.get()


def addresses(stages: Stages) -> dict[str, int]:
    return {
        "campaign": stages.campaign.pk,
        "pool": stages.pool.pk,
        "prompt_set": stages.pool.prompt_set_id,
        "design": stages.design.pk,
        "plan": Plan.objects.get().pk,
        "upload": stages.upload.pk,
        "export": stages.export.pk,
    }


@pytest.mark.parametrize("name", PEOPLES)
def test_a_persons_page(shown: tuple[People, Stages], sit: Sit, name: str) -> None:
    people, stages = shown
    desk = sit(people.anna, viewport=LAPTOP)
    desk.open(PEOPLES[name].format(**addresses(stages)))
    check(desk.page, name)


@pytest.mark.parametrize("name", ADMINS)
def test_an_admins_page(shown: tuple[People, Stages], sit: Sit, name: str) -> None:
    people, stages = shown
    desk = sit(people.admin, viewport=LAPTOP)
    desk.open(ADMINS[name].format(**addresses(stages)))
    desk.page.evaluate(OPEN_ALL)
    check(desk.page, name)
