"""Is every centavo where it should be? Each check is one query that returns the rows that break an invariant.

The database's guards prevent most of these errors (docs/ledger.md). The checks do not rely on the guards.
A new domain gets a list of its own, which is added to `ALL`.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from payments import migrations
from payments.models import LedgerCheck

MOST_SHOWN = 20  # rows named per check


@dataclass(frozen=True)
class Check:
    """An invariant. `sql` selects one column, a name for each row that breaks it."""

    name: str
    sql: str


@dataclass(frozen=True)
class Finding:
    """The result of a check: how many rows break it, and the first MOST_SHOWN of them."""

    name: str
    count: int
    offenders: list[str]


def run() -> list[Finding]:
    """Run every check on one snapshot of the database, while the platform runs."""
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:  # a caller's transaction keeps its own isolation level
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return [_run(cursor, check) for check in ALL]


def keep() -> LedgerCheck:
    """Run every check, and keep what it found for the operators' page of health."""
    began = time.monotonic()
    findings = run()
    failed = [asdict(finding) for finding in findings if finding.count]
    return LedgerCheck.objects.create(
        seconds=time.monotonic() - began, passed=len(findings) - len(failed), failed=len(failed), findings=failed
    )


def _run(cursor: CursorWrapper, check: Check) -> Finding:
    cursor.execute(
        f"SELECT count(*), (array_agg(o::text))[:{MOST_SHOWN}] FROM ({check.sql}) AS offending (o)"  # noqa: S608
    )
    count, offenders = cursor.fetchone()
    return Finding(check.name, count, offenders or [])


def _guard_functions() -> str:
    """SQL values (name, md5 of the body) of the guards' functions as the migrations create them."""
    folder = Path(migrations.__file__).parent / "sql"
    text = "".join((folder / name).read_text() for name in ("ledger_guards.sql", "ledger_post.sql"))
    bodies = re.findall(r"^CREATE FUNCTION (\w+)\(.*?\$\$(.*?)\$\$", text, re.M | re.S)
    digests = [(name, hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()) for name, body in bodies]
    return ", ".join(f"('{name}', '{digest}')" for name, digest in digests)


