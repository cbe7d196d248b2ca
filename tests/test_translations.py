"""Every string that people see can be translated, and the German catalogues are whole."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django import forms
from django.apps import apps
from django.template.base import Lexer, TokenType
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import translation
from django.utils.functional import Promise

from pairselect.core import STRATEGIES
from pairselect.core.design import Status
from pairselect.designs.words import CORE_SAYS
from pairselect.jobs import registry
from pairselect.jobs.actions import cancel_job, enqueue_in_turn
from pairselect.jobs.models import Job
from pairselect.pools.words import localised, percent, whole
from tests.conftest import People, make_pool

ROOT = Path(__file__).resolve().parent.parent
GERMAN = ROOT / "locale" / "de" / "LC_MESSAGES"
DOMAINS = ("django", "djangojs")
SOURCES = ("annotate", "pairselect", "static", "templates")
OURS = ("pairselect", "annotate")

PLACE = re.compile(r"%\(\w+\)[sd]|\{\w+\}|%%|<[^<>]+>")
LETTER = re.compile(r"[^\W\d_]")
# What is the same in every language.
SAME = {"pairselect", "OpenAPI", "SHA-256", "d", "e", "Φ", "‖g‖", "Esc"}
SEEN = ("aria-label", "aria-description", "alt", "placeholder", "title")
CODE = ("code", "pre")
# A text that a filter or a tag brings in, unless it is marked: |default:_("never").
BROUGHT_IN = re.compile(r"""\|(?!date:|time:|floatformat:)\w+:["']([^"']*)["']""")
HANDED_ON = re.compile(r"""^include .*\w=["']([A-Z][^"']*)""")

Key = tuple[str | None, str, str]


def catalogue(domain: str) -> polib.POFile:
    return polib.pofile(str(GERMAN / f"{domain}.po"))


def keys(found: polib.POFile) -> set[Key]:
    return {(one.msgctxt, one.msgid, one.msgid_plural or "") for one in found if not one.obsolete}


def forms_of(entry: polib.POEntry) -> list[str]:
    """The translation, in each of its forms."""
    if entry.msgid_plural:
        return [str(text) for _, text in sorted(entry.msgstr_plural.items())]
    return [entry.msgstr]


# The catalogues


@pytest.mark.parametrize("domain", DOMAINS)
def test_everything_is_translated(domain: str) -> None:
    found = catalogue(domain)
    assert len(found) > 20
    assert [one.msgid for one in found if not one.translated() or one.fuzzy or one.obsolete] == []
    assert [one.msgid for one in found if one.msgid_plural and len(forms_of(one)) != 2] == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_places_and_tags_are_the_same_in_german(domain: str) -> None:
    wrong = []
    for entry in catalogue(domain):
        meant = sorted(PLACE.findall(entry.msgid_plural or entry.msgid))
        *others, last = forms_of(entry)  # the plural's is the last
        if sorted(PLACE.findall(last)) != meant:
            wrong.append(entry.msgid)
        if any(set(PLACE.findall(text)) - set(meant) for text in others):
            wrong.append(entry.msgid)
    assert wrong == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_what_is_compiled_is_what_is_written(domain: str) -> None:
    compiled = polib.mofile(str(GERMAN / f"{domain}.mo"))
    written = {key(one): forms_of(one) for one in catalogue(domain)}
    assert {key(one): forms_of(one) for one in compiled} == written, "type make messages"


def key(entry: polib.POEntry | polib.MOEntry) -> Key:
    return entry.msgctxt, entry.msgid, entry.msgid_plural or ""


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_catalogue_holds_every_string_of_the_sources(domain: str, tmp_path: Path) -> None:
    if shutil.which("xgettext") is None:
        message = "no xgettext here: install the distribution's gettext package"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    skipped = shutil.ignore_patterns("__pycache__", "vendor", "migrations", "*.gguf")
    for name in SOURCES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=skipped)
    (tmp_path / "locale").mkdir()
    subprocess.run(
        [sys.executable, "-m", "django", "makemessages", "--locale", "de", "--domain", domain],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    )
    anew = polib.pofile(str(tmp_path / "locale" / "de" / "LC_MESSAGES" / f"{domain}.po"))
    assert keys(anew) == keys(catalogue(domain)), "type make messages, and translate what is new"


# The sources


