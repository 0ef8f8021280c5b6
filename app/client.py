"""Talking to a running server, for commands."""

import time
from typing import Any

import httpx

ATTEMPTS = 8
BUSY = (429, 503)


class ServerError(Exception):
    """The server refused, or cannot be reached; the message says why."""


class Server:
    """A server by its URL.

    Args:
        url: such as http://127.0.0.1:8000.
        key: sent as a bearer token; empty sends none.
        timeout: seconds that one answer may take.
    """

    def __init__(self, url: str, key: str = "", timeout: float = 120) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def post(self, path: str, **content: Any) -> Any:  # noqa: ANN401  what httpx takes and JSON holds
        """Send a request, again where the server is busy, and return its JSON.

        Raises:
            ServerError: it was refused, or there is no server.
        """
        for attempt in range(ATTEMPTS):
            try:
                response = self._client.post(path, **content)
            except httpx.HTTPError as error:
                raise ServerError(f"no answer from {self._client.base_url}: {error or type(error).__name__}") from error
            if response.status_code not in BUSY or attempt == ATTEMPTS - 1:
                break
            time.sleep(min(float(response.headers.get("Retry-After", 1)), 30))
        if response.is_error:
            raise ServerError(_reason(response))
        return response.json()


def _reason(response: httpx.Response) -> str:
    try:
        problem = response.json()
        return f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"the server answered with status {response.status_code}; is it gaitkeeper?"
