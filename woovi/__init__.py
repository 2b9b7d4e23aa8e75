"""The project's wiring, and the reusable rooms built on Redis. Nothing here knows about payments."""

VERSION = "1.0.0"
