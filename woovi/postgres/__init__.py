"""Django's database ENGINE: its own for PostgreSQL, with another look at pooled connections."""
