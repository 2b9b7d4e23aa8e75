"""Wiring and the rooms: what Redis does here, free of payments."""

VERSION = "1.0.0"
