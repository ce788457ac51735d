"""What schemathesis has to be told about the API: what a photo is. Loaded by it through ``SCHEMATHESIS_HOOKS``."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st

from support.picture import card, encoded, jpeg, noisy

PHOTOS = (jpeg(noisy()), jpeg(card()), encoded(card(), "PNG"), encoded(card(), "WEBP"))

for media_type in ("image/jpeg", "image/png", "image/webp", "image/*", "application/octet-stream"):
    schemathesis.openapi.media_type(media_type, st.one_of(st.sampled_from(PHOTOS), st.binary(max_size=200)))
