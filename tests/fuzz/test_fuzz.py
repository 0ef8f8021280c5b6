import pytest

from tests.fuzz import campaign
from tests.fuzz.campaign import fuzz_input, run, try_chunk
from tests.fuzz.targets import Target, targets


@pytest.mark.parametrize("name", list(targets()))
def test_every_reader_reads_all_its_valid_inputs(name: str) -> None:
    target = targets()[name]
    wrong = []
    for seed in target.seeds:
        try:
            target.read(seed)
        except target.refusals as refusal:
            wrong.append(refusal)

    # Some readers start from inputs that are refused late; none from inputs that are all refused.
    assert len(wrong) < len(target.seeds)


@pytest.mark.parametrize("name", list(targets()))
def test_readers_read_or_refuse_inputs_near_valid_ones(name: str) -> None:
    _, counted, findings = try_chunk((name, 0, 60, 1))

    assert findings == []
    assert counted.total() == 60


def test_an_input_is_made_again_from_its_number() -> None:
    target = targets()["image"]

    assert fuzz_input(target, 7, 0) == fuzz_input(target, 7, 0) != fuzz_input(target, 8, 0)


def test_a_campaign_reports_an_exception_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(data: bytes) -> None:
        if data == fuzz_input(target, 3, 0):
            raise KeyError("unexpected")

    target = Target([b"seed" * 8], read)
    monkeypatch.setattr(campaign, "targets", lambda: {"broken": target})

    _, counted, findings = try_chunk(("broken", 0, 10, 0))

    assert counted == {"read": 9}
    assert [(finding.target, finding.index) for finding in findings] == [("broken", 3)]
    assert "KeyError" in findings[0].what


def test_a_campaign_covers_every_reader() -> None:
    report = run(40, workers=1)

    assert set(report.outcomes) == set(targets())
    assert report.findings == []
