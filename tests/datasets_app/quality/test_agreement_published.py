"""Coefficients and consensus, against published examples and reference libraries."""

import random

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from datasets_app.quality import agreement

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve units,
# missing values.
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
# Dawid and Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm" (1979),
# table 1: the fitness of 45 patients for anaesthesia, 1 to 4, as five anaesthetists saw it; the first saw
# each patient three times.
ANAESTHETISTS = """
111 1 1 1 1|333 4 3 3 4|112 2 1 2 2|222 3 1 2 1|222 3 2 2 2|222 3 3 2 2|122 2 1 1 1|333 3 4 3 3|222 2 2 2 3|232 2 2 2 3|444 4 4 4 4
222 3 3 4 3|111 1 1 1 1|222 3 2 1 2|121 1 1 1 1|111 2 1 1 1|111 1 1 1 1|111 1 1 1 1|222 2 2 2 1|222 1 3 2 2|222 2 2 2 2|222 2 2 2 1
222 3 2 2 2|221 2 2 2 2|111 1 1 1 1|111 1 1 1 1|232 2 2 2 2|111 1 1 1 1|111 1 1 1 1|112 1 1 2 1|111 1 1 1 1|333 3 2 3 3|111 1 1 1 1
222 2 2 2 2|222 3 2 3 2|433 4 3 4 3|221 2 2 3 2|232 3 2 3 3|333 3 4 3 2|111 1 1 1 1|111 1 1 1 1|121 2 1 1 1|232 2 2 2 2|121 1 1 1 1
222 2 2 2 2"""  # noqa: E501


def units_of(table):
    return [
        [(who, row[at]) for who, row in enumerate(table) if row[at] is not None]
        for at in range(len(table[0]))
    ]


def anaesthetists():
    patients = ANAESTHETISTS.strip().replace("\n", "|").split("|")
    for patient, seen in enumerate(patients, start=1):
        for observer, grades in enumerate(seen.split(), start=1):
            yield from ((patient, observer, int(grade)) for grade in grades)


def random_units(chance, people=4, items=60, labels="abcd"):
    """Answers that lean to one label each, some of them missing."""
    units = []
    for _ in range(items):
        likely = chance.choice(labels)
        answers = [
            (who, likely if chance.random() < 0.6 else chance.choice(labels))
            for who in range(people)
            if chance.random() < 0.8
        ]
        units.append(answers)
    return units


def as_matrix(units, values, people=4):
    """The table that the library reads: (people, items), missing answers are NaN."""
    found = np.full((people, len(units)), np.nan)
    for at, unit in enumerate(units):
        for who, value in unit:
            found[who, at] = values.index(value)
    return found


def test_krippendorffs_own_example_is_0_743_nominal_and_0_815_ordinal():
    units = units_of(KRIPPENDORFF)

    assert agreement.krippendorff_alpha(units) == pytest.approx(0.743, abs=0.0005)
    assert agreement.krippendorff_alpha(units, order=[1, 2, 3, 4, 5]) == pytest.approx(0.815, abs=0.0005)


@pytest.mark.parametrize("seed", range(5))
def test_alpha_of_random_answers_is_that_of_the_reference_library(seed):
    units = random_units(random.Random(seed))
    table, domain = as_matrix(units, list("abcd")), [0.0, 1.0, 2.0, 3.0]

    expected = {
        level: krippendorff.alpha(table, value_domain=domain, level_of_measurement=level)
        for level in ("nominal", "ordinal")
    }

    assert agreement.krippendorff_alpha(units) == pytest.approx(expected["nominal"])
    assert agreement.krippendorff_alpha(units, order="abcd") == pytest.approx(expected["ordinal"])


