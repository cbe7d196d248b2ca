"""The difference view, in the browser that draws it."""

import pytest

from tests.browser.conftest import Desk
from tests.browser.reading_page import (
    WRAPPED,
    Sit,
    at_work,
    call,
    difference,
    long_texts,
    raw_view,
    show,
)
from tests.conftest import People


@pytest.fixture
def desk(people: People, sit: Sit) -> Desk:
    return at_work(people, sit)


def test_the_words_that_only_one_has_are_marked_and_no_others(desk: Desk) -> None:
    counts, marks = difference(
        desk,
        "The **river** rises in the Alps and is 1,230 km long.",
        "The river rises in the *Swiss* Alps and is 1,233 km long.",
    )
    assert marks["only-left"] == ["1,230"]
    assert marks["only-right"] == ["Swiss", "1,233"]
    assert marks["both-left"] == ["The river rises in the Alps and is", "km long."]
    assert counts == {
        "shared": 10,
        "onlyLeft": 1,
        "onlyRight": 2,
        "share": pytest.approx(20 / 23),
        "places": 2,
    }
    assert desk.console == []


def test_identical_texts_have_no_marks(desk: Desk) -> None:
    counts, marks = difference(desk, "# One\n\nThe same `text`.", "# One\n\nThe same `text`.")
    assert (counts["share"], counts["places"]) == (1, 0)
    assert [name for name, texts in marks.items() if texts] == []
    assert call(desk, "difference", "nextDifference", 1) is None


def test_markup_and_typographic_quotes_are_no_difference(desk: Desk) -> None:
    counts, _ = difference(
        desk, 'It\'s **un**believable, "he" said.', "It’s unbelievable, “he” said."
    )
    assert (counts["share"], counts["places"]) == (1, 0)


def test_case_is_a_difference(desk: Desk) -> None:
    _, marks = difference(desk, "We met Will there.", "We met will there.")
    assert (marks["only-left"], marks["only-right"]) == (["Will"], ["will"])


def test_no_crumbs_of_common_words_between_different_sentences(desk: Desk) -> None:
    _, marks = difference(
        desk,
        "A cat sat on the mat and purred loudly. It was the end of the day.",
        "Two dogs ran over the hills and barked twice. It was the end of the day.",
    )
    assert marks["only-left"] == ["A cat sat on the mat and purred loudly"]
    assert marks["only-right"] == ["Two dogs ran over the hills and barked twice"]


def test_an_added_sentence_is_marked_from_its_first_word_to_its_full_stop(desk: Desk) -> None:
    _, marks = difference(desk, "He left. She slept.", "He left. He paid the bill. She slept.")
    assert marks["only-left"] == []
    assert marks["only-right"] == ["He paid the bill."]


ITEMS = [
    "- The harbour is small but has a very good fish market.",
    "- Museums in the old town are closed on Monday mornings.",
    "- Take the tram number seven to the botanical garden.",
    "- Bring warm clothes, because evenings in spring are cool.",
]


def test_a_list_in_another_order_is_the_same_list(desk: Desk) -> None:
    counts, marks = difference(
        desk, "\n".join(ITEMS), "\n".join([ITEMS[2].replace("seven", "nine"), *ITEMS[:2], ITEMS[3]])
    )
    assert (marks["only-left"], marks["only-right"]) == (["seven"], ["nine"])
    assert counts["places"] == 1


def test_a_sentence_moved_within_a_paragraph_is_shared(desk: Desk) -> None:
    moved = "The second train to the coast leaves daily at noon."
    rest = "Tickets are sold at every station. Children under six travel free of charge."
    counts, marks = difference(desk, f"{moved} {rest}", f"{rest} {moved}")
    assert counts["share"] == 1
    assert (marks["only-left"], marks["only-right"]) == ([], [])


def test_a_paragraph_cut_in_two_is_no_difference(desk: Desk) -> None:
    first, second = (
        "Water boils at 100 degrees at sea level.",
        "It boils earlier on a mountain top.",
    )
    counts, _ = difference(desk, f"{first} {second}", f"{first}\n\n{second}")
    assert (counts["share"], counts["places"]) == (1, 0)


