"""Wiring and the rooms: what Redis does here, free of payments."""
