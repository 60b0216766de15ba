"""Means, intervals and paired differences."""

import numpy as np
import pytest

from benchmarks.intervals import difference, mean_of


def test_the_interval_holds_the_mean_and_narrows_with_cases():
    rng = np.random.default_rng(0)
    few, many = (mean_of(list(rng.normal(0.5, 0.1, n))) for n in (10, 400))
    for found in (few, many):
        assert found.mean is not None and found.interval is not None
        assert found.interval[0] < found.mean < found.interval[1]
    assert np.ptp(many.interval) < np.ptp(few.interval) / 3


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(100):
        low, high = mean_of(list(rng.normal(0, 1, 40))).interval or (1, -1)
        hits += low <= 0 <= high
    assert 88 <= hits <= 99


def test_cases_of_one_scene_count_as_one():
    values, scenes = [0.0] * 20 + [1.0] * 20, [0] * 20 + [1] * 20
    assert mean_of(values, scenes).interval == (0, 1)
    assert np.ptp(mean_of(values).interval) < 0.4


def test_missing_figures_are_left_out():
    assert mean_of([None, 1.0, None, 3.0]).mean == 2 and mean_of([None, 1.0, None, 3.0]).n == 2
    assert mean_of([None]).mean is None and mean_of([]).n == 0


def test_a_paired_difference_sees_what_two_means_hide():
    rng = np.random.default_rng(2)
    theirs = rng.normal(0, 5, 60)
    ours = theirs + 0.5 + rng.normal(0, 0.1, 60)
    found = difference(list(ours), list(theirs))
    assert found.mean == pytest.approx(0.5, abs=0.05) and found.verdict == "higher"
    assert difference(list(theirs), list(ours)).verdict == "lower"
    assert difference(list(theirs), list(theirs)).verdict == "level"
    assert difference([None, 1.0], [1.0, None]).verdict == "unknown"
    with pytest.raises(ValueError):
        difference([1.0], [])
