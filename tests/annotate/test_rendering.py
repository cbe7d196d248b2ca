"""Completions are an attacker's text."""

import re
import time
from html import unescape
from html.parser import HTMLParser

import pytest
from pygments.lexers import get_lexer_by_name

from annotate.rendering import MOST_MARKDOWN, raw_text, render_markdown
from annotate.rendering.invisible import MOST_MARKERS
from annotate.rendering.markdown import LANGUAGES, SLOW
from tests.annotate.hostile import HOSTILE

SAFE = {
    *("p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "a", "span", "div"),
    *("h3", "h4", "h5", "h6", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}
OURS = {"math", "display", "invisible", "masked", "highlight", "layout", "raw"}
# Far above what any takes on an idle machine (0.4 s): a quadratic text takes minutes.
BOUND_SECONDS = 5


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_stays_text(kind: str) -> None:
    for render in (render_markdown, raw_text):
        started = time.process_time()  # of this process alone, on a machine that may be busy
        page = Page(render(HOSTILE[kind]))
        assert time.process_time() - started < BOUND_SECONDS
        assert page.text.strip()
        for tag, attributes in page.found:
            assert tag in SAFE
            assert set(attributes) <= {"href", "rel", "target", "class", "start", "data-language"}
            assert re.match("(?:https?:|mailto:)[^<>\"' ]+$", attributes.get("href") or "https:x")
            assert set((attributes.get("class") or "").split()) <= OURS or tag == "span"
        assert not re.search(
            "[\0\u200b\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]", page.text
        )


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_page_of_a_hostile_text_is_bounded(kind: str) -> None:
    page = Page(render_markdown(HOSTILE[kind]))
    assert len(page.found) < 16_000
    assert (
        sum(attributes.get("class") == "invisible" for _, attributes in page.found) <= MOST_MARKERS
    )


@pytest.mark.parametrize("kind", sorted(k for k in HOSTILE if k.startswith(("nested", "no space"))))
def test_what_is_too_deep_or_long_is_shown_and_not_cut(kind: str) -> None:
    letters = re.sub(r"[^A-Za-z]", "", HOSTILE[kind])
    assert re.sub(r"[^A-Za-z]", "", Page(render_markdown(HOSTILE[kind])).text) == letters


def test_nothing_that_is_written_vanishes() -> None:
    page = Page(render_markdown(HOSTILE["hidden definition"]))
    assert "never seen'" in page.text
    assert "never seen either" in page.text


def test_a_link_tells_its_target_nothing() -> None:
    assert render_markdown("[x](https://a.example)") == (
        '<p><a href="https://a.example" target="_blank" '
        'rel="noopener noreferrer nofollow">x</a></p>\n'
    )


def test_a_link_cannot_lead_into_the_page() -> None:
    assert "<a" not in render_markdown(HOSTILE["links into the page"])


def test_headings_begin_below_the_pages_own() -> None:
    html = render_markdown("# One\n\n###### Six")
    assert "<h3>One</h3>" in html
    assert "<h6>Six</h6>" in html


def test_code_is_highlighted_by_classes_and_named() -> None:
    assert render_markdown("```py\nif f(): 1\n```") == (
        '<pre class="highlight" data-language="Python"><code><span class="k">if</span> '
        '<span class="n">f</span><span class="p">():</span> <span class="mi">1</span>\n'
        "</code></pre>\n"
    )


def test_unknown_languages_stay_plain() -> None:
    assert render_markdown("```klingon\n<b>\n```") == (
        '<pre class="highlight" data-language="klingon"><code>&lt;b&gt;\n</code></pre>\n'
    )


def test_a_language_is_a_name() -> None:
    assert render_markdown('```a"b<c\nx\n```') == '<pre class="highlight"><code>x\n</code></pre>\n'


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_known_language_has_its_lexer(language: str) -> None:
    assert get_lexer_by_name(language).name
    assert SLOW.keys() <= LANGUAGES


def test_code_beyond_the_bound_is_plain_and_whole() -> None:
    code = "x = 1\n" * 3000
    page = Page(render_markdown(f"```python\nx = 1\n```\n```python\n{code}```"))
    assert page.text.count("x = 1") == 3001
    assert sum(tag == "span" for tag, _ in page.found) == 3  # those of the first block


def test_single_newlines_and_indentation_are_kept() -> None:
    assert render_markdown("a\nb") == "<p>a<br>\nb</p>\n"
    assert render_markdown("a\n    b\n  c\n d") == (
        "<p>a<br>\n&nbsp;&nbsp;&nbsp;&nbsp;b<br>\n&nbsp;&nbsp;c<br>\nd</p>\n"
    )


@pytest.mark.parametrize("drawn", ["+--+--+\n|a |b |\n+--+--+", "name    age\nAnna     31"])
def test_a_table_drawn_with_characters_keeps_its_columns(drawn: str) -> None:
    assert render_markdown(drawn) == f'<pre class="layout">{drawn}</pre>\n'


def test_a_class_of_the_page_cannot_be_borrowed() -> None:
    assert "flash" not in render_markdown('<span class="flash">x</span>').split("&gt;")[-1]


@pytest.mark.parametrize("text", ["[" * 100_000, "*a " * 40_000, "> " * 50_000, "a\n=\n" * 25_000])
def test_a_text_made_to_be_slow_is_shown_as_it_was_written(text: str) -> None:
    assert Page(render_markdown(text)).text == text
    assert render_markdown(text).startswith('<pre class="raw">')


def test_the_cap_is_on_cost_before_it_is_on_length() -> None:
    answer = (
        "A paragraph of **honest** prose, with `code` and a formula, $x^2$.\n\n- one\n- two\n\n"
    )
    assert render_markdown(answer * (40_000 // len(answer))).startswith("<p>")
    assert render_markdown("a " * (MOST_MARKDOWN // 2)).startswith("<p>")
    assert render_markdown("a " * (MOST_MARKDOWN // 2) + "b").startswith('<pre class="raw">')


def inline(tex: str) -> str:
    return f'<span class="math">{tex}</span>'


def display(tex: str) -> str:
    return f'<div class="math display">{tex}</div>\n'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("$x_1 * y_2 * z$", inline("x_1 * y_2 * z")),
        (r"\(a*b*c\) so", inline("a*b*c") + " so"),
        (r"so \[x^2\].", 'so <span class="math display">x^2</span>.'),
        ("it is $$x$$ here", 'it is <span class="math display">x</span> here'),
        ("the $n$th, $k$s", f"the {inline('n')}th, {inline('k')}s"),
        ("设$x$为", f"设{inline('x')}为"),
        ("**$x$**", f"<strong>{inline('x')}</strong>"),
        ("$a < b$", inline("a &lt; b")),
        (r"$\text{\$5}$", inline(r"\text{\$5}")),
        ("$<script>$", inline("&lt;script&gt;")),
    ],
)
def test_mathematics_in_a_line_survives_markdown(text: str, html: str) -> None:
    assert render_markdown(text) == f"<p>{html}</p>\n"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("$$a_b$$", display("a_b")),
        ("Hence\n$$\nx = a\n+ b\n$$\nso", "<p>Hence</p>\n" + display("x = a\n+ b") + "<p>so</p>\n"),
        ("\\[\n\\frac{a}{b}\n\\]", display(r"\frac{a}{b}")),
        (
            "\\begin{align*}\na &= b \\\\\nc_1 &= d_1\n\\end{align*}",
            display("\\begin{align*}\na &amp;= b \\\\\nc_1 &amp;= d_1\n\\end{align*}"),
        ),
        ("> $$a\n> b$$", "<blockquote>\n" + display("a\nb") + "</blockquote>\n"),
    ],
)
def test_mathematics_of_its_own_lines_survives_markdown(text: str, html: str) -> None:
    assert render_markdown(text) == html


@pytest.mark.parametrize(
    "text",
    [
        *("costs $5 and $10", "US$5 or US$6", "$5-$10", "$5 or US$ 6", "$5/month vs $6/month"),
        *("$HOME/$USER", "$PATH and $HOME", "$", "$$", "a $ b $ c", "between $5k and $6k"),
    ],
)
def test_money_and_variables_stay_text(text: str) -> None:
    assert render_markdown(text) == f"<p>{text}</p>\n"


@pytest.mark.parametrize("text", ["`$x$`", r"\$x$", r"\\(x\\)", "```\n$x$\n```", "    $x$"])
def test_code_and_escapes_are_no_mathematics(text: str) -> None:
    assert "math" not in render_markdown(text)


def marker(label: str) -> str:
    return f'<span class="invisible">{label}</span>'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a\u202eb", f"a{marker('U+202E')}b"),
        ("a&#x202E;b", f"a{marker('U+202E')}b"),
        ("a" + "\u200b" * 3 + "b", f"a{marker('U+200B ×3')}b"),
        ("a\u200b\u200cb", f"a{marker('U+200B U+200C')}b"),
        ("a\u2060\u200b\u2061\u2062b", f"a{marker('U+2060 U+200B U+2061 … ×4')}b"),
        ("a\u200db", f"a{marker('U+200D')}b"),
        ("e" + "\u0301" * 20, "e" + "\u0301" * 3 + marker("U+0301 ×17")),
        ("a\ufe0fb", f"a{marker('U+FE0F')}b"),
    ],
)
def test_what_cannot_be_seen_is_marked(text: str, html: str) -> None:
    assert render_markdown(text) == f"<p>{html}</p>\n"


@pytest.mark.parametrize(
    "text",
    [
        *("❤\ufe0f", "👨\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈", "1\ufe0f\u20e3", "👍🏽"),
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # England's flag
        *("क\u094d\u200dष", "می\u200cخواهم", "ไทย\u200bไทย", "שלום\u200f!", "葛\U000e0100"),
        *("Vie\u0323\u0302t", "בְּרֵאשִׁ֖ית", "naïve — “quoted”…", "e\u0301\u0323\u0302"),
    ],
)
def test_honest_writing_is_not_marked(text: str) -> None:
    assert render_markdown(text) == f"<p>{text}</p>\n"
    assert raw_text(text) == text


def test_the_raw_view_is_the_text() -> None:
    assert raw_text("# a\n\n  b \t<i>\u202e\r\nc\r") == (
        f"# a\n\n  b \t&lt;i&gt;{marker('U+202E')}\nc\n"
    )


def test_a_masked_name_can_be_told_from_the_text() -> None:
    assert render_markdown("I am ▮▮▮.") == '<p>I am <span class="masked">▮▮▮</span>.</p>\n'
    assert "masked" not in render_markdown("▮▮▮▮▮▯▯")


@pytest.mark.parametrize(
    "text",
    [
        "16 - 3 = <<10*40=400>>400 and 1.2*400=480",
        "2**10 is 1024, 3**2 is 9",
        "(a+b)*(c+d)*(e)",
        "a*b*c and x*5*y",
        "$5*3 and 4*$2",
    ],
)
def test_a_product_keeps_its_stars(text: str) -> None:
    html = render_markdown(text)
    assert "<em>" not in html
    assert "<strong>" not in html
    assert unescape(re.sub(r"<[^<>]+>", "", html.replace("<<", "&lt;&lt;"))).strip() == text


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("an *important* word", "<p>an <em>important</em> word</p>\n"),
        ("**Step 1**: go", "<p><strong>Step 1</strong>: go</p>\n"),
        ("*2* and **3**", "<p><em>2</em> and <strong>3</strong></p>\n"),
        ("un**believ**able", "<p>un<strong>believ</strong>able</p>\n"),
        ("这是*重要*的", "<p>这是<em>重要</em>的</p>\n"),
        ("***both***", "<p><em><strong>both</strong></em></p>\n"),
        ("(*a*) [*b*]", "<p>(<em>a</em>) [<em>b</em>]</p>\n"),
        ("*a*, *(b)*. *c*", "<p><em>a</em>, <em>(b)</em>. <em>c</em></p>\n"),
    ],
)
def test_emphasis_stays_emphasis(text: str, html: str) -> None:
    assert render_markdown(text) == html
