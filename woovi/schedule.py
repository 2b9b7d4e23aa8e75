"""The periodic jobs, by their tasks' names. Each task reads what is due by itself, so a late one loses nothing."""

from __future__ import annotations

from woovi.queue.periodic import Daily, Every, Schedule

SCHEDULE: Schedule = {
    "reconcile": Every(5, expires=30),
    "check_refunds": Every(5, expires=30),
    "check_payments": Every(2, expires=30),
    "sweep_batches": Every(5, expires=30),
    "sweep_webhooks": Every(2, expires=30),
    "compare_bank": Daily(hour=6, minute=30),  # 3:30 in São Paulo: yesterday is over, and banks list late
    "check_ledger": Daily(hour=6, minute=50),
    "seal_second_factors": Daily(hour=7, minute=0),
    "prune": Daily(hour=7, minute=10),
}
