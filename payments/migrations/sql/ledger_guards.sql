-- What the ledger promises, kept by the database itself. docs/ledger.md explains, docs/decisions/0002-ledger.md argues.
-- Every refusal here has an SQLSTATE of class LG; payments/services/ledger turns it into an exception.

-- Append-only: facts are corrected by new facts. Statement triggers cost nothing a row.
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: the ledger is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'LG001';
END $$;

CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments_ledgertransaction
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_account_stays BEFORE DELETE OR TRUNCATE ON payments_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- Balances move in the entries' trigger only (there the depth is 1). For each row, because a statement trigger runs once for all
-- updates of a table in one WITH, by the columns of the last; without a look at the row, which cost a posting as much as the
-- update itself.
CREATE TRIGGER ledger_balance_guard AFTER UPDATE OF posted, pending_out ON payments_account
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_change();

-- An account never changes hands. AFTER, because a BEFORE row trigger would lock each row of a posting once more.
CREATE TRIGGER ledger_account_keeps AFTER UPDATE OF id, company_id, kind ON payments_account
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.company_id <> NEW.company_id OR OLD.kind <> NEW.kind)
    EXECUTE FUNCTION ledger_refuse_change();

CREATE FUNCTION ledger_refuse_opening_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an account opens with a balance of zero' USING ERRCODE = 'LG001';
END $$;

CREATE TRIGGER ledger_opening_balance AFTER INSERT ON payments_account
    FOR EACH ROW WHEN (NEW.posted <> 0 OR NEW.pending_out <> 0) EXECUTE FUNCTION ledger_refuse_opening_balance();

-- Runs once for each INSERT of entries, over all its rows: a foreign key or a deferred trigger would run once a row.
--
-- LATERAL with OFFSET 0, here and below, is a look-up by key for each row, and nothing else. A plain join that a session
-- planned while the tables held a row or two reads a whole index for each row, and a large posting takes minutes.
CREATE FUNCTION ledger_apply_entries() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    wrong bigint;
    owned boolean;
    holds boolean;
BEGIN
    -- A transaction is written whole and balanced: its lines are 1 to n and sum to zero. Because (transaction, line) is
    -- unique, no later statement can add to it. A line whose account is not of its transaction's company is an orphan or
    -- another tenant's.
    SELECT min(transaction_id) FILTER (WHERE NOT is_whole), bool_and(is_owned), bool_or(has_holds)
    INTO wrong, owned, holds
    FROM (
        SELECT f.transaction_id,
               sum(f.amount) = 0 AND min(f.line) = 1 AND max(f.line) = count(*) AS is_whole,
               count(a.id) = count(*) AS is_owned,
               bool_or(f.pending <> 0 OR t.resolves_id IS NOT NULL) AS has_holds
        FROM fresh f
        LEFT JOIN LATERAL (
            SELECT company_id, resolves_id FROM payments_ledgertransaction WHERE id = f.transaction_id OFFSET 0
        ) t ON true
        LEFT JOIN LATERAL (
            SELECT id FROM payments_account WHERE id = f.account_id AND company_id = t.company_id OFFSET 0
        ) a ON true
        GROUP BY f.transaction_id
    ) written;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'the entries of transaction % are not whole or do not sum to zero', wrong
            USING ERRCODE = 'LG002';
    END IF;
    IF NOT owned THEN
        RAISE EXCEPTION 'an entry names a transaction or an account that its company does not have'
            USING ERRCODE = 'LG003';
    END IF;

    WITH totals AS (SELECT account_id, sum(amount) AS amount, sum(pending) AS pending FROM fresh GROUP BY account_id)
    UPDATE payments_account a SET posted = a.posted + t.amount, pending_out = a.pending_out + t.pending
    FROM totals t WHERE a.id = t.account_id;
    IF holds THEN
        PERFORM ledger_check_holds(array_agg(DISTINCT transaction_id)) FROM fresh;
    END IF;
    RETURN NULL;
END $$;

-- Two-phase rules, for the transactions just written. Only a resolution lowers what is pending: by exactly what its
-- hold reserved, on the same accounts of the same company, and it takes no more than that out of them.
CREATE FUNCTION ledger_check_holds(written bigint[]) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT t.id INTO wrong FROM payments_ledgertransaction t
    CROSS JOIN LATERAL (SELECT pending FROM payments_entry WHERE transaction_id = t.id OFFSET 0) e
    WHERE t.id = ANY (written) AND (t.resolves_id IS NULL) <> (e.pending >= 0) AND e.pending <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % reserves while it resolves, or releases without a hold', wrong
            USING ERRCODE = 'LG004';
    END IF;

    WITH sides AS (
        SELECT t.resolves_id AS hold, t.company_id, e.account_id, e.pending AS released, e.amount, 0 AS reserved
        FROM payments_ledgertransaction t
        CROSS JOIN LATERAL (SELECT account_id, amount, pending FROM payments_entry WHERE transaction_id = t.id OFFSET 0) e
        WHERE t.id = ANY (written) AND t.resolves_id IS NOT NULL
        UNION ALL
        SELECT h.id, h.company_id, e.account_id, 0, 0, e.pending
        FROM payments_ledgertransaction t
        CROSS JOIN LATERAL (SELECT id, company_id FROM payments_ledgertransaction WHERE id = t.resolves_id OFFSET 0) h
        CROSS JOIN LATERAL (SELECT account_id, pending FROM payments_entry WHERE transaction_id = h.id OFFSET 0) e
        WHERE t.id = ANY (written)
    ), matched AS (
        SELECT hold, sum(released) AS released, sum(reserved) AS reserved, sum(amount) AS amount
        FROM sides GROUP BY hold, company_id, account_id
    )
    SELECT hold INTO wrong FROM matched GROUP BY hold
    HAVING bool_or(released + reserved <> 0) OR bool_and(released = 0) OR bool_or(released < 0 AND amount < released)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'hold % is not resolved by exactly what it reserved', wrong USING ERRCODE = 'LG004';
    END IF;
END $$;

CREATE TRIGGER ledger_apply_entries AFTER INSERT ON payments_entry
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_apply_entries();