def test_chinese_and_japanese_are_compared_by_word(desk: Desk) -> None:
    _, marks = difference(desk, "我们明天去北京看朋友。", "我们明天去上海看朋友。")
    assert (marks["only-left"], marks["only-right"]) == (["北京"], ["上海"])
    _, marks = difference(desk, "私は毎朝コーヒーを飲みます。", "私は毎朝紅茶を飲みます。")
    assert (marks["only-left"], marks["only-right"]) == (["コーヒー"], ["紅茶"])


def test_arabic_and_hindi_words_stay_whole(desk: Desk) -> None:
    _, marks = difference(desk, "ذهب الولد إلى المدرسة صباحًا.", "ذهب الولد إلى السوق صباحًا.")
    assert (marks["only-left"], marks["only-right"]) == (["المدرسة"], ["السوق"])
    _, marks = difference(desk, "मैं कल दिल्ली जाऊँगा।", "मैं कल मुंबई जाऊँगा।")
    assert (marks["only-left"], marks["only-right"]) == (["दिल्ली"], ["मुंबई"])


CODE = "```python\ndef area(radius):\n    square = radius * radius\n    return 3.14 * square\n```\n"


def test_code_is_compared_by_its_words_and_lines(desk: Desk) -> None:
    _, marks = difference(
        desk, CODE, CODE.replace("3.14", "math.pi").replace("def", "import math\n\ndef")
    )
    assert marks["only-left"] == ["3.14"]
    assert marks["only-right"] == ["import math", "math.pi"]


def test_a_row_more_in_a_table_is_one_row(desk: Desk) -> None:
    table = "| City | People |\n|---|---|\n| Oslo | 709,000 |\n| Bergen | 291,000 |\n"
    _, marks = difference(desk, table, table + "| Molde | 32,000 |\n")
    assert marks["only-left"] == []
    assert [text.split() for text in marks["only-right"]] == [["Molde", "32,000"]]


FORMULA = """([side, html]) => {
  document.querySelector(`.pane[data-side="${side}"] .prose`).innerHTML = html;
}"""


def test_a_formula_is_one_word_before_it_is_typeset_and_after(desk: Desk) -> None:
    show(desk, "x", "x")
    plain = '<p>So <span class="math">a^2 + b</span> holds.</p>'
    typeset = (
        '<p>So <span class="math" data-tex="a^2 + b"><span class="katex"><math><semantics>'
        "<mi>a</mi><annotation>a^2 + b</annotation></semantics></math>"
        "<span aria-hidden=true>a2+b</span>"
        "</span></span> holds.</p>"
    )
    desk.page.evaluate(FORMULA, ["left", plain])
    desk.page.evaluate(FORMULA, ["right", typeset])
    assert call(desk, "difference", "showDifference")["share"] == 1
    desk.page.evaluate(FORMULA, ["right", typeset.replace("a^2 + b", "a^3 + b")])
    counts = call(desk, "difference", "showDifference")
    assert (counts["shared"], counts["onlyLeft"], counts["onlyRight"]) == (2, 1, 1)
    names = "[...document.querySelectorAll('.math')].map((each) => each.dataset.marked)"
    assert desk.page.evaluate(names) == ["only-left", "only-right"]
    call(desk, "difference", "hideDifference")
    assert desk.page.evaluate(names) == [None, None]


def test_the_raw_view_is_compared_as_it_is_written(desk: Desk) -> None:
    show(desk, "Some **bold** words.", "Some bold words.")
    assert call(desk, "difference", "showDifference")["places"] == 0
    raw_view(desk, on=True)
    counts = call(desk, "difference", "showDifference")
    assert (counts["share"], counts["places"]) == (1, 2)
    marks = desk.page.evaluate("[...CSS.highlights.get('only-left')].map(String)")
    assert marks == ["**", "**"]
    raw_view(desk, on=False)
    assert call(desk, "difference", "showDifference")["places"] == 0


def test_marks_change_neither_the_page_nor_what_is_copied(desk: Desk) -> None:
    show(desk, "One **two** three.", "One *four* three.")
    html = "document.querySelector('.pane[data-side=left] .pane-body').innerHTML"
    before = desk.page.evaluate(html)
    call(desk, "difference", "showDifference")
    call(desk, "difference", "nextDifference", 1)
    assert desk.page.evaluate(html) == before
    call(desk, "difference", "hideDifference")
    assert desk.page.evaluate("CSS.highlights.size") == 0
    assert desk.page.evaluate(html) == before


