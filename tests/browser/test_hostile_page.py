"""Texts that attack, on the pages as they are: nothing runs, leaves its place or takes the keys."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.utils import timezone
from playwright.sync_api import ViewportSize

from annotate.answering import flag
from annotate.guidelines import change_guidelines
from annotate.leasing import next_comparison
from annotate.machines.actions import assign, create_machine
from annotate.models import Assessment, Campaign, Flag, Gold, Judgement, Preferences
from pairselect.api.tokens import make_token
from pairselect.designs.models import Design
from pairselect.jobs.models import Job
from pairselect.pools.models import Completion, Pool, Prompt, PromptSet, Upload, Variant
from tests.annotate.assessing import full_facts
from tests.annotate.exported import export
from tests.annotate.giving import answer_next
from tests.annotate.hostile import HOSTILE
from tests.annotate.machining import answer_all, for_first, for_second
from tests.browser.conftest import Desk
from tests.browser.kept import Kept
from tests.conftest import People, make_campaign, make_people
from tests.pools.support import lines, send

Sit = Callable[..., Desk]

LAPTOP: ViewportSize = {"width": 1366, "height": 768}
PHONE: ViewportSize = {"width": 390, "height": 844}
ROLES = ("system", "user")
TEXTS = list(HOSTILE.values())
NAME = "<script>window.hit=1</script>\"'><img src=x onerror=window.hit=1>{{ 7*7 }}&lt;b"
WATCH = """() => {
  window.refused = [];
  document.addEventListener("securitypolicyviolation", (event) => {
    window.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
  });
}"""
# What is wrong with any page as it stands; an empty list if nothing.
WRONG = """() => {
  const wrong = [...window.refused];
  if (window.hit !== undefined) wrong.push("something ran");
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) wrong.push(`scrolls sideways: ${scrollWidth} of ${clientWidth}`);
  const own = (address) => new URL(address, location).origin === location.origin;
  for (const one of document.querySelectorAll("main *")) {
    const names = one.getAttributeNames();
    if (one.matches("script, style, link, img, iframe, object, embed, base, meta, audio, video"))
      wrong.push(`element ${one.outerHTML.slice(0, 99)}`);
    // What our own pages ask by, none of it within a text that somebody wrote.
    const ours =
      one.closest(".job") ||
      one.matches("#projects, #plan, #plan-status, #latest, #export-form, #predict, .comes-to");
    const acts = ours ? /^(on|data-hx-)/ : /^(on|data-hx-|hx-)/;
    if (names.some((name) => acts.test(name)))
      wrong.push(`attributes ${one.outerHTML.slice(0, 99)}`);
    if (one.matches("form") && !own(one.getAttribute("action") ?? ""))
      wrong.push("a form that leads away");
    const parts = "[id], [name], form, input, button:not(.code-copy)";
    if (one.closest(".prose, .raw-text, .as-written") && one.matches(parts))
      wrong.push(`in a text: ${one.outerHTML.slice(0, 99)}`);
  }
  return wrong;
}"""
# What is wrong with the comparison page's frame: panes, and whether the bar can be pressed.
FRAME = """() => {
  const wrong = [];
  for (const pane of document.querySelectorAll(".pane")) {
    const box = pane.getBoundingClientRect();
    if (box.left < 0 || box.right > innerWidth + 1) wrong.push("a pane outside the window");
    const drawn = pane.querySelector(".prose");
    const left = pane.querySelector(".pane-body").getBoundingClientRect();
    const inside = drawn.getBoundingClientRect();
    if (inside.left < left.left - 1 || inside.right > left.right + 1)
      wrong.push("a text outside its pane");
  }
  for (const button of document.querySelectorAll(".bar .answer")) {
    const { left, top, width, height } = button.getBoundingClientRect();
    if (!width) continue;
    const hit = document.elementFromPoint(left + width / 2, top + height / 2);
    if (!hit || !button.contains(hit)) wrong.push(`${button.textContent.trim()} cannot be pressed`);
  }
  const once = document.querySelectorAll("#desk, .bar, #answer, #desk-live, .pane");
  if (once.length !== 6) wrong.push("a double");
  return wrong;
}"""


def with_and_without_the_policy() -> Iterator[str]:
    """The escaping alone has to hold: a browser that reports a violation has met markup that was
    never to reach it, and one without the policy would have run it."""
    yield "with the policy"
    with override_settings(CONTENT_SECURITY_POLICY=None):
        yield "without the policy"


@pytest.fixture(params=["with the policy", "without the policy"])
def policy(request: pytest.FixtureRequest) -> Iterator[None]:
    for name in with_and_without_the_policy():
        if name == request.param:
            yield


def watched(desk: Desk) -> Desk:
    desk.page.add_init_script(f"({WATCH})()")
    own = (desk.address, "blob:", "about:")

    def look(address: str) -> None:
        if not address.startswith(own):
            desk.console.append(f"asks {address[:99]}")

    desk.page.on("request", lambda request: look(request.url))
    return desk


def hostile_campaign(people: People) -> tuple[Campaign, int]:
    """Each text once as a prompt, once on a side, and once on a side of another pair."""
    pairs = -(-len(TEXTS) // 2)
    campaign = make_campaign(people.anna, prompts=pairs, edits=True, criteria=["A"], strengths=2)
    pool = campaign.design.pool
    for place, prompt in enumerate(pool.prompt_set.prompts.order_by("position")):
        at = [TEXTS[(2 * place + step) % len(TEXTS)] for step in range(4)]
        messages = [{"role": role, "content": text} for role, text in zip(ROLES, at, strict=False)]
        Prompt.objects.filter(pk=prompt.pk).update(messages=messages)
        for index in range(2):
            rows = Completion.objects.filter(pool=pool, prompt=prompt, index=index)
            rows.update(text=at[2 + index])
    return campaign, pairs


@pytest.mark.usefixtures("policy")
def test_the_comparison_page_holds(people: People, sit: Sit) -> None:
    campaign, pairs = hostile_campaign(people)
    desk = watched(sit(people.anna, viewport=LAPTOP))
    desk.open(f"/work/{campaign.pk}/")
    found: dict[str, list[str]] = {}
    page = desk.page
    for place in range(pairs):
        desk.ready()
        if place in (0, pairs // 2):
            page.keyboard.press("d")  # differences on, from the second half on off again
        for name, size in (("laptop", LAPTOP), ("phone", PHONE)):
            page.set_viewport_size(size)
            if wrong := page.evaluate(WRONG) + page.evaluate(FRAME):
                found[f"{place} {name}"] = sorted(set(wrong))
                page.evaluate("() => { window.refused = []; delete window.hit; }")
        page.set_viewport_size(LAPTOP)
        page.keyboard.press("t")
        page.keyboard.press("t")
        if place + 1 < pairs:
            desk.press("1234"[place % 4])
    assert found == {}
    page.keyboard.press("1")
    page.locator(".desk-done").wait_for()
    assert Judgement.objects.filter(comparison__campaign=campaign).count() == pairs
    assert desk.console == []


def besiege(people: People) -> Campaign:
    """Every name and every text that a person can give, hostile."""
    for person in (people.anna, people.admin):
        person.username = f"{person.username}{NAME}"
        person.save()
    campaign = make_campaign(
        people.anna, prompts=len(TEXTS) + 1, name=NAME, criteria=[NAME], passing_mark=0.5
    )
    for text in TEXTS[:12]:
        change_guidelines(campaign, text[:2000], created_by=people.admin)
    for text in TEXTS:
        messages = [{"role": "user", "content": text}]
        Gold.objects.create(
            campaign=campaign, use="check", messages=messages, better=text, worse=text,
            explanation=text,
        )  # fmt: skip
        answer_next(campaign, people.anna, "left", reason=text[:20_000], criteria={NAME: "left"})
    comparison = next_comparison(campaign, people.anna)
    assert comparison is not None
    for text in TEXTS:
        flag(comparison, people.anna, kind=Flag.Kind.OTHER, note=text[:2000])
    for place, completion in enumerate(campaign.design.pool.completions.all()):
        Completion.objects.filter(pk=completion.pk).update(text=TEXTS[place % len(TEXTS)])
    for choose in (for_first, for_second):
        machine = create_machine(choose.__name__, instructions=TEXTS[2][:4000])
        answer_all(assign(campaign, machine), choose, reason=TEXTS[3][:4000])
    around(campaign, people)
    return campaign


def around(campaign: Campaign, people: People) -> None:
    """What leads to the campaign and comes of it, by names and texts that attack as well."""
    design = campaign.design
    pool, prompts = design.pool, design.pool.prompt_set
    for model, pk in ((Design, design.pk), (Pool, pool.pk), (PromptSet, prompts.pk)):
        model.objects.filter(pk=pk).update(name=NAME)
    Variant.objects.filter(pool=pool).update(model=NAME, system_prompt=TEXTS[0])
    Pool.objects.filter(pk=pool.pk).update(model=NAME)
    for place, prompt in enumerate(prompts.prompts.all()):
        text = TEXTS[place % len(TEXTS)]
        messages = [{"role": role, "content": text} for role in ("system", "user")]
        Prompt.objects.filter(pk=prompt.pk).update(external_id=NAME, messages=messages)
    rows = [{"prompt": text[:9_000], NAME: NAME, "model": NAME} for text in TEXTS]
    upload = send(people.client(people.admin), lines(*rows, {NAME: 1}))
    Upload.objects.filter(pk=upload.pk).update(name=NAME, file_name=f"{NAME}.jsonl", model=NAME)
    for status in (Job.Status.FAILED, Job.Status.CANCELLED):
        Job.objects.create(
            kind="generate_pool", subject_id=pool.pk, status=status, error=NAME + TEXTS[0],
            finished_at=timezone.now(), message=NAME, notices=f"{NAME}\n{TEXTS[3]}",
        )  # fmt: skip
    Assessment.objects.create(
        campaign=campaign, label_count=9, results=named(full_facts()), completed_at=timezone.now()
    )
    export(campaign)
    for person in (people.admin, people.anna):
        make_token(person, name=NAME, scopes=["read"])
        keys = {"left": "<", "right": '"', "tie": "'", "undo": "&", "flag": NAME}
        Preferences.objects.create(person=person, keys=keys, theme="x onload")
    rename = f"/manage/campaign/{campaign.pk}/rename/"
    people.client(people.admin).post(rename, {"name": f"{NAME}2"})
    people.client(people.admin).post(rename, {"name": NAME})
    refuse = {"username": NAME, "password": NAME}
    Client().post("/login/", refuse)


def named(facts: object) -> object:
    """The same, each person and machine in it called `NAME`."""
    if isinstance(facts, dict):
        told = ("person", "username", "machine")
        return {key: NAME if key in told else named(one) for key, one in facts.items()}
    return [named(one) for one in facts] if isinstance(facts, list) else facts


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept[tuple[People, Campaign]]]:
    def make() -> tuple[People, Campaign]:
        people = make_people()
        return people, besiege(people)

    rows = Kept(make)
    yield rows
    rows.close()


@pytest.fixture
def besieged(
    transactional_db: None, kept: Kept[tuple[People, Campaign]]
) -> tuple[People, Campaign]:
    return kept.get()


ADMINS = {
    "home": "/",
    "history": "/history/",
    "prompt sets": "/prompts/",
    "prompt set": "/prompts/{prompts}/",
    "upload": "/prompts/uploads/{upload}/",
    "pools": "/pools/",
    "new pool": "/pools/new/?prompt_set={prompts}",
    "scores": "/pools/{pool}/scores/",
    "settings": "/settings/",
    "designs": "/designs/",
    "new design": "/designs/new/?pool={pool}",
    "new campaign": "/campaigns/new/?design={design}",
    "quality": "/campaigns/{}/quality/",
    "disagreements": "/campaigns/{}/disagreements/",
    "exports": "/campaigns/{}/exports/",
    "report": "/exports/{export}/report/",
    "a dataset that goes": "/manage/export/{export}/delete/",
    "next round": "/campaigns/{}/next-round/",
    "pool": "/pools/{pool}/",
    "a pool that stays": "/manage/pool/{pool}/delete/",
    "people": "/people/",
    "tokens": "/people/tokens/",
    "campaigns": "/campaigns/",
    "campaign": "/campaigns/{}/",
    "guidelines": "/campaigns/{}/guidelines/",
    "gold": "/campaigns/{}/gold/",
    "flags": "/campaigns/{}/flags/",
    "machines": "/campaigns/{}/machines/",
    "design": "/designs/{design}/",
}
PEOPLES = {
    "work": "/work/",
    "settings": "/settings/",
    "history": "/work/{}/history/",
    "compare": "/work/{}/",
}


def visit(desk: Desk, pages: dict[str, str], campaign: Campaign) -> dict[str, list[str]]:
    """What is wrong with each page, everything on it opened, wide and narrow."""
    found = {}
    design, made = campaign.design, campaign.exports.get()
    numbers = {
        "pool": design.pool_id,
        "design": design.pk,
        "prompts": design.pool.prompt_set_id,
        "upload": Upload.objects.latest("pk").pk,
        "export": made.pk,
    }
    for name, address in pages.items():
        desk.page.set_viewport_size(LAPTOP)
        desk.open(address.format(campaign.pk, **numbers))
        assert desk.page.locator("h1").count() == 1, name
        desk.page.evaluate(
            "document.querySelectorAll('details').forEach((one) => { one.open = 1 })"
        )
        desk.page.wait_for_timeout(50)  # what would load or fail to, and run then
        wrong = desk.page.evaluate(WRONG)
        desk.page.set_viewport_size(PHONE)
        wrong += [f"phone: {one}" for one in desk.page.evaluate(WRONG)]
        if wrong + desk.console:
            found[name] = sorted({*wrong, *desk.console})
        desk.console.clear()
    return found


def test_the_admins_pages_hold(besieged: tuple[People, Campaign], sit: Sit) -> None:
    people, campaign = besieged
    desk = watched(sit(people.admin))
    for policy in with_and_without_the_policy():
        assert visit(desk, ADMINS, campaign) == {}, policy
    desk.open(f"/campaigns/{campaign.pk}/gold/")
    assert desk.text("h1") == "Gold pairs"
    assert NAME in desk.text(".crumbs")


def test_the_annotators_pages_hold(besieged: tuple[People, Campaign], sit: Sit) -> None:
    people, campaign = besieged
    desk = watched(sit(people.anna))
    for policy in with_and_without_the_policy():
        assert visit(desk, PEOPLES, campaign) == {}, policy
    assert desk.text(".desk-campaign") == NAME
    assert desk.page.locator(".criterion legend").inner_text() == NAME
    desk.page.keyboard.press("?")
    assert desk.page.locator("#keys").is_visible()
    desk.open("/work/")
    desk.page.click(".user-button")
    assert NAME in desk.text(".user-panel strong")


ROWS = ["annotate/campaign", "annotate/judgement", "annotate/flag", "annotate/gold",
        "annotate/guideline", "annotate/preferences", "pools/pool", "pools/prompt", "pools/upload",
        "pools/completion", "jobs/job", "api/token", "auth/user", "trail/entry"]  # fmt: skip


@pytest.mark.usefixtures("besieged")
def test_the_operators_site_holds(sit: Sit) -> None:
    operator = User.objects.create_superuser("olga", password="secret-enough")
    desk = watched(sit(operator))
    for policy in with_and_without_the_policy():
        assert look_at_rows(desk) == {}, policy


def look_at_rows(desk: Desk) -> dict[str, list[str]]:
    """What is wrong with each list of Django's own site, and with its first row's page."""
    found, wrong_there = {}, "[...window.refused, window.hit ?? []].flat()"
    for rows in ROWS:
        desk.open(f"/admin/{rows}/")
        wrong = desk.page.evaluate(wrong_there)
        links = desk.page.locator("#result_list tbody a").all()
        assert links, rows
        desk.open(str(links[0].get_attribute("href")))
        desk.page.wait_for_timeout(50)
        wrong += desk.page.evaluate(wrong_there)
        if wrong + desk.console:
            found[rows] = [*wrong, *desk.console]
        desk.console.clear()
    return found