LEDGER = [
    Check(
        "the guards' functions are those of the migrations",
        f"""
        SELECT wanted.name FROM (VALUES {_guard_functions()}) AS wanted (name, digest)
        WHERE NOT EXISTS (
            SELECT FROM pg_proc WHERE proname = wanted.name AND pronamespace = 'public'::regnamespace
            AND md5(prosrc) = wanted.digest
        )""",  # noqa: S608
    ),
    Check(
        "the guards are in place",
        """
        SELECT wanted FROM unnest(ARRAY[
            'payments_entry.ledger_apply_entries', 'payments_entry.ledger_append_only',
            'payments_ledgertransaction.ledger_append_only', 'payments_account.ledger_account_stays',
            'payments_account.ledger_balance_guard', 'payments_account.ledger_account_keeps',
            'payments_account.ledger_opening_balance',
            'payments_account.account_not_overdrawn', 'payments_account.account_pending_out_positive',
            'payments_account.account_negative_by_kind', 'payments_account.account_closed_is_empty', 'payments_account.account_receivable_is_debt',
            'payments_receivedpix.received_append_only', 'payments_entry.entry_line_once', 'payments_ledgertransaction.ledger_transaction_once'
        ]) AS wanted
        WHERE wanted NOT IN (
            SELECT tgrelid::regclass || '.' || tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')
            UNION ALL SELECT conrelid::regclass || '.' || conname FROM pg_constraint WHERE convalidated
        )""",
    ),
    Check(
        "a transaction's entries sum to zero",
        "SELECT transaction_id FROM payments_entry GROUP BY transaction_id HAVING sum(amount) <> 0",
    ),
    Check(
        "a transaction is whole: two entries or more, or one that only reserves or releases",
        """
        SELECT t.id FROM payments_ledgertransaction t
        LEFT JOIN (
            SELECT transaction_id, count(*) AS entries, min(line) AS first, max(line) AS last,
                   bool_or(amount <> 0) AS moves
            FROM payments_entry GROUP BY transaction_id
        ) e ON e.transaction_id = t.id
        WHERE e.entries IS NULL OR e.first <> 1 OR e.last <> e.entries OR (e.entries = 1 AND e.moves)""",
    ),
    Check(
        "an instruction is booked once",
        """
        SELECT min(id) FROM payments_ledgertransaction
        GROUP BY company_id, kind, correlation_id HAVING count(*) > 1""",
    ),
    Check(
        "balances equal their entries",
        """
        SELECT a.id FROM payments_account a
        LEFT JOIN (
            SELECT account_id, sum(amount) AS posted, sum(pending) AS pending FROM payments_entry GROUP BY account_id
        ) e ON e.account_id = a.id
        WHERE a.posted <> coalesce(e.posted, 0) OR a.pending_out <> coalesce(e.pending, 0)""",
    ),
    Check(
        "what is pending equals the open holds",
        """
        SELECT a.id FROM payments_account a
        LEFT JOIN (
            SELECT e.account_id, sum(e.pending) AS pending FROM payments_entry e
            WHERE e.pending > 0
              AND NOT EXISTS (SELECT FROM payments_ledgertransaction r WHERE r.resolves_id = e.transaction_id)
            GROUP BY e.account_id
        ) held ON held.account_id = a.id
        WHERE a.pending_out <> coalesce(held.pending, 0)""",
    ),
    Check(
        "no account is overdrawn",
        "SELECT id FROM payments_account WHERE pending_out < 0 OR (posted < pending_out AND NOT may_go_negative)",
    ),
    Check(
        "only clearing, what a company owes and what it was given may be negative",
        "SELECT id FROM payments_account WHERE may_go_negative <> (kind IN ('CLEARING', 'RECEIVABLE', 'ADJUSTMENT'))",
    ),
    Check(
        "a hold is resolved once",
        """
        SELECT resolves_id FROM payments_ledgertransaction WHERE resolves_id IS NOT NULL
        GROUP BY resolves_id HAVING count(*) > 1""",
    ),
    Check(
        "a hold is resolved by exactly what it reserved, and for no more",
        """
        SELECT hold FROM (
            SELECT hold, company_id, account_id, sum(reserved) AS reserved, sum(released) AS released,
                   sum(amount) AS amount
            FROM (
                SELECT t.resolves_id AS hold, t.company_id, e.account_id, 0 AS reserved, e.pending AS released, e.amount
                FROM payments_ledgertransaction t JOIN payments_entry e ON e.transaction_id = t.id
                WHERE t.resolves_id IS NOT NULL
                UNION ALL
                SELECT h.id, h.company_id, e.account_id, e.pending, 0, 0
                FROM payments_ledgertransaction t
                JOIN payments_ledgertransaction h ON h.id = t.resolves_id
                JOIN payments_entry e ON e.transaction_id = h.id
            ) sides GROUP BY hold, company_id, account_id
        ) matched
        GROUP BY hold
        HAVING bool_or(reserved + released <> 0) OR bool_and(released = 0)
            OR bool_or(released < 0 AND amount < released)""",
    ),
    Check(
        "only a resolution releases",
        """
        SELECT t.id FROM payments_entry e JOIN payments_ledgertransaction t ON t.id = e.transaction_id
        WHERE e.pending < 0 AND t.resolves_id IS NULL OR e.pending > 0 AND t.resolves_id IS NOT NULL""",
    ),
    Check(
        "an entry has a transaction and an account, of one company",
        """
        SELECT e.id FROM payments_entry e
        LEFT JOIN payments_ledgertransaction t ON t.id = e.transaction_id
        LEFT JOIN payments_account a ON a.id = e.account_id
        WHERE a.company_id IS DISTINCT FROM t.company_id OR t.id IS NULL""",
    ),
]

