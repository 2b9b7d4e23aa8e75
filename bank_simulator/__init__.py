"""A bank to develop, test and show with: its own process, its own books, real HTTP, and faults to order.

It speaks the Central Bank's Pix API on the receiving side, a small API of its own on the sending side, and has a
payer's page. It is a small Django project of its own in the schema `bank_sim`, so that reconciliation compares two
records that nobody wrote together. `docs/bank.md` lists what it answers.
"""
