"""`make screenshots`: a picture of every page, in each language, theme and size."""