CHARGES = [
    Check(
        "a Pix that was received is in the ledger with its value and fee, and the reverse",
        """
        SELECT coalesce(p.end_to_end_id, t.correlation_id) FROM payments_receivedpix p
        FULL JOIN (SELECT * FROM payments_ledgertransaction WHERE kind = 'pix_in') t
            ON t.company_id = p.company_id AND t.correlation_id = p.end_to_end_id
        LEFT JOIN (
            SELECT e.transaction_id, sum(e.amount) FILTER (WHERE a.kind = 'CLEARING') AS clearing,
                   sum(e.amount) FILTER (WHERE a.kind = 'FEES') AS fees,
                   sum(e.amount) FILTER (WHERE a.kind = 'MERCHANT') AS merchant
            FROM payments_entry e JOIN payments_account a ON a.id = e.account_id GROUP BY e.transaction_id
        ) e ON e.transaction_id = t.id
        WHERE p.id IS NULL OR t.id IS NULL OR e.clearing IS DISTINCT FROM -p.value
            OR coalesce(e.fees, 0) <> p.fee
            OR coalesce(e.merchant, 0) <> CASE WHEN p.outcome IN ('SETTLED', 'LOOSE') THEN p.value - p.fee ELSE 0 END""",
    ),
    Check(
        "a charge is completed by exactly one Pix",
        """
        SELECT c.id FROM payments_charge c
        LEFT JOIN payments_receivedpix p ON p.charge_id = c.id AND p.outcome = 'SETTLED'
        GROUP BY c.id HAVING count(p.id) <> CASE WHEN c.status = 'COMPLETED' THEN 1 ELSE 0 END""",
    ),
    Check(
        "a completed charge has its Pix's value and time, and its fee",
        """
        SELECT c.id FROM payments_charge c
        JOIN payments_receivedpix p ON p.charge_id = c.id AND p.outcome = 'SETTLED'
        WHERE (coalesce(c.paid_value, c.value), least(c.fee, p.value), c.paid_at, c.company_id)
            IS DISTINCT FROM (p.value, p.fee, p.paid_at, p.company_id)
            OR (c.paid_value IS NULL) <> (c.type = 'DYNAMIC')""",
    ),
    Check(
        "a refund holds its value, and its hold ended as it did",
        """
        SELECT r.id FROM payments_refund r
        JOIN payments_ledgertransaction h ON h.id = r.hold_id
        LEFT JOIN payments_ledgertransaction t ON t.resolves_id = h.id
        WHERE r.value <> (SELECT sum(pending) FROM payments_entry WHERE transaction_id = h.id)
           OR r.company_id <> h.company_id
           OR t.kind IS DISTINCT FROM
              CASE WHEN r.status = 'IN_PROCESSING' THEN NULL
                   WHEN (r.status = 'CONFIRMED') = (r.correction_id IS NULL) THEN 'refund' ELSE 'refund_void' END""",
    ),
    Check(
        "a refund that is confirmed, ours or the bank's, has left the bank once, and no other has",
        """
        SELECT r.id FROM payments_refund r LEFT JOIN (
            SELECT moved.refund, sum(e.amount) AS value
            FROM (
                SELECT r.id AS refund, t.id AS transaction, r.company_id
                FROM payments_refund r JOIN payments_ledgertransaction t ON t.resolves_id = r.hold_id
                UNION ALL SELECT id, debit_id, company_id FROM payments_refund WHERE debit_id IS NOT NULL
                UNION ALL SELECT id, correction_id, company_id FROM payments_refund WHERE correction_id IS NOT NULL
            ) moved
            JOIN payments_entry e ON e.transaction_id = moved.transaction
            JOIN payments_account a ON a.id = e.account_id
            WHERE a.kind = 'CLEARING' AND a.company_id = moved.company_id GROUP BY moved.refund
        ) out ON out.refund = r.id
        WHERE coalesce(out.value, 0) <> CASE r.status WHEN 'CONFIRMED' THEN r.value ELSE 0 END""",
    ),
    Check(
        "no more of a Pix goes back by us than came in",
        """
        SELECT p.end_to_end_id FROM payments_receivedpix p JOIN payments_refund r ON r.received_id = p.id
        WHERE r.status <> 'REJECTED' AND NOT r.by_bank
        GROUP BY p.id, p.end_to_end_id, p.value HAVING sum(r.value) > p.value""",
    ),
    Check(
        "a Pix that paid a static QR code came to that code's company by its identifier, and settled no charge",
        """
        SELECT p.end_to_end_id FROM payments_receivedpix p JOIN payments_qrcode q ON q.id = p.qr_code_id
        WHERE p.company_id <> q.company_id OR p.txid <> q.identifier OR p.charge_id IS NOT NULL""",
    ),
    Check(
        "what was booked of a return that the bank made, or to correct a refund, has its refund",
        """
        SELECT t.id FROM payments_ledgertransaction t
        LEFT JOIN payments_refund r ON t.id IN (r.debit_id, r.correction_id) AND r.company_id = t.company_id
        WHERE t.kind IN ('bank_return', 'refund_correction') AND r.id IS NULL""",
    ),
    Check(
        "a refund ended at the bank as it did here",
        "SELECT id FROM payments_refund WHERE contradicted_at IS NOT NULL",
    ),
    Check(
        "a hold for a refund has its refund",
        """
        SELECT h.id FROM payments_ledgertransaction h LEFT JOIN payments_refund r ON r.hold_id = h.id
        WHERE h.kind = 'refund_hold' AND r.id IS NULL""",
    ),
    Check(
        "a charge counts its refunds",
        """
        SELECT c.id FROM payments_charge c
        LEFT JOIN (
            SELECT charge_id, sum(value) AS value, sum(value) FILTER (WHERE by_bank) AS by_bank FROM payments_refund
            WHERE status <> 'REJECTED' AND NOT automatic GROUP BY charge_id
        ) r ON r.charge_id = c.id
        WHERE c.refunded <> coalesce(r.value, 0) OR c.returned_by_bank <> coalesce(r.by_bank, 0)""",
    ),
]

