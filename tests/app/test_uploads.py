import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ProblemError
from app.uploads import parse_json

keys = st.text(':"ab', max_size=3)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=5)


@given(pairs=st.lists(st.tuples(keys, values), max_size=5))
def test_an_object_is_read_as_it_was_written_and_refused_if_a_key_comes_twice(pairs: list[tuple[str, Any]]) -> None:
    body = "{" + ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs) + "}"

    if len({key for key, _ in pairs}) < len(pairs):
        with pytest.raises(ProblemError, match="more than once"):
            parse_json(body.encode())
    else:
        assert parse_json(body.encode()) == dict(pairs)


@pytest.mark.parametrize(
    "body",
    [b'{"a": 1, "a": 2}', b'{"a": ":", "a": 2}', b'{"a": {"b": 1, "b": 2}}', b'[{"a": 1, "a": 2}]'],
    ids=["plain", "beside a colon", "nested", "in a list"],
)
def test_a_key_that_comes_twice_is_refused_wherever_it_is(body: bytes) -> None:
    with pytest.raises(ProblemError, match="more than once"):
        parse_json(body)
