import base64
import json
from collections.abc import Iterator

import cv2
import httpx
import numpy as np
import pytest

from app.samples import sample_crops
from models.keypoints import SKELETONS
from tests.app.conftest import start_server
from tests.app.pictures import encode, pattern, rotated_by_exif
from tests.app.pose_weights import with_bundled, write_hourglass

PERSON = sample_crops(1, 1)[0].jpeg  # 256 high, 128 wide
WHOLE = {"x1": 0, "y1": 0, "x2": 128, "y2": 256}
LEFT_HALF = {"x1": 0, "y1": 0, "x2": 64, "y2": 256}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server with a network for each skeleton."""
    weights = with_bundled(tmp_path_factory.mktemp("weights"))
    for name, skeleton in SKELETONS.items():
        write_hourglass(weights, name, len(skeleton))
    server = start_server(
        tmp_path_factory.mktemp("data"), weights_dir=str(weights), pose_models=",".join(SKELETONS), max_images="4"
    )
    with server.client() as client:
        yield client
    server.terminate()


def post(client: httpx.Client, *files: bytes, **fields: object) -> httpx.Response:
    data = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    return client.post("/v1/pose", files=[("image", file) for file in files], data=data)


def persons(response: httpx.Response, image: int = 0) -> list[dict[str, object]]:
    answer = response.raise_for_status().json()["images"][image]
    assert answer["status"] == "ok"
    found: list[dict[str, object]] = answer["persons"]
    return found


@pytest.mark.parametrize("prefix", ["/v1", ""])
@pytest.mark.parametrize("skeleton", SKELETONS)
def test_every_box_gets_a_person_with_named_keypoints(client: httpx.Client, skeleton: str, prefix: str) -> None:
    fields = {"boxes": json.dumps([WHOLE, LEFT_HALF]), "model": skeleton}

    response = client.post(f"{prefix}/pose", files={"image": PERSON}, data=fields)

    answer = response.raise_for_status().json()
    (image,) = answer["images"]
    assert answer["model"] == skeleton
    assert (image["index"], image["status"], image["width"], image["height"]) == (0, "ok", 128, 256)
    assert [person["box"] for person in image["persons"]] == [WHOLE, LEFT_HALF]
    for person in image["persons"]:
        assert person["skeleton"] == skeleton
        assert [point["name"] for point in person["keypoints"]] == list(SKELETONS[skeleton].keypoints)
        assert all(0 <= point["score"] <= 1 for point in person["keypoints"])
    assert set(answer["timings_ms"]) == {"decode", "detect", "crop", "queue", "forward", "keypoints", "total"}
    assert answer["timings_ms"]["total"] > 0


def test_what_a_picture_took_before_and_in_the_network_is_measured(client: httpx.Client) -> None:
    timing = post(client, PERSON, boxes=[WHOLE]).raise_for_status().headers["server-timing"]

    assert {"prepare", "queue", "forward", "total"} <= {stage.partition(";")[0] for stage in timing.split(", ")}
    counted = 'gaitkeeper_stage_seconds_count{route="/pose",stage="prepare"}'
    assert counted in client.get("/metrics").text


def test_the_first_model_is_the_default(client: httpx.Client) -> None:
    assert post(client, PERSON, boxes=[WHOLE]).json()["model"] == next(iter(SKELETONS))


def test_without_boxes_persons_are_detected(client: httpx.Client) -> None:
    response = post(client, encode(pattern(300, 300), "JPEG"))

    assert persons(response) == []
    assert response.json()["timings_ms"]["detect"] > 0


def test_multipart_json_and_a_raw_body_say_the_same(client: httpx.Client) -> None:
    encoded = base64.b64encode(PERSON).decode()

    answers = [
        post(client, PERSON, boxes=[WHOLE], flip_test=True),
        client.post("/v1/pose", json={"image": encoded, "boxes": [WHOLE], "flip_test": True}),
        client.post("/v1/pose", json={"image": [encoded], "boxes": [[WHOLE]], "flip_test": True}),
        client.post(
            "/v1/pose",
            content=PERSON,
            params={"boxes": json.dumps([WHOLE]), "flip_test": "true"},
            headers={"Content-Type": "image/jpeg"},
        ),
    ]

    assert all(persons(answer) == persons(answers[0]) for answer in answers)


def test_boxes_of_several_images_are_a_list_of_lists_with_null_for_detection(client: httpx.Client) -> None:
    response = post(client, PERSON, PERSON, PERSON, boxes=[[WHOLE, LEFT_HALF], [], None])

    assert [len(persons(response, index)) for index in (0, 1)] == [2, 0]
    assert response.json()["images"][2]["status"] == "ok"


def test_a_bad_picture_or_box_fails_alone(client: httpx.Client) -> None:
    outside = {"x1": 500, "y1": 0, "x2": 600, "y2": 10}
    empty = {"x1": 5, "y1": 5, "x2": 5, "y2": 50}

    response = post(client, PERSON, b"no picture", PERSON, PERSON, boxes=[[WHOLE], [WHOLE], [outside], [WHOLE, empty]])

    images = response.raise_for_status().json()["images"]
    assert [image["status"] for image in images] == ["ok", "error", "error", "error"]
    assert [image["problem"]["type"] for image in images[1:]] == [
        "/problems/undecodable-image",
        "/problems/invalid-box",
        "/problems/invalid-box",
    ]
    assert "boxes[1]" in images[3]["problem"]["detail"]
    assert "persons" not in images[1]


def test_a_box_that_sticks_out_is_cut_at_the_border(client: httpx.Client) -> None:
    (person,) = persons(post(client, PERSON, boxes=[{"x1": -40, "y1": 100, "x2": 60, "y2": 900}]))

    assert person["box"] == {"x1": 0, "y1": 100, "x2": 60, "y2": 256}


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_boxes_and_keypoints_are_of_the_upright_picture(client: httpx.Client, orientation: int) -> None:
    turned = rotated_by_exif(pattern(200, 120), orientation, "JPEG")
    height, width = (120, 200) if orientation in (6, 8) else (200, 120)
    image = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    upright = encode(np.ascontiguousarray(image[:, :, ::-1]), "PNG")
    box = [{"x1": 10, "y1": 20, "x2": 90, "y2": 110}]

    image_of_turned = post(client, turned, boxes=box).raise_for_status().json()["images"][0]

    assert (image_of_turned["height"], image_of_turned["width"]) == (height, width)
    expected = persons(post(client, upright, boxes=box))[0]["keypoints"]
    assert isinstance(expected, list)
    for ours, theirs in zip(image_of_turned["persons"][0]["keypoints"], expected, strict=True):
        assert (ours["x"], ours["y"]) == pytest.approx((theirs["x"], theirs["y"]), abs=3)


@pytest.mark.parametrize("asked", [{"data": {"render": "true"}}, {"headers": {"Accept": "image/png"}}])
def test_the_picture_comes_back_with_skeletons_as_png(client: httpx.Client, asked: dict[str, dict[str, str]]) -> None:
    data = {"boxes": json.dumps([WHOLE])} | asked.get("data", {})

    response = client.post("/v1/pose", files={"image": PERSON}, data=data, headers=asked.get("headers"))

    assert response.headers["content-type"] == "image/png"
    drawn = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_COLOR)
    plain = cv2.imdecode(np.frombuffer(PERSON, np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None
    assert plain is not None
    assert drawn.shape == plain.shape
    assert (drawn != plain).any()


@pytest.mark.parametrize(
    ("files", "fields", "status", "kind", "field"),
    [
        ([PERSON], {"boxes": "[1, 2"}, 422, "invalid-field", "boxes"),
        ([PERSON], {"boxes": [1, 2, 3, 4]}, 422, "invalid-field", "boxes"),
        ([PERSON], {"boxes": [{"x1": 1, "y1": 2, "x2": 3}]}, 422, "invalid-field", "boxes"),
        ([PERSON], {"boxes": '[{"x1": NaN, "y1": 2, "x2": 3, "y2": 4}]'}, 422, "invalid-field", "boxes"),
        ([PERSON], {"boxes": [[WHOLE], [WHOLE]]}, 422, "invalid-field", "boxes"),
        ([PERSON, PERSON], {"boxes": [WHOLE]}, 422, "invalid-field", "boxes"),
        ([PERSON], {"boxes": [WHOLE] * 101}, 422, "invalid-field", "boxes"),
        ([PERSON], {"boxes": [{**WHOLE, "x2": 0}]}, 422, "invalid-box", "boxes"),
        ([PERSON], {"model": "nobody"}, 404, "unknown-model", "model"),
        ([PERSON], {"min_score": "2"}, 422, "invalid-field", "min_score"),
        ([PERSON], {"max_persons": "0"}, 422, "invalid-field", "max_persons"),
        ([PERSON], {"flip_test": "perhaps"}, 422, "invalid-field", "flip_test"),
        ([PERSON], {"surprise": "1"}, 422, "invalid-field", "surprise"),
        ([PERSON, PERSON], {"render": "true"}, 422, "invalid-field", "render"),
        ([b"text"], {"render": "true"}, 422, "undecodable-image", "image"),
        ([b"text", b""], {}, 422, "undecodable-image", "image"),
        ([PERSON] * 5, {}, 413, "too-many-images", "image"),
        ([], {"model": "coco17"}, 415, "unsupported-media-type", None),
    ],
)
def test_a_bad_request_gets_a_problem_that_names_the_field(
    client: httpx.Client, files: list[bytes], fields: dict[str, object], status: int, kind: str, field: str | None
) -> None:
    response = post(client, *files, **fields)

    problem = response.json()
    assert (response.status_code, problem["type"]) == (status, f"/problems/{kind}"), problem
    assert problem.get("field") == field
    assert response.headers["content-type"] == "application/problem+json"


def test_every_served_network_is_listed_with_its_licence(client: httpx.Client) -> None:
    models = client.get("/v1/models").json()["models"]

    assert [model["name"] for model in models if model["task"] == "pose"] == list(SKELETONS)


def test_the_contract_describes_boxes_and_the_drawn_answer(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()

    operation = document["paths"]["/v1/pose"]["post"]
    assert {"application/json", "image/png"} == set(operation["responses"]["200"]["content"])
    fields = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert {"image", "boxes", "model", "min_score", "flip_test", "max_persons", "render"} == set(fields)
    references = {part for part in json.dumps(fields).split('"') if part.startswith("#/")}
    assert references == {"#/components/schemas/Box"}
    assert "Box" in document["components"]["schemas"]
    assert "outside the image" in operation["description"]