PAYMENTS = [
    Check(
        # Periods that are long over decide nothing any more. Processes from before the migration that counts what there is
        # (`transfer_periods`) approved uncounted for a while beside newer ones, so a period of then may count too little.
        "a period of the day counts what was approved in it and has not failed",
        """
        SELECT p.id FROM payments_transferperiod p
        LEFT JOIN (
            SELECT company_id, sum(value) AS value, (date_trunc('day', at) + CASE WHEN at::time < '14:00'
                THEN interval '6 hours' ELSE interval '20 hours' END) AT TIME ZONE 'America/Sao_Paulo' AS starts_at
            FROM (
                SELECT company_id, value, approved_at AT TIME ZONE 'America/Sao_Paulo' - interval '6 hours' AS at
                FROM payments_payment
                WHERE approved_at > now() - interval '2 days'
                  AND (status = 'CONFIRMED' OR batch_id IS NULL AND status IN ('APPROVED', 'PROCESSING'))
                UNION ALL
                SELECT company_id, reserved, round_began_at AT TIME ZONE 'America/Sao_Paulo' - interval '6 hours'
                FROM payments_payoutbatch WHERE reserved > 0
                UNION ALL
                SELECT t.company_id, -e.amount, t.created_at AT TIME ZONE 'America/Sao_Paulo' - interval '6 hours'
                FROM payments_ledgertransaction t JOIN payments_entry e ON e.transaction_id = t.id AND e.amount < 0
                WHERE t.kind = 'transfer' AND t.created_at > now() - interval '2 days'
            ) sent GROUP BY company_id, starts_at
        ) sent USING (company_id, starts_at)
        WHERE p.starts_at > now() - interval '2 days' AND p.used <> coalesce(sent.value, 0)
          AND NOT (p.used < sent.value AND EXISTS (
              SELECT FROM django_migrations counted JOIN payments_company c ON c.id = p.company_id
              WHERE counted.app = 'payments' AND counted.name LIKE '%_transfer_periods'
                AND c.created_at < counted.applied AND p.starts_at < counted.applied + interval '1 hour'))""",
    ),
    Check(
        "a payment that was approved holds its value, and its hold ended as it did",
        """
        SELECT p.id FROM payments_payment p
        LEFT JOIN payments_ledgertransaction h ON h.id = p.hold_id
        LEFT JOIN payments_ledgertransaction t ON t.resolves_id = h.id
        WHERE (p.hold_id IS NULL) <> (p.batch_id IS NOT NULL OR p.status IN ('CREATED', 'DENIED', 'REMOVED'))
           OR (p.hold_id IS NOT NULL AND (
               h.id IS NULL OR h.company_id <> p.company_id
               OR p.value <> (SELECT sum(pending) FROM payments_entry WHERE transaction_id = h.id)
               OR t.kind IS DISTINCT FROM
                  CASE WHEN p.status NOT IN ('CONFIRMED', 'FAILED') THEN NULL
                       WHEN (p.status = 'CONFIRMED') = (p.correction_id IS NULL) THEN 'payment' ELSE 'payment_void' END))""",
    ),
    Check(
        "a payment that is confirmed has left the bank once, and no other has",
        """
        SELECT coalesce(p.id::text, t.correlation_id) FROM payments_payment p
        FULL JOIN (
            SELECT t.company_id, t.correlation_id, sum(e.amount) FILTER (WHERE a.kind = 'CLEARING') AS value
            FROM payments_ledgertransaction t JOIN payments_entry e ON e.transaction_id = t.id
            JOIN payments_account a ON a.id = e.account_id
            WHERE t.kind IN ('payment', 'payment_correction') GROUP BY t.company_id, t.correlation_id
        ) t ON t.company_id = p.company_id AND t.correlation_id = p.public_id
        WHERE p.id IS NULL OR coalesce(t.value, 0) <> CASE p.status WHEN 'CONFIRMED' THEN p.value ELSE 0 END""",
    ),
    Check(
        "a hold for a payment has its payment",
        """
        SELECT h.id FROM payments_ledgertransaction h LEFT JOIN payments_payment p ON p.hold_id = h.id
        WHERE h.kind = 'payment_hold' AND p.id IS NULL""",
    ),
    Check(
        "a payment ended at the bank as it did here",
        "SELECT id FROM payments_payment WHERE contradicted_at IS NOT NULL",
    ),
    Check(
        "a row of a batch is paid at most once",
        """
        SELECT batch_id || ', line ' || line FROM payments_payment
        WHERE batch_id IS NOT NULL AND status = 'CONFIRMED' GROUP BY batch_id, line HAVING count(*) > 1""",
    ),
    Check(
        "a batch counts its rows that have ended, and reserves what the others need",
        """
        SELECT b.id FROM payments_payoutbatch b
        LEFT JOIN (
            SELECT batch_id, count(*) FILTER (WHERE p.status = 'CONFIRMED') AS confirmed,
                   count(*) FILTER (WHERE p.status = 'FAILED' AND p.round = b.round) AS failed,
                   sum(p.value) FILTER (WHERE p.status = 'CONFIRMED') AS paid,
                   coalesce(sum(p.value) FILTER (WHERE p.status = 'FAILED' AND p.round = b.round), 0) AS given_up,
                   coalesce(sum(p.value) FILTER (WHERE p.status IN ('PROCESSING', 'QUARANTINED')), 0) AS open
            FROM payments_payment p JOIN payments_payoutbatch b ON b.id = p.batch_id GROUP BY batch_id
        ) p ON p.batch_id = b.id
        WHERE (b.confirmed, b.failed) IS DISTINCT FROM (coalesce(p.confirmed, 0), coalesce(p.failed, 0))
           OR (b.status IN ('RUNNING', 'PAUSED')
               AND b.reserved <> b.total - coalesce(p.paid, 0) - coalesce(p.given_up, 0))
           OR (b.status IN ('DONE', 'PARTIAL') AND b.reserved <> coalesce(p.open, 0))
           OR (b.status IN ('DRAFT', 'VALIDATED', 'AWAITING_APPROVAL') AND b.reserved <> 0)
           OR (b.status = 'DONE' AND (b.confirmed, p.paid) IS DISTINCT FROM (b.rows, b.total))""",
    ),
    Check(
        "a batch's hold is open, and of what it reserves",
        """
        SELECT coalesce(b.id, h.id) FROM payments_payoutbatch b
        FULL JOIN (
            SELECT h.id, h.company_id, (SELECT sum(pending) FROM payments_entry WHERE transaction_id = h.id) AS value
            FROM payments_ledgertransaction h WHERE h.kind = 'payout_hold'
              AND NOT EXISTS (SELECT FROM payments_ledgertransaction r WHERE r.resolves_id = h.id)
        ) h ON h.id = b.hold_id
        WHERE (b.hold_id IS NOT NULL OR h.id IS NOT NULL) AND (b.id IS NULL OR h.id IS NULL
           OR b.reserved <> h.value OR b.company_id <> h.company_id)""",
    ),
]