def test_without_the_highlight_api_elements_mark_and_go_again(people: People, sit: Sit) -> None:
    desk = at_work(people, sit)
    desk.page.evaluate("delete window.Highlight")
    show(desk, "The **river** is\n\nvery long.", "The *big* river is\n\nquite long.")
    html = "document.querySelector('#desk').innerHTML"
    before = desk.page.evaluate(html)
    counts = call(desk, "difference", "showDifference")
    wrapped = desk.page.evaluate(WRAPPED)
    assert (wrapped["only-left"], wrapped["only-right"]) == (["very"], ["big", "quite"])
    assert wrapped["both-left"] == ["The ", "river", " is", "long."]
    assert call(desk, "difference", "nextDifference", 1)["right"] == "big"
    assert call(desk, "difference", "nextDifference", 1)["left"] == "very"
    assert desk.page.evaluate(WRAPPED)["place-here"] == ["very", "quite"]
    assert call(desk, "difference", "showDifference") == counts
    call(desk, "difference", "hideDifference")
    assert desk.page.evaluate(html) == before


def test_next_goes_round_the_places_and_brings_them_into_sight(desk: Desk) -> None:
    left, right = long_texts(["Ada", "was", "here"], ["Bob", "is", "there"])
    show(desk, left, right)
    assert call(desk, "difference", "showDifference")["places"] == 3
    found = []
    for step in (1, 1, 1, 1, -1):
        place = call(desk, "difference", "nextDifference", step)
        found.append((place["number"], place["left"], place["right"]))
        tops = desk.page.evaluate(
            """() => [...CSS.highlights.get("place-here")].map((range) => {
                 const body = range.startContainer.parentElement.closest(".pane-body");
                 return range.getBoundingClientRect().top - body.getBoundingClientRect().top;
               })"""
        )
        heights = desk.page.evaluate(
            "[...document.querySelectorAll('.pane-body')].map((body) => body.clientHeight)"
        )
        assert all(0 <= top < height for top, height in zip(tops, heights, strict=True))
    words = [("Ada", "Bob"), ("was", "is"), ("here", "there")]
    order = [0, 1, 2, 0, 2]
    assert found == [(k + 1, *words[k]) for k in order]


def test_a_place_is_never_more_than_one_paragraph_a_side(desk: Desk) -> None:
    show(
        desk,
        "Same start.\n\nFirst left words.\n\nSecond left words.\n\nSame end.",
        "Same start.\n\nQuite another thing.\n\nFinal remarks here.\n\nStill more.\n\nSame end.",
    )
    assert call(desk, "difference", "showDifference")["places"] == 3
    found = [call(desk, "difference", "nextDifference", 1) for _ in range(3)]
    assert [(place["left"], place["right"]) for place in found] == [
        ("First left words.", "Quite another thing."),
        ("Second left words.", "Final remarks here."),
        ("", "Still more."),
    ]


def test_lines_of_one_paragraph_are_compared_line_by_line(desk: Desk) -> None:
    _, marks = difference(
        desk,
        "8 eggs and 11 eggs are 19.\nHe sells 7 of them.\nA: 12",
        "Jo has 30 eggs today.\nSo 30 go to the market.\nA: 30",
    )
    assert marks["only-left"][-1] == "12"
    assert marks["only-right"][-1] == "30"
    assert marks["both-left"] == ["A:"]


def test_in_forced_colours_only_what_differs_is_marked(people: People, sit: Sit) -> None:
    desk = at_work(people, sit, forced_colors="active")
    _, marks = difference(desk, "One two three.", "One four three.")
    assert marks == {"only-left": ["two"], "only-right": ["four"]}


def test_next_finds_the_place_that_only_one_side_has(desk: Desk) -> None:
    show(desk, "Red and green.", "Red, blue and green.")
    place = call(desk, "difference", "nextDifference", -1)
    assert place == {"number": 1, "places": 1, "left": "", "right": ", blue"}


