import httpx
import pytest

from app.samples import sample_crops
from app.settings import Settings

CROPS = sample_crops(1, 2)
FILES = {"image": CROPS[0].jpeg}
EMBED = "/v1/reid/embed"


@pytest.mark.parametrize("deadline", ["soon", "", "0", "-5", "nan", "inf", "1e12"])
def test_an_unusable_deadline_is_refused(client: httpx.Client, deadline: str) -> None:
    answer = client.post(EMBED, files=FILES, headers={"X-Deadline-Ms": deadline})

    assert (answer.status_code, answer.json()["field"]) == (422, "X-Deadline-Ms")


def test_a_deadline_that_has_passed_is_a_504_and_one_that_is_far_does_nothing(client: httpx.Client) -> None:
    late = client.post(EMBED, files=FILES, headers={"X-Deadline-Ms": "0.001"})
    far = client.post(EMBED, files=FILES, headers={"X-Deadline-Ms": "600000"})

    assert (late.status_code, late.json()["type"]) == (504, "/problems/deadline-passed")
    assert far.status_code == 200


@pytest.mark.parametrize("priority", ["bulk", "interactive", "u=1, i"])
def test_any_priority_is_served(client: httpx.Client, priority: str) -> None:
    assert client.post(EMBED, files=FILES, headers={"Priority": priority}).status_code == 200


def test_answers_say_where_the_time_went(client: httpx.Client) -> None:
    embedded = client.post(EMBED, files=FILES).headers["server-timing"]
    queried = client.post("/v1/reid/query", files=FILES).headers["server-timing"]

    assert [entry.split(";")[0] for entry in embedded.split(", ")] == ["prepare", "queue", "forward", "total"]
    assert "search;dur=" in queried


def test_metrics_tell_what_the_networks_did_and_name_nobody(client: httpx.Client) -> None:
    client.put("/v1/galleries/default/identities/ottilie", json={})
    client.post(EMBED, files=[("image", crop.jpeg) for crop in CROPS])
    client.post(EMBED, files=FILES, headers={"X-Deadline-Ms": "0.001"})

    answer = client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    for name in ("queue_seconds_count", "forward_seconds_count", "batch_size_sum", "waiting_items", "network_ready"):
        assert any(line.startswith(f'gaitkeeper_{name}{{network="resnet18-market1501-compact"') for line in lines), name
    assert any(line.startswith("gaitkeeper_shed_total{") and 'reason="deadline"' in line for line in lines)
    assert any(line.startswith('gaitkeeper_gallery_size{gallery="default"') for line in lines)
    assert "process_resident_memory_bytes" in answer.text
    assert "ottilie" not in answer.text


def test_limits_are_shown(client: httpx.Client) -> None:
    limits = client.get("/v1/limits").json()

    assert limits["request"]["images"] == 8  # as the server of these tests is set
    assert limits["request"]["image_bytes"] == 2_000_000
    assert limits["service"]["items"] == Settings().max_waiting
    assert limits["gait"]["frames"] == Settings().gait_max_frames
    assert limits["gait"]["min_frames"] == 2
    assert limits == client.get("/limits").json()
