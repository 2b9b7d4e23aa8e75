"""What the simulator answers: the Central Bank's API, the bank's own, and the payer's pages."""
