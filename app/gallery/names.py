"""Which names galleries, identities and the like can have."""

import re

MAX_NAME = 128
NAME = rf"[A-Za-z0-9][A-Za-z0-9._@:-]{{0,{MAX_NAME - 1}}}"
NAME_RULE = f"1 to {MAX_NAME} of the letters a to z and A to Z, digits and . _ @ : -, beginning with a letter or digit"


def is_name(text: str) -> bool:
    """Whether something can be called so."""
    return re.fullmatch(NAME, text) is not None
