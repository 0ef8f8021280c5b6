"""Every system against outputs it gave when it agreed with the authors' code."""

import json

import numpy as np
import pytest

import models
from tests.golden.systems import SYSTEMS, System, answer

TOLERANCE = 1e-4  # of an output's standard deviation


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.path.stem)
def test_a_network_gives_its_golden_outputs(system: System) -> None:
    golden = json.loads(system.path.read_text())

    ours = answer(system)

    assert ours["state_dict"] == golden["state_dict"]
    assert ours["outputs"].keys() == golden["outputs"].keys()
    for name, expected in golden["outputs"].items():
        assert ours["outputs"][name]["shape"] == expected["shape"]
        error = np.abs(np.subtract(ours["outputs"][name]["values"], expected["values"])).max() / expected["std"]
        assert error <= TOLERANCE, name


def test_every_family_of_networks_has_golden_outputs() -> None:
    families = {name.split("_")[0] for name in models.names()} - {"resnet18", "fasterrcnn", "ssdlite320"}

    assert {system.name.split("_")[0] for system in SYSTEMS} == families
