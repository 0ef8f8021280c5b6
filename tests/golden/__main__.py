"""`python -m tests.golden`: write the golden outputs anew."""

import json

from tests.golden.systems import SYSTEMS, answer

for system in SYSTEMS:
    system.path.write_text(json.dumps(answer(system), indent=1) + "\n")
