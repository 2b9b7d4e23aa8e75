"""Reads that API, pages and services share. They change nothing."""
