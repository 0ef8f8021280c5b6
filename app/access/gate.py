"""From the key in a request to a caller."""

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict

from app.access.callers import Caller, everything
from app.access.keys import KeyStore
from app.access.secrets import parse_key, verify_secret

REMEMBERED = 10_000


class InvalidKeyError(Exception):
    """There is no key, or it is not valid."""


class Gate:
    """Tells callers by their keys, or lets everybody in where the service runs without keys.

    The slow hash is computed once a key: after that a keyed digest of it, which never leaves the process, recognises
    the secret. Whether the key is revoked is looked up every time.

    Args:
        store: the keys; None lets everybody in.
    """

    def __init__(self, store: KeyStore | None) -> None:
        self._store = store
        self._pepper = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether callers need no key."""
        return self._store is None

    def admit(self, key: str | None, address: str) -> Caller:
        """Find out who calls; takes as long as a hash for a key that is seen for the first time.

        Args:
            key: text that was sent as one.
            address: where the request came from.

        Raises:
            InvalidKeyError: no key was sent, or none that is valid.
        """
        if self._store is None:
            return everything(address)
        text = parse_key(key) if key else None
        if text is None:
            raise InvalidKeyError("send an API key as Authorization: Bearer … or as X-API-Key")
        found = self._store.find(text.key_id)
        if found is None or not self._proves(text.secret, found.hash):
            raise InvalidKeyError("this API key is not valid")
        return Caller(found.key_id, found.scopes, found.galleries)

    def _proves(self, secret: str, hashed: str) -> bool:
        digest = hmac.digest(self._pepper, secret.encode(), hashlib.sha256)
        with self._lock:
            remembered = self._verified.get(digest)
        if remembered is not None:
            return hmac.compare_digest(remembered, hashed)
        if not verify_secret(secret, hashed):
            return False
        with self._lock:
            self._verified[digest] = hashed
            while len(self._verified) > REMEMBERED:
                self._verified.popitem(last=False)
        return True
