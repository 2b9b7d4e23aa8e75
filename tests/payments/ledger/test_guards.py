"""Every guard of the database, attacked by raw SQL. Its negative control: guards off, and check_ledger must see it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from payments import checks
from payments.models import Account, Entry, LedgerTransaction
from payments.services import ledger
from payments.services.ledger import Event, Line, Posting
from tests.payments.ledger.conftest import Books


def sql(statement: str, *arguments: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall() if cursor.description else []


def new_transaction(books: Books, resolves: int | None = None) -> int:
    return int(
        sql(
            """INSERT INTO payments_ledgertransaction
            (company_id, kind, correlation_id, request_hash, resolves_id, created_at)
            VALUES (%s, 'raw', gen_random_uuid(), '', %s, now()) RETURNING id""",
            books.company.pk,
            resolves,
        )[0][0]
    )


def entries(transaction_id: int, *lines: tuple[int, int, int]) -> None:
    """Insert (account, amount, pending) as one statement."""
    values = ", ".join(f"({transaction_id}, {n}, {a}, {m}, {p})" for n, (a, m, p) in enumerate(lines, 1))
    sql(f"INSERT INTO payments_entry (transaction_id, line, account_id, amount, pending) VALUES {values}")


def state() -> list[Any]:
    return [list(model.objects.order_by("pk").values_list()) for model in (Account, LedgerTransaction, Entry)]


@pytest.fixture
def paid(books: Books) -> Books:
    ledger.post(books.paid("in", 1000))
    sql("SET CONSTRAINTS ALL IMMEDIATE")  # foreign keys waiting for the commit would keep tables from being altered
    return books


ATTACKS = {
    "change an entry": "UPDATE payments_entry SET amount = amount + 1",
    "change a transaction": "UPDATE payments_ledgertransaction SET kind = 'other'",
    "delete an entry": "DELETE FROM payments_entry",
    "delete a transaction": "DELETE FROM payments_ledgertransaction",
    "truncate entries": "TRUNCATE payments_entry",
    "truncate transactions": "TRUNCATE payments_ledgertransaction CASCADE",
    "truncate accounts": "TRUNCATE payments_account CASCADE",
    "delete an account": "DELETE FROM payments_account WHERE id = {fees}",
    "set a balance": "UPDATE payments_account SET posted = 5 WHERE id = {merchant}",
    "set what is pending": "UPDATE payments_account SET pending_out = 5 WHERE id = {merchant}",
    "set a balance beside a name": """WITH other AS (UPDATE payments_account SET posted = 5 WHERE id = {merchant})
        UPDATE payments_account SET name = 'x' WHERE id = {fees}""",
    "give an account away": "UPDATE payments_account SET company_id = {other}, is_default = false WHERE id = {fees}",
    "change an account's kind": "UPDATE payments_account SET kind = 'SUSPENSE', is_default = false WHERE id = {fees}",
    "open with a balance": """INSERT INTO payments_account
        (public_id, company_id, kind, name, is_default, may_go_negative, posted, pending_out, created_at)
        VALUES ('x', {company}, 'MERCHANT', '', false, false, 5, 0, now())""",
    "merge over an entry": """INSERT INTO payments_entry (id, transaction_id, line, account_id, amount, pending)
        SELECT id, transaction_id, line, account_id, amount, pending FROM payments_entry
        ON CONFLICT (id) DO UPDATE SET amount = 7""",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_refuses_to(paid: Books, attack: str) -> None:
    names = {"company": paid.company.pk, "other": Books().company.pk, "fees": paid.fees, "merchant": paid.merchant}
    before = state()
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        sql(ATTACKS[attack].format(**names))
    assert refused.value.__cause__.sqlstate == "LG001"  # type: ignore[union-attr]
    assert state() == before


def refuses_entries(state_code: str, transaction_id: int, *lines: tuple[int, int, int]) -> None:
    before = state()
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        entries(transaction_id, *lines)
    assert refused.value.__cause__.sqlstate == state_code  # type: ignore[union-attr]
    assert state() == before


def test_refuses_entries_that_do_not_sum_to_zero(paid: Books) -> None:
    refuses_entries("LG002", new_transaction(paid), (paid.merchant, 5, 0))
    refuses_entries("LG002", new_transaction(paid), (paid.clearing, -5, 0), (paid.merchant, 6, 0))


def test_refuses_to_add_to_a_transaction(paid: Books) -> None:
    (old,) = LedgerTransaction.objects.filter(company=paid.company)
    refuses_entries("23505", old.pk, (paid.clearing, -5, 0), (paid.merchant, 5, 0))
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        sql(
            """INSERT INTO payments_entry (transaction_id, line, account_id, amount, pending)
            VALUES (%s, 3, %s, -5, 0), (%s, 4, %s, 5, 0)""",
            *(old.pk, paid.clearing, old.pk, paid.merchant),
        )
    assert refused.value.__cause__.sqlstate == "LG002"  # type: ignore[union-attr]


def test_refuses_orphans_and_other_tenants(paid: Books) -> None:
    other = Books()
    refuses_entries("LG003", 10**15, (paid.clearing, -5, 0), (paid.merchant, 5, 0))
    refuses_entries("LG003", new_transaction(paid), (paid.clearing, -5, 0), (10**15, 5, 0))
    refuses_entries("LG003", new_transaction(paid), (paid.clearing, -5, 0), (other.merchant, 5, 0))


def test_refuses_an_overdraft(paid: Books) -> None:
    refuses_entries("23514", new_transaction(paid), (paid.clearing, 1001, 0), (paid.merchant, -1001, 0))
    refuses_entries("23514", new_transaction(paid), (paid.merchant, 0, 1001))


def test_refuses_an_entry_of_nothing(paid: Books) -> None:
    refuses_entries("23514", new_transaction(paid), (paid.merchant, 0, 0))


def test_refuses_to_release_what_no_hold_reserved(paid: Books) -> None:
    hold = paid.hold("h", 100)
    (plain,) = LedgerTransaction.objects.filter(kind="charge", company=paid.company)
    release = (paid.merchant, 0, -100)
    refuses_entries("LG004", new_transaction(paid), release)  # resolves nothing
    for wrong in (plain.pk, 10**15):
        with transaction.atomic():
            refuses_entries("LG004", new_transaction(paid, wrong), release)
            transaction.set_rollback(True)
    with transaction.atomic():
        mine = new_transaction(paid, hold)
        for lines in (
            [(paid.merchant, 0, -99)],
            [(paid.merchant, 0, -101)],
            [(paid.merchant, 0, 100)],
            [(paid.merchant, -101, -100), (paid.clearing, 101, 0)],
            [(paid.clearing, -5, 0), (paid.merchant, 5, 0)],
            [(paid.suspense, 0, -100)],
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                entries(mine, *lines)
        transaction.set_rollback(True)
    other = Books()
    refuses_entries("LG004", new_transaction(other, hold), (other.clearing, -5, 0), (other.merchant, 5, 0))


def test_refuses_a_second_resolution(paid: Books) -> None:
    hold = paid.hold("h", 100)
    entries(new_transaction(paid, hold), (paid.merchant, 0, -100))
    with pytest.raises(DatabaseError), transaction.atomic():
        new_transaction(paid, hold)


def test_an_account_is_renamed_without_its_balance(paid: Books) -> None:
    account = Account.objects.get(pk=paid.merchant)
    account.name = "Main"
    account.save(update_fields=["name"])
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        account.save()  # it names the balance as it was read, which may be an old one
    assert Account.objects.get(pk=paid.merchant, name="Main").posted == 1000


def test_well_formed_raw_entries_move_the_balances(paid: Books) -> None:
    """The trigger, not the function that posts, keeps the balances."""
    entries(new_transaction(paid), (paid.merchant, -300, 0), (paid.fees, 300, 0))
    assert (paid.balance(), paid.balance(paid.fees)) == ((700, 0), (300, 0))
    assert failed() == {}


# ── Guards off: what they prevent does happen then, and check_ledger names it ─────────────────────────────────────


def failed() -> dict[str, list[str]]:
    return {finding.name: finding.offenders for finding in checks.run() if finding.count}


def break_rules(*statements: str) -> None:
    sql("SET LOCAL session_replication_role = replica")
    for statement in statements:
        sql(statement)
    sql("SET LOCAL session_replication_role = origin")


ENTRY = "INSERT INTO payments_entry (transaction_id, line, account_id, amount, pending) VALUES "
DAMAGE = {
    "a transaction's entries sum to zero": "UPDATE payments_entry SET amount = 999 WHERE account_id = {merchant}",
    "balances equal their entries": "UPDATE payments_account SET posted = 5 WHERE id = {merchant}",
    "what is pending equals the open holds": "UPDATE payments_account SET pending_out = 5 WHERE id = {merchant}",
    "a transaction is whole: two entries or more, or one that only reserves or releases": (
        "DELETE FROM payments_entry"
    ),
    "only a resolution releases": ENTRY + "({id}, 3, {merchant}, 0, -5)",
    "an entry has a transaction and an account, of one company": ENTRY + "({id}, 3, {other}, 0, 5)",
    "a hold is resolved by exactly what it reserved, and for no more": """
        INSERT INTO payments_ledgertransaction
        (company_id, kind, correlation_id, request_hash, resolves_id, created_at)
        VALUES ({company}, 'void', 'v', '', {id}, now())""",
    "a Pix that was received is in the ledger with its value and fee, and the reverse": (
        "UPDATE payments_ledgertransaction SET kind = 'pix_in'"
    ),
    "a hold for a refund has its refund": "UPDATE payments_ledgertransaction SET kind = 'refund_hold'",
    "the guards' functions are those of the migrations": (
        "CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
    ),
    "the guards are in place": "ALTER TABLE payments_entry DISABLE TRIGGER ledger_append_only",
}


@pytest.mark.parametrize("broken", DAMAGE)
def test_check_ledger_sees(paid: Books, broken: str) -> None:
    assert failed() == {}
    (row,) = LedgerTransaction.objects.filter(company=paid.company)
    names = {"id": row.pk, "merchant": paid.merchant, "company": paid.company.pk, "other": Books().merchant}
    break_rules(DAMAGE[broken].format(**names))
    assert broken in failed()


def test_check_ledger_sees_an_overdraft_where_the_constraint_is_dropped(paid: Books) -> None:
    sql("ALTER TABLE payments_account DROP CONSTRAINT account_not_overdrawn")
    ledger.post(paid.paid("out", -1001))
    assert failed()["no account is overdrawn"] == [str(paid.merchant)]


ALLOW = "UPDATE payments_account SET may_go_negative = true WHERE id = %s"


def test_no_merchant_is_allowed_to_go_negative(paid: Books) -> None:
    with pytest.raises(IntegrityError, match="account_negative_by_kind"), transaction.atomic():
        sql(ALLOW, paid.merchant)
    with pytest.raises(ledger.InsufficientFunds):
        ledger.post(paid.paid("out", -1001))


def test_without_the_check_an_update_lets_a_merchant_go_negative_and_check_ledger_sees_it(paid: Books) -> None:
    """The negative control."""
    sql("ALTER TABLE payments_account DROP CONSTRAINT account_negative_by_kind")
    sql(ALLOW, paid.merchant)
    ledger.post(paid.paid("out", -1001))
    assert paid.balance() == (-1, 0)
    assert failed()["only clearing, what a company owes and what it was given may be negative"] == [str(paid.merchant)]


def test_what_a_company_owes_is_never_more_than_paid(paid: Books) -> None:
    owed = Account.objects.create(company=paid.company, kind="RECEIVABLE", may_go_negative=True)

    def lend(key: str, value: int) -> None:
        ledger.post(Posting(paid.company.pk, "debt", key, (Line(owed.pk, -value), Line(paid.merchant, value))))

    lend("lent", 5)
    lend("paid back", -5)
    with pytest.raises(IntegrityError, match="account_receivable_is_debt"):
        lend("too much", -1)


def test_an_instruction_doubles_where_its_unique_key_is_dropped(paid: Books) -> None:
    sql("ALTER TABLE payments_ledgertransaction DROP CONSTRAINT ledger_transaction_once")
    for _ in range(2):
        entries(
            int(
                sql(
                    """INSERT INTO payments_ledgertransaction (company_id, kind, correlation_id, request_hash, created_at)
                    VALUES (%s, 'raw', 'same', '', now()) RETURNING id""",
                    paid.company.pk,
                )[0][0]
            ),
            (paid.clearing, -5, 0),
            (paid.merchant, 5, 0),
        )
    assert "an instruction is booked once" in failed()


def test_a_hold_resolves_twice_where_its_unique_key_is_dropped(paid: Books) -> None:
    hold = paid.hold("h", 100)
    paid.hold("h2", 100)  # so that there is something pending to release twice
    sql("ALTER TABLE payments_ledgertransaction DROP CONSTRAINT payments_ledgertransaction_resolves_id_key")
    for key in ("v1", "v2"):
        break_rules(
            f"""INSERT INTO payments_ledgertransaction
            (company_id, kind, correlation_id, request_hash, resolves_id, created_at)
            VALUES ({paid.company.pk}, 'void', '{key}', '', {hold}, now())"""
        )
    assert failed()["a hold is resolved once"] == [str(hold)]


def test_the_role_of_production_can_post_and_not_tamper(paid: Books) -> None:
    """The grants are those of docs/ledger.md, with the outbox's and the companies'."""
    for statement in (
        "CREATE ROLE ledger_test_platform",
        "GRANT SELECT, INSERT ON payments_ledgertransaction, payments_entry, outbox_outboxevent TO ledger_test_platform",
        "GRANT SELECT, INSERT, UPDATE ON payments_account TO ledger_test_platform",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ledger_test_platform",
        "SET LOCAL ROLE ledger_test_platform",
    ):
        sql(statement)
    ledger.post(paid.paid("more", 5, events=(Event("t", {}),)))
    for attack in (
        "ALTER TABLE payments_entry DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "UPDATE payments_entry SET amount = 1",
        "TRUNCATE payments_entry",
        "DELETE FROM payments_account",
        "UPDATE payments_account SET posted = 1",
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            sql(attack)
    assert paid.balance() == (1005, 0)