@pytest.mark.parametrize("seed", range(5))
def test_alpha_with_masi_distance_is_that_of_the_reference_library(seed):
    sets = [frozenset(each) for each in ("a", "b", "ab", "abc", "")]
    units = [
        [(who, sets["wxyz_".index(value)]) for who, value in unit]
        for unit in random_units(random.Random(seed), labels="wxyz_")
    ]

    def distance(one, other, **_):
        return np.vectorize(lambda a, b: agreement.masi(sets[int(a)], sets[int(b)]))(one, other)

    expected = krippendorff.alpha(
        as_matrix(units, sets), value_domain=[0.0, 1.0, 2.0, 3.0, 4.0], level_of_measurement=distance
    )

    assert agreement.krippendorff_alpha(units, agreement.masi) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("one", "other", "masi"),
    [
        ("ab", "ab", 1),
        ("ab", "abc", 2 / 3 * 2 / 3),
        ("ab", "bc", 1 / 3 * 1 / 3),
        ("ab", "cd", 0),
        ("", "", 1),
        ("", "a", 0),
    ],
)
def test_masi_is_jaccard_times_monotonicity_as_passonneau_2006_defines_it(one, other, masi):
    assert agreement.masi(frozenset(one), frozenset(other)) == pytest.approx(1 - masi)


def test_fleiss_own_example_of_1971_is_0_430_with_six_psychiatrists():
    """Fleiss (1971), table 1: 30 patients, 6 raters, 5 diagnoses."""
    table = """
    0 0 0 6 0|0 3 0 0 3|0 1 4 0 1|0 0 0 0 6|0 3 0 3 0|2 0 4 0 0|0 0 4 0 2|2 0 3 1 0|2 0 0 4 0|0 0 0 0 6|1 0 0 5 0|1 1 0 4 0|0 3 3 0 0
    1 0 0 5 0|0 2 0 3 1|0 0 5 0 1|3 0 0 1 2|5 1 0 0 0|0 2 0 4 0|1 0 2 0 3|0 0 0 0 6|0 1 0 5 0|0 2 0 1 3|2 0 0 4 0|1 0 0 4 1|0 5 0 1 0
    4 0 0 0 2|0 2 0 4 0|1 0 5 0 0|0 0 0 0 6"""  # noqa: E501
    rows = [dict(enumerate(map(int, row.split()))) for row in table.strip().replace("\n", "|").split("|")]

    assert len(rows) == 30
    assert agreement.fleiss_kappa(rows) == pytest.approx(0.430, abs=0.0005)


@pytest.mark.parametrize("seed", range(5))
def test_cohens_kappa_of_random_answers_is_that_of_the_reference_library(seed):
    pairs = [(unit[0][1], unit[1][1]) for unit in random_units(random.Random(seed)) if len(unit) >= 2]

    assert agreement.cohen_kappa(pairs) == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))


def test_cohens_own_example_of_1960_is_0_492():
    """Cohen (1960), table 1: two judges, 200 subjects, three diagnoses; 0.70 observed, 0.41 by chance."""
    table = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
    cells = {(one, other): count for one, row in enumerate(table) for other, count in enumerate(row)}

    assert agreement.cohen_of(cells) == pytest.approx(0.492, abs=0.0005)


@pytest.mark.parametrize("seed", range(5))
def test_exact_span_f1_is_that_of_the_reference_library(seed):
    chance = random.Random(seed)
    every = [(start, start + 2, label) for start in range(6) for label in ("PER", "ORG")]
    units = [
        [("a", frozenset(chance.sample(every, 4))), ("b", frozenset(chance.sample(every, 3)))]
        for _ in range(30)
    ]
    truth, read = ([span in dict(unit)[who] for unit in units for span in every] for who in "ab")

    assert agreement.span_f1(units) == pytest.approx(f1_score(truth, read))


def test_spans_that_overlap_count_once_each_and_only_with_their_own_label():
    one = frozenset({(0, 10, "PER"), (12, 20, "ORG"), (30, 35, "LOC")})
    other = frozenset({(0, 4, "PER"), (5, 10, "PER"), (12, 20, "LOC"), (34, 40, "LOC")})
    units = [[("a", one), ("b", other)]]

    assert agreement.span_f1(units) == 0
    assert agreement.span_f1(units, overlap=True) == pytest.approx(2 * 2 / 7)


def test_a_span_gives_way_to_one_that_fits_nothing_else():
    """The long span touches both, the short one only the first: two matches, whichever is asked first."""
    one = frozenset({(0, 20, "PER"), (1, 3, "PER")})
    other = frozenset({(0, 5, "PER"), (10, 15, "PER")})

    assert agreement.span_f1([[("a", one), ("b", other)]], overlap=True) == 1


