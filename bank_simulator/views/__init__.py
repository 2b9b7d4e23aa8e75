"""The simulator's views: the Central Bank's API, the bank's own API, tools for tests, the payer's pages."""
