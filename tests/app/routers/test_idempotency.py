"""Enrolments sent again with their `Idempotency-Key`, over HTTP."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from app.samples import sample_crops
from tests.app.pictures import encode

JPEGS = [crop.jpeg for crop in sample_crops(identities=2, cameras=3)]
NOBODY = encode(np.full((256, 128, 3), 90, np.uint8), "JPEG")
KEY = {"Idempotency-Key": "k"}


def enrol(client: httpx.Client, gallery: str, *files: bytes, **headers: str) -> httpx.Response:
    pictures = [("image", file) for file in files]
    return client.post(f"{gallery}/identities/anna/shots", files=pictures, headers=KEY | headers)


def enrol_line(client: httpx.Client, gallery: str, *files: bytes, **headers: str) -> httpx.Response:
    """The same as a line of bulk work, with the key in the line."""
    lines = [
        {"identity_id": "anna", "image": base64.b64encode(file).decode(), "idempotency_key": f"k{index}"}
        for index, file in enumerate(files)
    ]
    body = "\n".join(map(json.dumps, lines))
    headers |= {"Content-Type": "application/x-ndjson"}
    return client.post(f"{gallery}/shots:batch", content=body, headers=headers)


def kinds(answer: httpx.Response) -> list[str]:
    """What went wrong, with the whole request or with its lines."""
    body = answer.json()
    problems = [shot["problem"] for shot in body["shots"]] if "shots" in body else [body]
    return [problem["type"].rpartition("/")[2] for problem in problems if problem]


@pytest.mark.parametrize("first", ["off", "warn"])
@pytest.mark.parametrize("then", ["off", "warn", "reject"])
def test_the_answer_is_the_stored_one_whatever_the_gallery_asks_of_crops_now(
    client: httpx.Client, gallery: str, first: str, then: str
) -> None:
    client.patch(gallery, json={"quality": first}).raise_for_status()
    answer = enrol(client, gallery, NOBODY, b"no picture", JPEGS[0])
    line = enrol_line(client, gallery, NOBODY, JPEGS[0])
    client.patch(gallery, json={"quality": then}).raise_for_status()

    again = enrol(client, gallery, NOBODY, b"no picture", JPEGS[0])
    line_again = enrol_line(client, gallery, NOBODY, JPEGS[0])

    assert answer.status_code == 201
    assert (again.status_code, again.content) == (answer.status_code, answer.content)
    assert line_again.json()["shots"] == line.json()["shots"]
    assert kinds(again) == ["undecodable-image"]


def test_no_deadline_is_too_short_for_a_stored_answer(client: httpx.Client, gallery: str) -> None:
    answer = enrol(client, gallery, *JPEGS[:4])

    again = enrol(client, gallery, *JPEGS[:4], **{"X-Deadline-Ms": "0.001"})
    other = enrol(client, gallery, *JPEGS[:4], **{"X-Deadline-Ms": "0.001", "Idempotency-Key": "other"})

    assert (again.status_code, again.content) == (201, answer.content)
    assert other.status_code == 504


@pytest.mark.parametrize(
    "other",
    [[JPEGS[0]], [b"junk"], [b"other junk", JPEGS[0]], [JPEGS[0], b"junk"], [b"junk", b"GIF89a", JPEGS[0]]],
    ids=["without the broken one", "the broken one", "another broken one", "another order", "one more"],
)
def test_pictures_that_cannot_be_read_are_part_of_what_was_sent(
    client: httpx.Client, gallery: str, other: list[bytes]
) -> None:
    enrol(client, gallery, b"junk", JPEGS[0]).raise_for_status()

    answer = enrol(client, gallery, *other)

    assert (answer.status_code, kinds(answer)) == (422, ["idempotency-conflict"])
    assert client.get(gallery).json()["shots"] == 1


@pytest.mark.parametrize("fields", [{"camera": "c1"}, {"quality": "0.5"}, {"metadata": '{"door": 3}'}])
def test_fields_are_part_of_what_was_sent(client: httpx.Client, gallery: str, fields: dict[str, str]) -> None:
    url, files = f"{gallery}/identities/anna/shots", {"image": JPEGS[0]}
    client.post(url, files=files, headers=KEY).raise_for_status()

    assert kinds(client.post(url, files=files, data=fields, headers=KEY)) == ["idempotency-conflict"]


def test_a_line_with_another_picture_is_refused_even_if_it_cannot_be_read(client: httpx.Client, gallery: str) -> None:
    enrol_line(client, gallery, JPEGS[0]).raise_for_status()

    assert kinds(enrol_line(client, gallery, b"junk")) == ["idempotency-conflict"]


def test_what_enrolled_nothing_may_be_tried_again(client: httpx.Client, gallery: str) -> None:
    client.patch(gallery, json={"quality": "reject"}).raise_for_status()
    refused = enrol(client, gallery, NOBODY)
    client.patch(gallery, json={"quality": "off"}).raise_for_status()

    assert kinds(refused) == ["low-quality-crop"]
    assert enrol(client, gallery, NOBODY).status_code == 201


def test_lines_of_a_batch_with_a_key_are_answered_alike_and_those_that_failed_are_tried_again(
    client: httpx.Client, gallery: str
) -> None:
    client.patch(gallery, json={"quality": "reject"}).raise_for_status()
    first = enrol_line(client, gallery, JPEGS[0], NOBODY).json()["shots"]
    client.patch(gallery, json={"quality": "warn"}).raise_for_status()

    again = enrol_line(client, gallery, JPEGS[0], NOBODY).json()["shots"]

    assert [shot["status"] for shot in first] == ["created", "error"]
    assert again[0] == first[0]
    assert again[1]["status"] == "created"


def test_a_key_stands_for_one_line(client: httpx.Client, gallery: str) -> None:
    lines: list[dict[str, Any]] = [
        {"identity_id": "anna", "image": base64.b64encode(jpeg).decode(), "idempotency_key": "k"}
        for jpeg in (JPEGS[0], JPEGS[1], JPEGS[0])
    ]
    body = "\n".join(map(json.dumps, lines))

    answer = client.post(f"{gallery}/shots:batch", content=body, headers={"Content-Type": "application/x-ndjson"})

    first, second, third = answer.json()["shots"]
    assert (first["status"], second["status"], third["status"]) == ("created", "error", "created")
    assert (third["shot_id"], client.get(gallery).json()["shots"]) == (first["shot_id"], 1)


def test_a_late_retry_does_not_bring_back_who_was_erased(client: httpx.Client, gallery: str) -> None:
    enrol(client, gallery, JPEGS[0]).raise_for_status()
    enrol_line(client, gallery, JPEGS[1]).raise_for_status()
    client.delete(f"{gallery}/identities/anna").raise_for_status()

    late = [enrol(client, gallery, JPEGS[0]), enrol_line(client, gallery, JPEGS[1]), enrol(client, gallery, JPEGS[2])]

    assert [kinds(answer) for answer in late] == [["idempotency-key-spent"]] * 3
    assert late[0].status_code == 409
    assert "erased" in late[0].json()["detail"]
    assert client.get(f"{gallery}/identities/anna").status_code == 404
    assert enrol(client, gallery, JPEGS[0], **{"Idempotency-Key": "new"}).status_code == 201


def test_of_many_at_once_one_enrols_and_all_are_answered_the_same(client: httpx.Client, gallery: str) -> None:
    client.patch(gallery, json={"quality": "warn"}).raise_for_status()
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: enrol(client, gallery, JPEGS[0], b"junk", JPEGS[1]), range(6)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({json.dumps(answer.json()["shots"][0]) for answer in answers}) == 1
    assert len({answer.content for answer in answers}) == 1
    assert (client.get(gallery).json()["shots"], client.get(gallery).json()["version"]) == (2, 2)