def test_a_new_desk_starts_anew(desk: Desk) -> None:
    show(desk, "One two three.", "One four three.")
    call(desk, "difference", "showDifference")
    desk.page.evaluate(
        """() => {
          const desk = document.querySelector("#desk");
          desk.replaceWith(desk.cloneNode(true));
        }"""
    )
    show(desk, "Red green.", "Red blue.")
    call(desk, "difference", "prepareDifference")
    assert call(desk, "difference", "showDifference")["places"] == 1
    marks = desk.page.evaluate("[...CSS.highlights.get('only-left')].map(String)")
    assert marks == ["green"]


# Steps and not seconds: a machine may be slow.

STEPS = """async ([left, right]) => {
  const { readText } = await import("/static/js/desk/tokens.js");
  const { compare } = await import("/static/js/desk/comparing.js");
  const text = (words) => {
    const element = document.createElement("p");
    element.textContent = words;
    return readText(element);
  };
  const start = performance.now();
  const { steps, counts } = compare(text(left), text(right));
  return { steps, counts, seconds: (performance.now() - start) / 1000 };
}"""
MOST_STEPS = 4 * 128 * 40_000


def drawn(count: int, words: int, seed: int) -> str:
    """Words drawn from a vocabulary by a generator of remainders."""
    found, state = [], seed
    for _ in range(count):
        state = (state * 1_103_515_245 + 12_345) % 2**31
        found.append(f"w{(state >> 8) % words}")
    return " ".join(found)


@pytest.mark.parametrize("words", [2, 10, 300, 20_000])
def test_texts_with_nothing_in_common_are_compared_in_bounded_time(desk: Desk, words: int) -> None:
    found = desk.page.evaluate(STEPS, [drawn(20_000, words, 1), drawn(20_000, words, 2)])
    assert 0 < found["steps"] <= MOST_STEPS
    assert found["seconds"] < 5


def test_no_word_in_common_takes_no_step(desk: Desk) -> None:
    found = desk.page.evaluate(
        STEPS, [drawn(20_000, 999, 1), drawn(20_000, 999, 2).replace("w", "u")]
    )
    assert (found["steps"], found["counts"]["share"], found["counts"]["places"]) == (0, 0, 1)


def test_the_matching_is_a_longest_common_subsequence(desk: Desk) -> None:
    """Against the quadratic table, on short sequences of few symbols."""
    assert desk.page.evaluate(
        """async () => {
          const { match } = await import("/static/js/desk/matching.js");
          let state = 5;
          const next = (n) => ((state = (state * 1103515245 + 12345) % 2147483648) >> 8) % n;
          const longest = (a, b) => {
            let row = new Array(b.length + 1).fill(0);
            for (const x of a) {
              const above = row;
              row = [0];
              b.forEach((y, j) => {
                row.push(x === y ? above[j] + 1 : Math.max(row[j], above[j + 1]));
              });
            }
            return row.at(-1);
          };
          for (let trial = 0; trial < 400; trial++) {
            const draw = () => next(2 + (trial % 7));
            const [a, b] = [0, 1].map(() => Int32Array.from({ length: next(40) }, draw));
            const { partner } = match(a, b);
            const pairs = [...partner].map((j, i) => [i, j]).filter(([, j]) => j >= 0);
            if (pairs.some(([i, j]) => a[i] !== b[j])) return `unequal in trial ${trial}`;
            if (pairs.some(([, j], k) => k && j <= pairs[k - 1][1])) return `falls: trial ${trial}`;
            if (pairs.length !== longest([...a], [...b])) return `too short in trial ${trial}`;
          }
          return true;
        }"""
    )


def test_the_alignment_of_a_thousand_blocks_is_quick_and_rises(desk: Desk) -> None:
    found = desk.page.evaluate(
        """async () => {
          const { readText } = await import("/static/js/desk/tokens.js");
          const { align } = await import("/static/js/desk/alignment.js");
          const text = (from) => {
            const root = document.createElement("div");
            for (let k = from; k < from + 1000; k++) {
              const block = root.appendChild(document.createElement("p"));
              block.textContent = `the item of number ${k} is the item before ${k + 1}`;
            }
            return readText(root);
          };
          const start = performance.now();
          const { pairs } = align(text(0), text(10));
          const seconds = (performance.now() - start) / 1000;
          return { pairs: pairs.map(({ left, right }) => [left, right]), seconds };
        }"""
    )
    assert found["pairs"] == [[k + 10, k] for k in range(990)]
    assert found["seconds"] < 3
