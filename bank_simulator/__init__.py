"""A bank for development, tests and demonstrations: a process of its own that speaks HTTP and can be told to fail.

Receiving is the Central Bank's Pix API; sending is a small API of its own; a payer has pages. It is a Django project of
its own in the schema `bank_sim`, so reconciliation compares two records that were written independently. Its paths and
faults are in `docs/bank.md`.
"""
