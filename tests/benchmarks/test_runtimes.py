from benchmarks.runtimes import NETWORKS, report


def test_every_runtime_and_precision_is_timed_at_both_batches() -> None:
    small = next(network for network in NETWORKS if network.label == "GL-CNN")

    first, second = report(small, rounds=1)

    assert first.startswith("GL-CNN")
    assert [line.split()[1] for line in (first, second)] == ["1", "8"]
    assert all(float(figure) > 0 for line in (first, second) for figure in line.split()[2:7])
    assert len(first.split()) == 11