def test_texts_without_spans_define_no_f1():
    assert agreement.span_f1([[("a", frozenset()), ("b", frozenset())]]) is None


def test_dawid_and_skenes_own_estimates_of_45_patients():
    """Their estimates: prior, error rates of the first observer, and the patients about whom the votes leave
    a doubt.
    """
    found = agreement.dawid_skene(anaesthetists())

    assert found.prior.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]
    assert found.confusion[0].round(2).tolist() == [
        [0.89, 0.11, 0, 0],
        [0.07, 0.88, 0.05, 0],
        [0, 0.34, 0.66, 0],
        [0, 0, 0.56, 0.44],
    ]
    winners = found.winners()
    assert [winners[patient] for patient in (3, 12, 36)] == [2, 3, 4]
    doubts = {7: [0.98, 0.02, 0, 0], 35: [0, 0.95, 0.05, 0], 38: [0, 0.02, 0.98, 0]}
    assert {patient: found.posterior[patient - 1].round(2).tolist() for patient in doubts} == doubts
    assert found.posterior.sum(axis=1) == pytest.approx(np.ones(45))
    assert all(
        later >= earlier - 1e-9
        for earlier, later in zip(found.log_likelihoods, found.log_likelihoods[1:], strict=False)
    )


def test_dawid_and_skenes_equations_term_by_term():
    """Equations 2.3 to 2.5 written out as loops, on random answers."""
    chance = random.Random(4)
    answers = [
        (item, who, chance.choice("abc")) for item in range(30) for who in "wxyz" if chance.random() < 0.8
    ]
    found = agreement.dawid_skene(answers, rounds=40, tolerance=-1)

    items, people, labels = sorted({row[0] for row in answers}), "wxyz", "abc"
    votes = {
        item: [sum(row[0] == item and row[2] == label for row in answers) for label in labels]
        for item in items
    }
    believed = {item: [count / sum(counts) for count in counts] for item, counts in votes.items()}
    for _ in range(40):
        prior = [sum(believed[item][k] for item in items) / len(items) for k in range(3)]
        error = {}
        for who in people:
            for k in range(3):
                given = [
                    sum(believed[item][k] for item, person, vote in answers if (person, vote) == (who, label))
                    for label in labels
                ]
                error[who, k] = [count / sum(given) for count in given]
        for item in items:
            joint = list(prior)
            for each, who, vote in answers:
                if each == item:
                    joint = [joint[k] * error[who, k][labels.index(vote)] for k in range(3)]
            believed[item] = [chance / sum(joint) for chance in joint]

    assert found.posterior == pytest.approx(np.array([believed[item] for item in items]), abs=1e-9)


def test_consensus_recovers_what_was_planted_where_the_majority_is_wrong():
    """Two accurate annotators outweigh three constant ones once their confusions are estimated."""
    chance = random.Random(1)
    truth = {item: chance.choice("ab") for item in range(300)}
    other = {"a": "b", "b": "a"}
    answers = [
        (item, who, label if chance.random() < 0.95 else other[label])
        for item, label in truth.items()
        for who in ("x", "y")
    ]
    answers += [
        (item, who, "a" if chance.random() < 0.97 else "b") for item in truth for who in ("p", "q", "r")
    ]

    found = agreement.dawid_skene(answers)

    right = sum(found.winners()[item] == label for item, label in truth.items())
    majority = sum(
        (sum(a[2] == "a" for a in answers if a[0] == item) >= 3) == (label == "a")
        for item, label in truth.items()
    )
    assert (right > 275, majority < 200) == (True, True)
    assert found.accuracy()["x"] > 0.9 > found.accuracy()["p"]


def test_intervals_of_the_published_method_are_numbers_too():
    chance = random.Random(7)
    given = [(item, who, (item + (chance.random() < 0.2)) % 2) for item in range(40) for who in range(3)]

    found = agreement.dawid_skene(given).accuracy_intervals()

    assert all(0 < each.low < each.value < each.high <= 1 for each in found.values())
    assert len(found) == 3


def test_no_answer_is_no_consensus():
    with pytest.raises(ValueError, match="No annotations"):
        agreement.dawid_skene([])
