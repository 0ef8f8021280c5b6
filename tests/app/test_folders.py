"""Who is on the pictures of a folder, and what they are called."""

import unicodedata
from pathlib import Path

import pytest

from app.folders import Picture, find_people, identity_of
from app.gallery.names import is_name


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("name", "identity_id"),
    [
        ("0002", "0002"),
        ("anna@home:1.2_x-3", "anna@home:1.2_x-3"),
        ("John Smith", "John-Smith"),
        ("person é 107", "person-e-107"),
        (unicodedata.normalize("NFD", "person é 107"), "person-e-107"),
        ("  Müller, Jörg (2) ", "Muller-Jorg-2"),
        ("_old", "old"),
        ("N\N{SUPERSCRIPT TWO} & \N{ROMAN NUMERAL FOUR}", "N2-IV"),
        ("田中 太郎 7", "7"),
        ("x" * 300, "x" * 128),
    ],
)
def test_an_id_is_what_is_left_of_a_name_in_ascii(name: str, identity_id: str) -> None:
    assert identity_of(name) == identity_id
    assert is_name(identity_of(name))


def test_a_name_that_cannot_be_an_id_becomes_the_label(tmp_path: Path) -> None:
    put(tmp_path, "John Smith/a.jpg", "anna/deep/0002_c3s1_000451_03.JPG")

    found = find_people(tmp_path)

    assert found.pictures == [
        Picture(tmp_path / "John Smith/a.jpg", "John-Smith", "John Smith", None),
        Picture(tmp_path / "anna/deep/0002_c3s1_000451_03.JPG", "anna", None, "c3"),
    ]


def test_pictures_that_do_not_say_who_they_show_are_told_and_left_out(tmp_path: Path) -> None:
    put(tmp_path, "anna/a.jpg", "0002_c1s1.jpg", "cover.png", "notes.txt")

    found = find_people(tmp_path)

    assert [picture.identity_id for picture in found.pictures] == ["0002", "anna"]
    assert found.strays == [tmp_path / "cover.png"]


def test_what_is_hidden_shows_nobody(tmp_path: Path) -> None:
    put(tmp_path, "anna/a.jpg", "anna/._a.jpg", ".thumbnails/a.jpg")

    assert [picture.path.name for picture in find_people(tmp_path).pictures] == ["a.jpg"]
    assert find_people(tmp_path).strays == []


@pytest.mark.parametrize("names", [("John Smith", "John-Smith"), ("a b", "a  b"), ("é", "e")])
def test_two_names_that_would_be_one_id_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    put(tmp_path, *(f"{name}/a.jpg" for name in names))

    with pytest.raises(ValueError, match="would both be enrolled as") as caught:
        find_people(tmp_path)

    assert all(repr(name) in str(caught.value) for name in names)


def test_a_name_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "田中/a.jpg")

    with pytest.raises(ValueError, match=r"'田中'.* has nothing to make an id of"):
        find_people(tmp_path)


def test_a_folder_with_strays_alone_has_nobody(tmp_path: Path) -> None:
    put(tmp_path, "cover.png")

    with pytest.raises(ValueError, match=r"cover\.png does not say who it shows"):
        find_people(tmp_path)
