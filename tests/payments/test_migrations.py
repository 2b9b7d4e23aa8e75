"""Migrations run beside a working system: none reads a large table while it locks out everybody else."""

from __future__ import annotations

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

LARGE = {"charge", "receivedpix", "refund", "payment", "customer", "entry", "ledgertransaction", "webhookdelivery"}
RELEASED = "0016"  # older migrations have run everywhere
RULE = models.CheckConstraint(condition=models.Q(value__gt=0), name="rule")
INDEX = models.Index(fields=["value"], name="index")


def reads_under_lock(operation: Operation) -> bool:
    """Whether it builds an index or looks whether rows keep a rule, on a large table under ACCESS EXCLUSIVE or SHARE."""
    if getattr(operation, "model_name", "").lower() not in LARGE:
        return False
    if isinstance(operation, migrations.AddField):
        field = operation.field
        return field.unique or field.db_index or field.get_internal_type() in connection.data_type_check_constraints
    apart = (AddIndexConcurrently, AddConstraintNotValid)
    return isinstance(operation, (migrations.AddIndex, migrations.AddConstraint)) and not isinstance(operation, apart)


def test_no_migration_reads_a_large_table_under_a_lock() -> None:
    disk = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    ours = {name: each for (app, name), each in disk.items() if app == "payments" and name[:4] > RELEASED}
    operations = [
        (name, inner.describe())
        for name, migration in ours.items()
        for operation in migration.operations
        for inner in getattr(operation, "database_operations", [operation])
        if reads_under_lock(inner)
    ]
    assert ours
    assert operations == []


@pytest.mark.parametrize(
    ("operation", "reads"),
    [
        (migrations.AddIndex("charge", INDEX), True),
        (AddIndexConcurrently("charge", INDEX), False),
        (migrations.AddConstraint("Charge", RULE), True),
        (migrations.AddConstraint("user", RULE), False),
        (AddConstraintNotValid("charge", RULE), False),
        (migrations.AddField("charge", "number", models.PositiveIntegerField(null=True)), True),
        (migrations.AddField("charge", "number", models.IntegerField(null=True)), False),
        (migrations.AddField("charge", "number", models.IntegerField(null=True, unique=True)), True),
    ],
)
def test_what_reads_under_a_lock_is_seen(operation: Operation, reads: bool) -> None:
    assert reads_under_lock(operation) is reads
