"""The schedule of Celery's beat. Each task reads what is due by itself, so a late one loses nothing."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

# `expires`: a worker that comes back late does not catch up on sweeps. Hours are UTC.
SCHEDULE: dict[str, dict[str, Any]] = {
    "reconcile": {"task": "payments.reconcile", "schedule": 5, "options": {"expires": 5}},
    "check-refunds": {"task": "payments.check_refunds", "schedule": 5, "options": {"expires": 5}},
    "sweep-batches": {"task": "payments.sweep_batches", "schedule": 5, "options": {"expires": 5}},
    "check-payments": {"task": "payments.check_payments", "schedule": 2, "options": {"expires": 2}},
    # 3:30 in São Paulo: yesterday is over, and banks list late
    "compare-bank": {
        "task": "payments.compare_bank",
        "schedule": crontab(hour="6", minute="30"),
        "options": {"expires": 3600},
    },
    "sweep-webhooks": {"task": "payments.sweep_webhooks", "schedule": 2, "options": {"expires": 10}},
    "prune": {"task": "payments.prune", "schedule": crontab(hour="7", minute="10"), "options": {"expires": 3600}},
}