BY_HAND = [
    Check(
        "an adjustment is what two operators decided, once, and the reverse",
        """
        SELECT coalesce(t.id::text, p.public_id) FROM (
            SELECT t.id, t.company_id, substr(t.correlation_id, 10) AS proposal, sum(e.amount) AS value, count(*) AS lines,
                   bool_or(a.kind NOT IN ('MERCHANT', 'ADJUSTMENT')) AS others
            FROM payments_ledgertransaction t
            JOIN payments_entry e ON e.transaction_id = t.id JOIN payments_account a ON a.id = e.account_id
            WHERE t.kind = 'adjustment' GROUP BY t.id
        ) t
        FULL JOIN (SELECT * FROM payments_proposal WHERE act = 'adjust' AND status <> 'PROPOSED') p
            ON p.public_id = t.proposal AND p.company_id = t.company_id
        WHERE CASE WHEN t.id IS NULL THEN p.status = 'DONE' ELSE
            p.id IS NULL OR p.status IN ('REFUSED', 'WITHDRAWN') OR t.others OR t.lines <> 2 OR p.decider_id = p.proposer_id
            OR (SELECT sum(e.amount) FROM payments_entry e JOIN payments_account a ON a.id = e.account_id
                WHERE e.transaction_id = t.id AND a.kind = 'MERCHANT') IS DISTINCT FROM (p.after ->> 'value')::bigint END""",
    ),
    Check(
        "a Pix that was given to its merchant out of suspense came in, and did not go back by us as well",
        """
        SELECT t.id FROM payments_ledgertransaction t
        JOIN payments_entry e ON e.transaction_id = t.id AND e.amount > 0
        LEFT JOIN payments_receivedpix p ON p.end_to_end_id = t.correlation_id AND p.company_id = t.company_id
        LEFT JOIN payments_refund r ON r.received_id = p.id AND r.status <> 'REJECTED' AND NOT r.by_bank
        WHERE t.kind = 'suspense_credit'
        GROUP BY t.id, p.id, p.value, p.outcome
        HAVING p.id IS NULL OR p.outcome IN ('SETTLED', 'LOOSE') OR min(e.amount) + coalesce(sum(r.value), 0) > p.value""",
    ),
]

