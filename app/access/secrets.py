"""API keys as text, and their hashes: scrypt (RFC 7914), which is costly to try out on stolen hashes."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

PREFIX = "gk"
ID_BYTES, SECRET_BYTES, SALT_BYTES = 6, 24, 16
COST, BLOCK, PARALLEL = 2**14, 8, 1  # 16 MiB and some 40 ms a try
MAX_MEMORY = 64 * 2**20


@dataclass(frozen=True)
class KeyText:
    """An API key as its owner holds it: gk_ID_SECRET.

    Attributes:
        key_id: names the key; no secret.
        secret: proves it.
    """

    key_id: str
    secret: str

    def __str__(self) -> str:
        return f"{PREFIX}_{self.key_id}_{self.secret}"


def new_key() -> KeyText:
    """A key of 192 random bits."""
    return KeyText(secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES))


def parse_key(text: str) -> KeyText | None:
    """Read a key, or None where the text cannot be one."""
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or len(key_id) != 2 * ID_BYTES or len(secret) != 2 * SECRET_BYTES or not text.isascii():
        return None
    return KeyText(key_id, secret)


def hash_secret(secret: str) -> str:
    """A salted hash with its parameters, as text."""
    salt = secrets.token_bytes(SALT_BYTES)
    return f"scrypt${COST}${BLOCK}${PARALLEL}${_base64(salt)}${_base64(_scrypt(secret, salt, COST, BLOCK, PARALLEL))}"


def verify_secret(secret: str, hashed: str) -> bool:
    """Whether a secret is the one that was hashed, compared in constant time."""
    _, cost, block, parallel, salt, expected = hashed.split("$")
    actual = _scrypt(secret, base64.b64decode(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(actual, base64.b64decode(expected))


def _scrypt(secret: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=MAX_MEMORY)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
