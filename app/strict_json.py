"""JSON that means one thing only, and plain words for what cannot be read as that."""

import json
from collections import Counter
from typing import Any

import orjson

MAX_ECHO = 100  # characters of a client's own words in an answer


class JsonError(ValueError):
    """What is wrong with a text, in words to be put after its name."""


class DoubledKeyError(JsonError):
    """An object has a key twice; parsers disagree on which of the two counts.

    Attributes:
        within: the field of the outermost object that holds that object; None if it is the outermost itself.
        field: at fault, of the outermost object.
    """

    def __init__(self, key: str, within: str | None) -> None:
        super().__init__(f"has the key {_shown(key)!r} more than once")
        self.within = None if within is None else _shown(within)
        self.field = _shown(key) if within is None else _shown(within)


def read_json(text: str | bytes) -> Any:  # noqa: ANN401  whatever was sent
    """What a JSON text says; NaN and infinity, which are not JSON, are left for fields to refuse.

    Raises:
        JsonError: it is not JSON, or a key comes twice.
    """
    try:
        return _read_flat(text)
    except ValueError:
        pass  # another parser has to look
    doubled: list[tuple[dict[str, Any], str]] = []

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            doubled.append((found, next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)))
        return found

    if not text.strip():
        raise JsonError("is empty")
    try:
        value = json.loads(text, object_pairs_hook=object_of)
    except json.JSONDecodeError as error:
        raise JsonError(f"is not JSON: {error}") from None
    except UnicodeDecodeError:
        raise JsonError("is not UTF-8 text") from None
    except RecursionError:
        raise JsonError("is nested too deeply") from None
    except ValueError:  # Python reads no number that takes it long
        raise JsonError("has a number with too many digits") from None
    if doubled:
        # Objects are finished from the inside out, so that the last one is certainly still there.
        target, key = doubled[-1]
        raise DoubledKeyError(key, _field_with(value, target))
    return value


def _shown(key: str) -> str:
    # JSON can write halves of characters, which no answer can carry.
    return key[:MAX_ECHO].encode(errors="replace").decode()


def _read_flat(text: str | bytes) -> Any:  # noqa: ANN401  whatever was sent
    """An object without objects in it, or a list without any, ten times faster; else ValueError.

    This parser keeps the last of two equal keys. Each key has a colon, so with no more colons than keys none is lost.
    """
    value = orjson.loads(text)
    colons = text.count(":") if isinstance(text, str) else text.count(b":")
    if colons != (len(value) if isinstance(value, dict) else 0):
        raise ValueError("there may be objects within")
    return value


def _field_with(value: object, target: dict[str, Any]) -> str | None:
    """The field of an object that holds another one, however deep."""
    if not isinstance(value, dict) or value is target:
        return None
    return next(str(name) for name, inner in value.items() if _holds(inner, target))


def _holds(value: object, target: dict[str, Any]) -> bool:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if item is target:
            return True
        if isinstance(item, dict | list):
            waiting.extend(item.values() if isinstance(item, dict) else item)
    return False