SUBACCOUNTS = [
    Check(
        "a sub-account has a ledger account of its own, of its company, and the reverse",
        """
        SELECT coalesce(s.id, a.id) FROM payments_subaccount s
        FULL JOIN (SELECT * FROM payments_account WHERE kind = 'SUBACCOUNT') a ON a.id = s.account_id
        WHERE s.id IS NULL OR a.id IS NULL OR s.company_id <> a.company_id OR a.is_default OR a.may_go_negative""",
    ),
    Check(
        "what is set aside is the company's own: moved between its account and its sub-accounts, in both directions",
        """
        SELECT t.id FROM payments_ledgertransaction t
        LEFT JOIN (
            SELECT e.transaction_id, count(*) AS lines, count(*) FILTER (WHERE a.kind = 'SUBACCOUNT') AS aside,
                   sum(e.amount) FILTER (WHERE a.kind = 'SUBACCOUNT') AS moved,
                   bool_or(a.kind NOT IN ('SUBACCOUNT', 'MERCHANT') OR e.pending <> 0) AS others
            FROM payments_entry e JOIN payments_account a ON a.id = e.account_id GROUP BY e.transaction_id
        ) e ON e.transaction_id = t.id
        WHERE t.kind IN ('subaccount_credit', 'subaccount_debit', 'subaccount_transfer') AND (
            e.lines IS DISTINCT FROM 2 OR e.others
            OR e.aside <> CASE t.kind WHEN 'subaccount_transfer' THEN 2 ELSE 1 END
            OR sign(e.moved) <> CASE t.kind WHEN 'subaccount_credit' THEN 1 WHEN 'subaccount_debit' THEN -1 ELSE 0 END)""",
    ),
    Check(
        "a sub-account's money moves by what is known to move it, and by nothing else",
        """
        SELECT e.id FROM payments_entry e JOIN payments_account a ON a.id = e.account_id
        JOIN payments_ledgertransaction t ON t.id = e.transaction_id
        WHERE a.kind = 'SUBACCOUNT' AND t.kind NOT IN (
            'split_subaccount', 'subaccount_credit', 'subaccount_debit', 'subaccount_transfer', 'payment_hold', 'payment', 'payment_void', 'payment_correction')""",
    ),
    Check(
        "a payment is paid by the account that it names, or by the company's default account",
        """
        SELECT p.id FROM payments_payment p JOIN payments_entry e ON e.transaction_id = p.hold_id
        JOIN payments_account a ON a.id = e.account_id
        WHERE a.company_id <> p.company_id OR CASE WHEN p.source_id IS NULL
              THEN a.kind <> 'MERCHANT' OR NOT a.is_default ELSE a.id <> p.source_id END""",
    ),
]

