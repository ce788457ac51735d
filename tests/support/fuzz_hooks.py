"""What schemathesis has to be told about photos and forms. It loads this by ``SCHEMATHESIS_HOOKS``."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st

from support.picture import card, encoded, jpeg, noisy

PHOTOS = (jpeg(noisy()), jpeg(card()), encoded(card(), "PNG"), encoded(card(), "WEBP"))

for media_type in ("image/jpeg", "image/png", "image/webp", "image/*", "application/octet-stream"):
    schemathesis.openapi.media_type(media_type, st.one_of(st.sampled_from(PHOTOS), st.binary(max_size=200)))


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Leave out forms with a field of no values: on the wire the field is simply not there, which is no mistake."""
    in_form = case.media_type == "multipart/form-data" and isinstance(case.body, dict)
    return not (in_form and any(value in ([], {}) for value in case.body.values()))
