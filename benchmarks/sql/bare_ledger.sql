-- The floor: the ledger's tables with the same columns, checks and indexes, and no trigger, key look-up or rule.
CREATE SCHEMA bare;
CREATE TABLE bare.account (LIKE payments_account INCLUDING ALL);
CREATE TABLE bare.ledgertransaction (LIKE payments_ledgertransaction INCLUDING ALL);
CREATE TABLE bare.entry (LIKE payments_entry INCLUDING ALL);
CREATE TABLE bare.event (LIKE outbox_outboxevent INCLUDING ALL);
INSERT INTO bare.account SELECT * FROM payments_account;

-- One transfer, written as plainly as PL/pgSQL allows: what pgbench calls.
CREATE FUNCTION bare.transfer(source bigint, target bigint, value bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
BEGIN
    PERFORM FROM bare.account WHERE id IN (source, target) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO bare.ledgertransaction (company_id, kind, correlation_id, request_hash, created_at)
    VALUES (1, 'transfer', gen_random_uuid(), '\x0000000000000000000000000000000000000000000000000000000000000000', now())
    RETURNING id INTO written;
    INSERT INTO bare.entry (transaction_id, line, account_id, amount, pending)
    VALUES (written, 1, source, -value, 0), (written, 2, target, value, 0);
    UPDATE bare.account SET posted = posted - value WHERE id = source;
    UPDATE bare.account SET posted = posted + value WHERE id = target;
    INSERT INTO bare.event (event_id, topic, tenant, payload, created_at, attempts)
    VALUES (gen_random_uuid(), 'transfer', '1', '{"value": 1}', now(), 0);
END $$;
