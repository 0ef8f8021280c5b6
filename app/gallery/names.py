"""Which names galleries, identities and the like can have."""

import re

NAME = r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}"
NAME_RULE = "1 to 128 letters, digits and . _ @ : -, beginning with a letter or digit"


def is_name(text: str) -> bool:
    """Whether something can be called so."""
    return re.fullmatch(NAME, text) is not None
