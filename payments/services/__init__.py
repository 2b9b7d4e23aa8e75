"""Verbs. Each changes state in one way, and is what API, pages, admin and tasks call."""
