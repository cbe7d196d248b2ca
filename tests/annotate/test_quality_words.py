"""What an assessment says, and draws, of given numbers."""

from itertools import pairwise

import pytest

from annotate.quality.charts import HEIGHT, STRIP, WIDTH, draw_learning, draw_reliability, strip
from annotate.quality.facts import EstimateFacts
from annotate.quality.words import (
    advice,
    contrast_sentence,
    decimals,
    learning_sentence,
    shares,
    summary,
    trust,
)
from tests.annotate.assessing import about, counted, curve, full_facts


def between(value: float, low: float, high: float) -> EstimateFacts:
    return EstimateFacts(value=value, low=low, high=high)


@pytest.mark.parametrize(
    ("alpha", "said"),
    [
        (between(0.8, 0.7, 0.9), "People agree: single labels can be trusted."),
        (between(0.5, 0.4, 0.6), "well beyond chance"),
        (between(0.3, 0.2, 0.4), "each of them is noisy"),
        (between(0.1, 0.01, 0.2), "little more than by chance"),
        (between(0.05, -0.09, 0.19), "do not agree more than chance"),
        (between(0.2, -0.01, 0.4), "cannot be told from so few pairs"),
        (between(0.8, 0.3, 1.0), "agree with themselves in 87%"),  # wide: the repeats speak
    ],
)
def test_trust_follows_alpha_and_its_interval(alpha: EstimateFacts, said: str) -> None:
    facts = full_facts()
    facts["agreement"]["alpha"] = alpha
    assert said in trust(facts)


def test_trust_without_agreement_looks_at_what_else_there_is() -> None:
    facts = full_facts()
    facts["agreement"] = {"alpha": None, "percent": None, "pairs": 0, "labels": 0}
    facts["labels_per_pair"] = 1
    assert "agree with themselves" in trust(facts)
    facts["consistent"] = counted(19, 19)  # too few
    assert "90% (85 to 95%) of the gold pairs right" in trust(facts)
    facts["gold"] = None
    assert trust(facts) == "Nothing shows yet how far these labels can be trusted."
    assert "two labels a pair" in advice(facts)[0]


def test_advice_is_given_where_something_is_odd() -> None:
    facts = full_facts()
    assert ["left side" in one for one in advice(facts)] == [True]
    facts["confounds"]["left"] = counted(300, 600)
    assert advice(facts) == []
    facts["confounds"]["left"] = counted(240, 600)
    facts["beliefs"]["converged"] = False
    side, beliefs = advice(facts)
    assert "right side" in side
    assert "not converged" in beliefs


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        (between(0.64, 0.6, 0.68), "64% (60 to 68%): the features see what these people judge"),
        (between(0.55, 0.51, 0.59), "see a little"),
        (between(0.53, 0.49, 0.57), "do not see it, so a design cannot pay here"),
        (between(0.55, 0.45, 0.65), "too few labels to tell"),
    ],
)
def test_it_says_whether_the_features_see_it(accuracy: EstimateFacts, said: str) -> None:
    facts = full_facts()
    assert facts["learning"] is not None
    facts["learning"]["everything"][-1]["accuracy"] = accuracy
    assert said in learning_sentence(facts)


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (between(0.05, 0.02, 0.08), "100 designed labels teach more than as many"),
        (between(-0.05, -0.08, -0.02), "teach less"),
        (between(0.05, -0.01, 0.11), "do not differ so far: +5.0 points (−1.0 to +11.0)"),
    ],
)
def test_it_says_whether_the_design_wins(difference: EstimateFacts, said: str) -> None:
    learning = full_facts()["learning"]
    assert learning is not None
    assert learning["contrast"] is not None
    learning["contrast"]["difference"] = difference
    assert said in contrast_sentence(learning)
    learning["contrast"] = None
    assert "Too few of these labels are on designed pairs" in contrast_sentence(learning)
    learning["judged_by_control"] = False
    assert "Without a random control of 60 labels" in contrast_sentence(learning)


def test_numbers_are_written_short() -> None:
    assert shares(between(0.714, 0.655, 0.75)) == "71% (66 to 75%)"
    assert decimals(between(-0.081, -0.2, 0.04)) == "−0.08 (−0.20 to 0.04)"


def test_the_commands_words_are_whole_sentences() -> None:
    for line in summary(full_facts()).splitlines():
        assert line.endswith("."), line
        assert "%(" not in line


def test_points_lie_in_the_chart_and_rise_as_they_should() -> None:
    learning = full_facts()["learning"]
    assert learning is not None
    chart = draw_learning(learning)
    assert [one.name for one in chart.series] == ["everything", "designed", "control"]
    for one in chart.series:
        for dot in one.dots:
            assert chart.left < dot.x < chart.right
            assert 0 < dot.high <= dot.y <= dot.low <= chart.bottom
        heights = [dot.y for dot in one.dots]
        assert heights == sorted(heights, reverse=True)
    steps = [b.x - a.x for a, b in pairwise(chart.series[0].dots)]
    assert max(steps) == pytest.approx(min(steps))  # doubling is as far everywhere
    assert [tick.label for tick in chart.x_ticks][-1] == "400"
    assert (chart.width, chart.height) == (WIDTH, HEIGHT)


def test_a_single_point_can_be_drawn() -> None:
    learning = full_facts()["learning"]
    assert learning is not None
    learning["everything"], learning["designed"], learning["control"] = curve(0.3), [], []
    (only,) = draw_learning(learning).series
    assert 0 < only.dots[0].y < HEIGHT


def test_bins_of_few_labels_are_not_drawn() -> None:
    learning = full_facts()["learning"]
    assert learning is not None
    chart = draw_reliability(learning["reliability"])
    assert len(chart.series[0].dots) == 2
    assert draw_reliability([]).series[0].dots == []


def test_a_strip_is_cut_off_at_its_ends() -> None:
    found = strip(about(0.98, 0.1))
    assert 0 < found.low < found.at < found.high < STRIP
    assert found.middle == STRIP / 2
    assert strip(about(0.98, 0.4)).high == found.high
    assert strip(about(0.0), low=-1.0, middle=0.0).at == STRIP / 2
    assert strip(about(0.7), middle=None).middle is None
