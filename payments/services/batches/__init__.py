"""Payout batches: upload, approve, pay, watch, export. docs/batches.md explains them."""

from payments.services.batches.hints import sweep
from payments.services.batches.importing import upload
from payments.services.batches.lifecycle import approve, cancel, failed_rows, pause, resume, retry, submit
from payments.services.batches.paying import leaving, pay
from payments.services.batches.progress import Progress, export, progress, progress_of
from payments.services.batches.unknown import ask, check_open, give_up

__all__ = [
    "Progress",
    "approve",
    "ask",
    "cancel",
    "check_open",
    "export",
    "failed_rows",
    "give_up",
    "leaving",
    "pause",
    "pay",
    "progress",
    "progress_of",
    "resume",
    "retry",
    "submit",
    "sweep",
    "upload",
]
