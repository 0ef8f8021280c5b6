from hypothesis import given
from hypothesis import strategies as st

from app.access.secrets import KeyText, hash_secret, new_key, parse_key, verify_secret


def test_a_key_is_read_back_from_its_text() -> None:
    key = new_key()

    assert parse_key(str(key)) == key


@given(st.text())
def test_other_text_is_no_key(text: str) -> None:
    parsed = parse_key(text)

    assert parsed is None or str(parsed) == text


def test_only_the_secret_itself_fits_its_hash() -> None:
    secret = new_key().secret
    hashed = hash_secret(secret)

    assert verify_secret(secret, hashed)
    assert not verify_secret(new_key().secret, hashed)
    assert secret not in hashed


def test_equal_secrets_have_different_hashes() -> None:
    assert hash_secret("a") != hash_secret("a")


def test_keys_differ() -> None:
    keys = {new_key() for _ in range(50)}

    assert len({key.key_id for key in keys}) == len({key.secret for key in keys}) == 50
    assert all(isinstance(key, KeyText) for key in keys)
