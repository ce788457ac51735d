"""The composition root: settings in, a searcher or an ingester out. The only module that names every adapter."""

from __future__ import annotations
