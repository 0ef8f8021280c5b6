import base64
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.app.conftest import start_server
from tests.app.gait_weights import NUM_AGES, write_glcnn
from tests.app.pictures import encode
from tests.app.pose_weights import with_bundled
from tests.app.walks import WALK, gei_picture, npz, parts, pngs, video, zipped, zipped_walk

LIMITS = {"gait_max_frames": "80", "gait_max_unpacked_bytes": "2000000", "video_max_frames": "90"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that tells ages."""
    weights = with_bundled(tmp_path_factory.mktemp("weights"))
    write_glcnn(weights)
    server = start_server(
        tmp_path_factory.mktemp("data"), weights_dir=str(weights), gait_models="walker", pose_models="", **LIMITS
    )
    with server.client() as client:
        yield client
    server.terminate()


def post(client: httpx.Client, **files: bytes) -> httpx.Response:
    return client.post("/v1/gait/age", files={name: ("sent", data) for name, data in files.items()})


def codes(answer: dict[str, Any]) -> set[str]:
    return {warning["code"] for warning in answer["warnings"]}


@pytest.mark.parametrize("prefix", ["/v1", ""])
def test_a_walk_gets_an_age_with_distribution_interval_and_warnings(client: httpx.Client, prefix: str) -> None:
    answer = client.post(f"{prefix}/gait/age", files=parts(pngs())).raise_for_status().json()

    assert answer["model"] == "walker"
    assert (answer["distribution"]["first_age"], answer["distribution"]["step"]) == (0, 1)
    assert len(answer["distribution"]["probabilities"]) == NUM_AGES + 1
    assert sum(answer["distribution"]["probabilities"]) == pytest.approx(1, abs=1e-4)
    age = answer["age_years"]
    assert age["interval"]["level"] == 0.9
    assert 0 <= age["interval"]["low"] <= age["median"] <= age["interval"]["high"] <= NUM_AGES
    assert sum(answer["gender"].values()) == pytest.approx(1, abs=1e-3)
    assert (answer["sequence"]["frames"], answer["sequence"]["frames_used"]) == (36, 36)
    assert answer["sequence"]["gait_cycles"] == pytest.approx(1.5, abs=0.1)
    assert "synthetic_training_data" in codes(answer)
    assert not codes(answer) & {"too_few_cycles", "view_not_side", "low_quality_silhouettes", "file_order"}


def test_parts_a_zip_file_an_array_and_json_say_the_same(client: httpx.Client) -> None:
    encoded = [base64.b64encode(file).decode() for file in pngs()]

    answers = [
        client.post("/v1/gait/age", files=parts(pngs())),
        post(client, silhouettes=zipped_walk()),
        post(client, silhouettes=npz(silhouettes=WALK)),
        post(client, silhouettes=npz(anything=WALK.astype(np.float32))),
        client.post("/v1/gait/age", json={"silhouettes": encoded}),
    ]

    first = answers[0].raise_for_status().json()
    assert all(answer.raise_for_status().json() == first for answer in answers)


def test_a_gait_energy_image_is_answered_without_a_sequence(client: httpx.Client) -> None:
    from_frames = client.post("/v1/gait/age", files=parts(pngs())).json()

    answers = [
        post(client, gei=gei_picture()),
        client.post("/v1/gait/age", content=gei_picture(), headers={"Content-Type": "image/png"}),
    ]

    for answer in answers:
        body = answer.raise_for_status().json()
        assert body["sequence"]["frames"] is None
        assert body["age_years"]["mean"] == pytest.approx(from_frames["age_years"]["mean"], abs=0.2)


def test_frames_are_put_into_the_order_of_their_names_and_it_is_said(client: httpx.Client) -> None:
    files = parts(pngs())

    shuffled = client.post("/v1/gait/age", files=files[::-1]).raise_for_status().json()

    assert "file_order" in codes(shuffled)
    assert shuffled["age_years"] == client.post("/v1/gait/age", files=files).json()["age_years"]


def test_colour_pictures_and_mixed_sizes_are_used_with_warnings(client: httpx.Client) -> None:
    colours = [encode(np.where(frame[:, :, None], (250, 200, 90), (30, 60, 20)).astype(np.uint8)) for frame in WALK]
    mixed = [*pngs(WALK[:18]), *pngs(np.pad(WALK[18:], ((0, 0), (6, 0), (9, 9))))]

    in_colour = client.post("/v1/gait/age", files=parts(colours)).raise_for_status().json()
    of_two_sizes = client.post("/v1/gait/age", files=parts(mixed)).raise_for_status().json()

    assert "not_silhouettes" in codes(in_colour)
    assert in_colour["sequence"]["frames_used"] == 36
    assert "mixed_sizes" in codes(of_two_sizes)
    assert of_two_sizes["sequence"]["frames_used"] == 36


def test_half_a_cycle_seen_from_the_front_is_answered_with_warnings(client: httpx.Client) -> None:
    standing = np.repeat(WALK[:1], 10, axis=0)

    answer = client.post("/v1/gait/age", files=parts(pngs(standing))).raise_for_status().json()

    assert {"too_few_cycles", "view_not_side"} <= codes(answer)
    assert answer["sequence"]["gait_cycles"] == 0


def test_frames_without_movement_are_answered_with_a_warning_and_a_walk_is_not(client: httpx.Client) -> None:
    twice, a_step = (parts(pngs(WALK[chosen])) for chosen in ([0, 0], [0, 6]))

    still, moving = (client.post("/v1/gait/age", files=files).raise_for_status().json() for files in (twice, a_step))

    assert "no_movement" in codes(still)
    assert "no_movement" not in codes(moving)


def test_a_lone_silhouette_is_no_gait_energy_image_unless_it_is_named_one(client: httpx.Client) -> None:
    silhouette = encode(Image.open(io.BytesIO(gei_picture())).convert("1", dither=Image.Dither.NONE))

    alone = client.post("/v1/gait/age", content=silhouette, headers={"Content-Type": "image/png"})
    named = post(client, gei=silhouette)

    assert (alone.status_code, alone.json()["type"]) == (422, "/problems/too-few-frames")
    assert (alone.json()["field"], alone.json()["limit"]) == ("silhouettes", 2)
    assert named.status_code == 200


@pytest.mark.parametrize("form", ["parts", "JSON"])
def test_too_many_frames_are_refused_under_the_field_that_they_came_in(client: httpx.Client, form: str) -> None:
    files = pngs(WALK[:1]) * 81
    encoded = [base64.b64encode(file).decode() for file in files]

    body: dict[str, Any] = {"files": parts(files)} if form == "parts" else {"json": {"silhouettes": encoded}}
    problem = client.post("/v1/gait/age", **body).json()

    assert (problem["status"], problem["field"], problem["limit"]) == (413, "silhouettes", 80)


# Found by fuzzing: a name ends at its first null byte, and is empty here.
NAMELESS = zipped({"xa.png": b""}).replace(b"xa.png", b"\0a.png")
# Found by fuzzing: NumPy reads these headers as Python, with the errors of its tokenizer and its parser.
DAMAGED_HEADERS = [b"{'descr': ('|b1'", b"{'descr': ',|b1', 'fortran_order': False, 'shape': (3, 24, 16)}"]
OPEN_BRACKET, STRAY_COMMA = (
    b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117) + b"\n" for header in DAMAGED_HEADERS
)
BOMB = zipped({"a.png": bytes(1_500_000)}, zipfile.ZIP_DEFLATED)
BAD_WALKS = {
    "empty frames": (parts(pngs(np.zeros((5, 40, 40), bool))), 422, "no-silhouette"),
    "one frame": (parts(pngs(WALK[:1])), 422, "too-few-frames"),
    "no picture": (parts([b"no picture", *pngs()[1:]]), 422, "undecodable-image"),
    "too many": (parts(pngs(np.concatenate([WALK, WALK, WALK]))), 413, "too-many-images"),
    "cut off zip": (parts([zipped_walk()[:400]], ["a.zip"]), 400, "malformed-request"),
    "damaged zip": (parts([zipped_walk().replace(b"IDAT", b"IDXX")], ["a.zip"]), 400, "malformed-request"),
    "empty zip": (parts([zipped({})], ["a.zip"]), 422, "no-silhouette"),
    "bomb": (parts([BOMB], ["a.zip"]), 413, "body-too-large"),
    "large bomb": (parts([zipped({"a.npy": bytes(9_000_000)}, zipfile.ZIP_DEFLATED)], ["a"]), 413, "body-too-large"),
    "many entries": (parts([zipped({f"{i}.png": b"" for i in range(99)})], ["a"]), 413, "too-many-images"),
    "path escapes": (parts([zipped({"../a.png": b"", "../b.png": b""})], ["a.zip"]), 400, "malformed-request"),
    "two walks": (parts([zipped({"a/1.png": b"", "b/1.png": b""})], ["a.zip"]), 422, "invalid-field"),
    "pickle": (parts([npz(silhouettes=np.array([{"a": 1}] * 3, object))], ["a.npz"]), 400, "malformed-request"),
    "no name": (parts([NAMELESS], ["a.zip"]), 422, "no-silhouette"),
    "open bracket": (parts([zipped({"a.npy": OPEN_BRACKET})], ["a.npz"]), 400, "malformed-request"),
    "stray comma": (parts([zipped({"a.npy": STRAY_COMMA})], ["a.npz"]), 400, "malformed-request"),
    "flat array": (parts([npz(silhouettes=np.zeros((4, 4), bool))], ["a.npz"]), 422, "invalid-field"),
    "two arrays": (parts([npz(a=WALK, b=WALK)], ["a.npz"]), 422, "invalid-field"),
    "wide gei": ([("gei", ("a.png", pngs()[0], "image/png"))], 422, "invalid-field"),
    "black gei": ([("gei", ("a.png", encode(np.zeros((128, 88), np.uint8)), "image/png"))], 422, "no-silhouette"),
    "no video": ([("video", ("a.mp4", b"no video" * 99, "video/mp4"))], 422, "undecodable-video"),
    "both": ([*parts(pngs()), ("gei", ("a.png", gei_picture(), "image/png"))], 422, "invalid-field"),
}


@pytest.mark.parametrize(("files", "status", "problem"), BAD_WALKS.values(), ids=BAD_WALKS)
def test_a_bad_walk_is_refused_with_the_field_at_fault(
    client: httpx.Client, files: list[Any], status: int, problem: str
) -> None:
    response = client.post("/v1/gait/age", files=files)

    assert (response.status_code, response.json()["type"]) == (status, f"/problems/{problem}")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["field"].split("[")[0] in ("silhouettes", "gei", "video")


def test_nothing_sent_and_unknown_models_are_refused(client: httpx.Client) -> None:
    nothing = client.post("/v1/gait/age", data={"model": "walker"}, files={"other": b""})
    unknown = client.post("/v1/gait/age", data={"model": "nobody"}, files=parts(pngs()))

    assert nothing.status_code == 422
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/unknown-model")


def test_everybody_who_walks_through_a_video_gets_an_age_with_frames_and_boxes(
    client: httpx.Client, tmp_path: Path
) -> None:
    answer = post(client, video=video(tmp_path / "a.avi")).raise_for_status().json()

    assert answer["video"] == {"frames": 72, "frames_per_second": 25, "width": 320, "height": 240}
    (track,) = answer["tracks"]
    assert len(track["frames"]) == len(track["boxes"]) >= 40
    assert track["frames"] == sorted(track["frames"])
    assert 90 < track["boxes"][20]["y2"] - track["boxes"][20]["y1"] < 150
    assert len(track["distribution"]["probabilities"]) == NUM_AGES + 1
    assert track["sequence"]["period_frames"] == pytest.approx(24, abs=1.5)
    assert answer["warnings"] == []


def test_videos_without_people_or_of_a_moving_camera_are_answered_with_warnings(
    client: httpx.Client, tmp_path: Path
) -> None:
    empty = post(client, video=video(tmp_path / "a.avi", people=False)).raise_for_status().json()
    moving = post(client, video=video(tmp_path / "b.avi", pan=6)).raise_for_status().json()

    assert (empty["tracks"], codes(empty)) == ([], {"nobody_walks"})
    assert "camera_moves" in codes(moving)


def test_a_video_with_too_many_frames_is_refused_with_the_limit(client: httpx.Client, tmp_path: Path) -> None:
    problem = post(client, video=video(tmp_path / "a.avi", frames=100)).json()

    assert (problem["type"], problem["limit"], problem["field"]) == ("/problems/video-too-long", 90, "video")
    assert "90 frames" in problem["detail"]
