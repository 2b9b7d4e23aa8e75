"""Reads that API, pages and services share. Nothing here changes anything."""
