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


@pytest.mark.parametrize("name", ["0002", "anna@home:1.2_x-3", "x" * 128])
def test_a_name_that_can_be_an_id_is_one(name: str) -> None:
    assert identity_of(name) == name


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("John Smith", "John-Smith"),
        ("person é 107", "person-e-107"),
        ("  Müller, Jörg (2) ", "Muller-Jorg-2"),
        ("_old", "old"),
        ("N\N{SUPERSCRIPT TWO} & \N{ROMAN NUMERAL FOUR}", "N2-IV"),
        ("田中 太郎 7", "7"),
        ("田中", "person"),
        ("broken \udcff", "broken"),
        ("x" * 300, "x" * 119),
    ],
)
def test_another_name_gives_an_id_that_can_be_read(name: str, readable: str) -> None:
    identity_id = identity_of(name)

    assert (identity_id[:-9], identity_id[-9]) == (readable, "-")
    assert is_name(identity_id)


def test_similar_names_give_ids_of_their_own_and_one_name_always_the_same() -> None:
    names = ["John Smith", "John-Smith", "John  Smith", "Jöhn Smith", "田中", "李娜", "é", "e"]

    assert len({identity_of(name) for name in names}) == len(names)
    assert identity_of("John Smith") == "John-Smith-ef61a579"
    assert identity_of(unicodedata.normalize("NFD", "Jöhn")) == identity_of(unicodedata.normalize("NFC", "Jöhn"))


def test_a_name_that_cannot_be_an_id_becomes_the_label(tmp_path: Path) -> None:
    put(tmp_path, "John Smith/a.jpg", "anna/deep/0002_c3s1_000451_03.JPG")

    found = find_people(tmp_path)

    assert found.pictures == [
        Picture(tmp_path / "John Smith/a.jpg", identity_of("John Smith"), "John Smith", None),
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


def test_a_folder_with_strays_alone_has_nobody(tmp_path: Path) -> None:
    put(tmp_path, "cover.png")

    with pytest.raises(ValueError, match=r"cover\.png does not say who it shows"):
        find_people(tmp_path)
