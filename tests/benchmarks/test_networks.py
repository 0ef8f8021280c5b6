"""The benchmark of all networks."""

import pytest

from benchmarks.networks import PUBLISHED, count, report


def test_a_line_says_whether_the_figures_agree_and_times_both_builds() -> None:
    small = next(published for published in PUBLISHED if published.size == (64, 44))

    label, size, parameters, giga_macs, same, *times = report(small, rounds=1).split()

    assert (label, size, parameters, giga_macs, same) == ("GL-CNN", "64x44", "6,983,142", "0.208", "yes")
    assert len(times) == 6
    assert all(float(time) > 0 for time in times)


@pytest.mark.parametrize("label", ["RGA-SC", "RRID", "hourglass bearpaw 1", "HRNet-W18_small_v1 cls"])
def test_what_is_counted_is_what_the_authors_code_counts(label: str) -> None:
    published = next(published for published in PUBLISHED if published.label == label)

    parameters, giga_macs = count(published)

    assert parameters == published.parameters
    assert giga_macs == pytest.approx(published.giga_macs, abs=1e-3)
