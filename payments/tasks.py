"""Celery tasks: thin, each calls one service. A message is a hint; what is due is read from the database."""
