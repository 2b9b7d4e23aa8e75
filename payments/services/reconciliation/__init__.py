"""Keep our books equal to the bank's: find what no callback told, finish what a crash left, compare whole days."""

from payments.services.reconciliation.bank_list import read_between, read_received, set_back
from payments.services.reconciliation.booking import book_all
from payments.services.reconciliation.sweep import run
from payments.services.reconciliation.unfinished import finish_charges

__all__ = ["book_all", "finish_charges", "read_between", "read_received", "run", "set_back"]