SPLITS = [
    Check(
        "a paid charge's splits are booked once, as far as the Pix goes, and no others are",
        """
        SELECT coalesce(p.end_to_end_id, t.end_to_end_id) FROM (
            SELECT p.company_id, p.end_to_end_id, CASE WHEN bool_or((split ->> 'whole')::boolean)
                   THEN p.value - p.fee ELSE least(p.value - p.fee, sum((split ->> 'value')::bigint)) END AS value
            FROM payments_receivedpix p JOIN payments_charge c ON c.id = p.charge_id AND p.outcome = 'SETTLED'
            CROSS JOIN jsonb_array_elements(c.splits) AS split GROUP BY p.id
        ) p
        FULL JOIN (
            SELECT t.company_id, split_part(t.correlation_id, '/', 1) AS end_to_end_id, -sum(e.amount) AS value
            FROM payments_ledgertransaction t JOIN payments_entry e ON e.transaction_id = t.id
            JOIN payments_account a ON a.id = e.account_id AND a.kind = 'MERCHANT'
            WHERE t.kind IN ('split_subaccount', 'split_transfer', 'split_partner') GROUP BY 1, 2
        ) t ON t.company_id = p.company_id AND t.end_to_end_id = p.end_to_end_id
        WHERE p.value IS DISTINCT FROM t.value AND coalesce(p.value, t.value) <> 0""",
    ),
    Check(
        "a split goes to the account that the charge names",
        """
        SELECT t.id FROM payments_ledgertransaction t
        LEFT JOIN payments_receivedpix p ON p.end_to_end_id = split_part(t.correlation_id, '/', 1)
        LEFT JOIN payments_charge c ON c.id = p.charge_id
        LEFT JOIN payments_entry e ON e.transaction_id = t.id AND e.amount > 0
        WHERE t.kind IN ('split_subaccount', 'split_transfer_in', 'split_partner_in')
          AND (c.splits -> split_part(t.correlation_id, '/', 2)::int ->> 'account')::bigint IS DISTINCT FROM e.account_id""",
    ),
    Check(
        "what one company gives another arrives there",
        """
        SELECT replace(t.kind, '_in', '') FROM payments_ledgertransaction t
        JOIN payments_entry e ON e.transaction_id = t.id JOIN payments_account a ON a.id = e.account_id
        WHERE a.kind = 'CLEARING' AND t.kind IN (
            'split_transfer', 'split_transfer_in', 'split_partner', 'split_partner_in', 'transfer', 'transfer_in')
        GROUP BY 1 HAVING sum(e.amount) <> 0""",
    ),
]

ALL = [*LEDGER, *CHARGES, *PAYMENTS, *BY_HAND, *SUBACCOUNTS, *SPLITS]
