"""The settings page as a browser has it: keys are pressed, a theme is seen, the zone is told."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from annotate.models import Preferences
from tests.browser.conftest import Desk
from tests.conftest import People

DARK, LIGHT = "rgb(18, 22, 21)", "rgb(244, 246, 243)"


def paper(desk: Desk) -> str:
    return str(desk.page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_a_key_is_set_by_pressing_it(people: People, sit: type[Desk]) -> None:
    desk = sit(people.anna)
    desk.open("/settings/")
    field = desk.page.get_by_label("Tie: equally good")
    field.focus()
    desk.page.keyboard.press("Shift+X")
    assert field.input_value() == "x"
    assert desk.text("#keys-live") == "Tie: equally good: x"
    desk.page.keyboard.press("Tab")  # is the browser's, as are these
    assert desk.page.evaluate("document.activeElement.name") == "key_both_bad"
    desk.page.keyboard.press("Space")
    desk.page.keyboard.press("ArrowLeft")
    assert desk.page.get_by_label("Both bad").input_value() == "9"
    desk.page.keyboard.insert_text("Ы")  # as a phone's keyboard brings it
    assert desk.page.get_by_label("Both bad").input_value() == "ы"
    desk.page.keyboard.press("Enter")
    desk.page.get_by_text("Your settings are saved.").wait_for()
    assert Preferences.objects.get(person=people.anna).keys == {"tie": "x", "both_bad": "ы"}
    assert desk.console == []


def test_two_actions_on_one_key_are_told_at_once(people: People, sit: type[Desk]) -> None:
    desk = sit(people.anna)
    desk.open("/settings/")
    field = desk.page.get_by_label("Tie: equally good")
    field.press("s")
    assert field.get_attribute("aria-invalid") == "true"
    assert desk.page.locator(".key-group .errors").all_inner_texts() == [
        "“s” is the key of “Skip, with a reason” too.",
        "“s” is the key of “Tie: equally good” too.",
    ]
    described = field.get_attribute("aria-describedby")
    assert described
    assert desk.text(f"#{described}") == "“s” is the key of “Skip, with a reason” too."
    field.press("0")
    assert desk.page.locator(".key-group .errors").count() == 0
    assert desk.page.locator("[aria-invalid]").count() == 0


def test_a_conflict_that_is_sent_is_told_by_the_server(people: People, sit: type[Desk]) -> None:
    desk = sit(people.anna)
    desk.open("/settings/")
    desk.page.get_by_label("Tie: equally good").press("s")
    desk.page.get_by_role("button", name="Save").click()
    desk.page.get_by_text("Nothing is saved yet.").wait_for()
    assert desk.page.locator(".key-group .errorlist").count() == 1
    desk.page.get_by_label("Tie: equally good").press("0")  # the mended field says nothing more
    assert desk.page.locator(".key-group :is(.errors, .errorlist)").count() == 0


def test_without_a_script_a_key_is_a_field_of_one_letter(people: People, sit: type[Desk]) -> None:
    desk = sit(people.anna, java_script_enabled=False)
    desk.open("/settings/")
    desk.page.get_by_label("Tie: equally good").fill("X")
    desk.page.get_by_role("button", name="Save").click()
    assert Preferences.objects.get(person=people.anna).keys == {"tie": "x"}
    desk.page.get_by_role("button", name="Back to the usual keys").click()
    assert Preferences.objects.get(person=people.anna).keys == {}


def test_the_theme_is_seen_before_and_after_saving(people: People, sit: type[Desk]) -> None:
    desk = sit(people.anna, color_scheme="light")
    desk.open("/settings/")
    assert paper(desk) == LIGHT
    desk.page.get_by_label("Dark").check()
    assert paper(desk) == DARK
    desk.page.get_by_label("As the system").check()
    assert paper(desk) == LIGHT
    desk.page.get_by_label("Dark").check()
    desk.page.get_by_role("button", name="Save").click()
    desk.page.get_by_text("Your settings are saved.").wait_for()
    assert paper(desk) == DARK
    desk.open("/work/")
    assert paper(desk) == DARK


def test_the_browsers_zone_reaches_the_server(people: People, sit: type[Desk]) -> None:
    desk = sit(people.anna, timezone_id="Pacific/Auckland")
    desk.open("/work/")
    cookies = {one["name"]: one["value"] for one in desk.context.cookies()}
    assert cookies["tz"] == "Pacific/Auckland"


PRESSES = {  # what the keyboard sends: key, code, what else is held → what it can mean
    "a letter": ("s", "KeyS", {}, ["s"]),
    "caps lock": ("S", "KeyS", {}, ["s"]),
    "a digit": ("1", "Digit1", {}, ["1"]),
    "the number pad": ("1", "Numpad1", {}, ["1"]),
    "a French digit, with Shift": ("1", "Digit1", {"shiftKey": True}, ["1"]),
    "its sign, without": ("&", "Digit1", {}, ["&", "1"]),
    "an English sign over a digit": ("!", "Digit1", {"shiftKey": True}, ["!"]),
    "the question mark": ("?", "Slash", {"shiftKey": True}, ["?"]),
    "Cyrillic": ("Ы", "KeyS", {}, ["ы", "s"]),
    "Greek": ("σ", "KeyS", {}, ["σ", "s"]),
    "an accented letter": ("ö", "Semicolon", {}, ["ö"]),
    "AZERTY's comma": (",", "KeyM", {}, [","]),
    "AltGr": ("@", "KeyQ", {"ctrlKey": True, "altKey": True, "modifierAltGraph": True}, ["@"]),
    "Ctrl": ("s", "KeyS", {"ctrlKey": True}, []),
    "Alt": ("s", "KeyS", {"altKey": True}, []),
    "Meta": ("s", "KeyS", {"metaKey": True}, []),
    "composing": ("s", "KeyS", {"isComposing": True}, []),
    "a dead key": ("Dead", "Backquote", {}, []),
    "the space bar": (" ", "Space", {}, []),
    "Enter": ("Enter", "Enter", {}, []),
    "Escape": ("Escape", "Escape", {}, []),
    "an arrow": ("ArrowDown", "ArrowDown", {}, []),
    "F5": ("F5", "F5", {}, []),
    "no key": ("\u3164", "", {}, []),
}


def test_what_a_press_can_mean(people: People, sit: type[Desk]) -> None:
    desk = sit(people.anna)
    desk.open("/settings/")
    for name, (key, code, held, meant) in PRESSES.items():
        found = desk.page.evaluate(
            """async ([key, code, held]) => {
              const { pressed } = await import("/static/js/desk/pressed.js");
              return pressed(new KeyboardEvent("keydown", { key, code, ...held }));
            }""",
            [key, code, held],
        )
        assert found == meant, name


def test_words_come_from_the_catalogue_and_are_english_without(
    people: People, sit: type[Desk]
) -> None:
    desk = sit(people.anna, locale="de-DE")
    desk.open("/settings/")
    found = desk.page.evaluate(
        """async () => {
          const { format, gettext, ngettext } = await import("/static/js/desk/words.js");
          const values = { count: 1234.5, name: "<b>%(count)s" };
          const filled = format("%(count)s %(name)s %(toString)s %(other)s", values);
          django.catalog["Left"] = "Links";
          const german = gettext("Left");
          delete globalThis.gettext;
          delete globalThis.ngettext;
          const counts = [1, 2].map((count) => ngettext("one", "many", count));
          return [filled, german, gettext("Left"), ...counts];
        }"""
    )
    assert found == [
        "1.234,5 <b>%(count)s %(toString)s %(other)s",
        *("Links", "Left", "one", "many"),
    ]
    assert desk.console == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_axe_finds_nothing(people: People, sit: type[Desk], scheme: str, width: int) -> None:
    desk = sit(people.anna, color_scheme=scheme, viewport={"width": width, "height": 768})
    desk.open("/settings/")
    desk.page.get_by_label("Tie: equally good").press("s")
    found = Axe().run(desk.page)
    assert found.violations_count == 0, found.generate_report()
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert desk.page.evaluate(wide) is False