class Texts(HTMLParser):
    """What a reader of the page would read: text, and the attributes that are read out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.within: list[str] = []
        self.skipped: list[bool] = []  # code, and what says that it is English

    def handle_data(self, data: str) -> None:
        if not any(self.skipped):
            self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.within.append(tag)
        self.skipped.append(tag in CODE or ("lang", "en") in attrs)
        if not any(self.skipped):
            self.found += [value for name, value in attrs if name in SEEN and value]

    def handle_endtag(self, tag: str) -> None:
        if tag in self.within:
            last = len(self.within) - 1 - self.within[::-1].index(tag)
            del self.within[last:], self.skipped[last:]


def untranslated(source: str) -> Iterator[str]:
    """Texts of a template that stand outside of translate and blocktranslate."""
    page, inside = "", False
    for token in Lexer(source).tokenize():
        name = token.contents.partition(" ")[0]
        if token.token_type == TokenType.TEXT and not inside:
            page += token.contents
        elif token.token_type == TokenType.VAR and not inside:
            # Within a tag it may be nobody's to read, and the parser will see to that.
            page += " ".join(BROUGHT_IN.findall(token.contents)) or "·"
        elif name in ("blocktranslate", "blocktrans"):
            inside = True
        elif name in ("endblocktranslate", "endblocktrans"):
            inside = False
        elif token.token_type == TokenType.BLOCK:
            page += " ".join(HANDED_ON.findall(token.contents))
            # The name of a class for the whole page.
            inside = token.contents == "block body_class" or (inside and name != "endblock")
    reader = Texts()
    reader.feed(page)
    reader.close()
    for text in reader.found:
        for line in filter(None, map(str.strip, text.splitlines())):
            if LETTER.search(line) and line.strip("· ") not in SAME:
                yield line


# Whose strings are not all marked yet.
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_says_nothing_untranslated(path: Path) -> None:
    assert list(untranslated(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Saved</p>",
        '<p aria-label="Pages">{{ page.number }}</p>',
        "<p>{{ count }} pairs</p>",
        "<p>pair{{ count|pluralize }}</p>",
        '{{ seen|default:"never" }}',
        '{% include "_form.html" with verb="Save" %}',
        "{% blocktranslate %}One{% endblocktranslate %} other",
        "{% if so %}Yes{% endif %}",
    ],
)
def test_an_untranslated_text_is_found(source: str) -> None:
    assert list(untranslated(source)) != []


def test_a_translated_text_is_not_found() -> None:
    source = (
        "{% load i18n %}<p title=\"{% translate 'One' %}\">{% translate 'Two' %}</p>"
        '{% blocktranslate %}Three{% endblocktranslate %}{{ seen|default:_("never") }}'
        '{% include "_form.html" with verb=_("Save") %}<b class="badge">{{ name }}</b> · 12'
        "<code>make test</code>{% block body_class %}door{% endblock %}"
        "<i data-on=\"{{ so|yesno:'true,false' }}\">{{ when|date:_('j F Y') }}</i>"
    )
    assert list(untranslated(source)) == []


def subclasses(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


# Forms whose fields the page draws itself, or that stand at the terminal.
UNLABELLED = ("annotate.forms.answers", "annotate.forms.switch")


def test_every_field_of_a_form_has_a_label_to_translate() -> None:
    assert get_resolver().url_patterns  # which imports every form
    ours = {one for one in subclasses(forms.BaseForm) if one.__module__.split(".")[0] in OURS}
    assert len(ours) > 8
    bare = [
        f"{one.__name__}.{name}"
        for one in ours
        for name, field in getattr(one, "base_fields", {}).items()
        if one.__module__ not in UNLABELLED
        and not one.__name__.startswith("Terminal")
        and not field.widget.is_hidden
        and not isinstance(field.label, Promise)
    ]
    assert bare == []


def test_every_choice_of_a_model_is_translated() -> None:
    bare = [
        f"{model.__name__}.{field.name}: {title}"
        for model in apps.get_models()
        if model.__module__.startswith(("pairselect.", "annotate."))
        for field in model._meta.get_fields()
        for _, title in getattr(field, "flatchoices", [])
        if not isinstance(title, Promise)
    ]
    assert bare == []


def test_what_a_job_does_is_translated() -> None:
    ours = ("pairselect.", "annotate.")
    kinds = [one for one in registry._kinds.values() if one.run.__module__.startswith(ours)]
    assert len(kinds) > 10
    assert [kind.name for kind in kinds if not isinstance(kind.title, Promise)] == []


def test_what_the_core_says_can_be_translated() -> None:
    said = {one.summary for one in STRATEGIES.values()} | {status.message for status in Status}
    assert set(CORE_SAYS) == said


# In German


def test_numbers_are_written_as_the_language_writes_them() -> None:
    assert (whole(12345), localised("1,234.5%"), percent(0.004)) == ("12,345", "1,234.5%", "0.4%")
    with translation.override("de"):
        assert (whole(12345), localised("1,234.5%")) == ("12.345", "1.234,5\u00a0%")
        assert (percent(0.004), percent(0)) == ("0,4\u00a0%", "keine")


@pytest.mark.django_db
def test_the_login_page_is_german_for_a_german_browser() -> None:
    page = Client(HTTP_ACCEPT_LANGUAGE="de-AT,de;q=0.9,en;q=0.5").get(reverse("login"))
    text = page.content.decode()
    assert '<html lang="de"' in text
    assert "<h1>Anmelden</h1>" in text
    assert "Kein Konto, oder das Passwort ist verloren?" in text
    assert "<h1>Log in</h1>" in Client(HTTP_ACCEPT_LANGUAGE="fr").get("/login/").content.decode()


def test_pages_of_admins_are_german(people: People) -> None:
    admin = people.client(people.admin)
    german = {"HTTP_ACCEPT_LANGUAGE": "de"}
    home = admin.get(reverse("home"), **german).content.decode()
    assert "Urteile, die zählen" in home
    assert ">Prompt-Sammlungen</a>" in home
    people = admin.get(reverse("accounts:people"), **german).content.decode()
    assert (
        "Wer über das Budget verfügt, wer vergleicht und wer entscheidet, wo andere uneinig sind."
        in people
    )
    assert "Bewertende Person: vergleicht Antworten" in people
    refused = admin.post(reverse("accounts:people"), {"username": ""}, **german).content.decode()
    assert "Ein Konto braucht einen Namen." in refused


@pytest.mark.django_db
def test_a_job_is_shown_in_german_and_kept_in_english() -> None:
    pool = make_pool(prompts=1)
    enqueue_in_turn([("generate_pool", pool.pk), ("report_pool", pool.pk)])
    first, second = Job.objects.order_by("pk")
    with translation.override("de"):
        assert (first.label, first.get_status_display()) == (
            "Erzeugen der Antworten: „pool“",
            "eingereiht",
        )
        cancel_job(first)
    second.refresh_from_db()
    assert second.error == "Not begun: Generating completions of “pool” was cancelled."
