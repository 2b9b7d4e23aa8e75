-- The floor: any number of transfers in one set-based statement. Accounts are locked in id order, as every correct one must.
WITH asked AS MATERIALIZED (
    SELECT nextval('bare.ledgertransaction_id_seq') AS id, *
    FROM unnest(%s::text[], %s::bytea[], %s::bigint[], %s::bigint[], %s::bigint[])
        AS a (correlation_id, request_hash, source, target, value)
), lines AS MATERIALIZED (
    SELECT id, 1 AS line, source AS account_id, -value AS amount FROM asked
    UNION ALL
    SELECT id, 2, target, value FROM asked
), totals AS MATERIALIZED (
    SELECT account_id, sum(amount) AS amount FROM lines GROUP BY account_id
), locked AS MATERIALIZED (
    SELECT id FROM bare.account WHERE id = ANY (ARRAY(SELECT account_id FROM totals)) ORDER BY id FOR NO KEY UPDATE
), transactions AS (
    INSERT INTO bare.ledgertransaction (id, company_id, kind, correlation_id, request_hash, created_at)
    SELECT id, 1, 'transfer', correlation_id, request_hash, now() FROM asked
), entries AS (
    INSERT INTO bare.entry (transaction_id, line, account_id, amount, pending)
    SELECT id, line, account_id, amount, 0 FROM lines
), events AS (
    INSERT INTO bare.event (event_id, topic, tenant, payload, created_at, attempts)
    SELECT gen_random_uuid(), 'transfer', '1', payload, now(), 0 FROM jsonb_array_elements(%s::jsonb) AS payload
)
UPDATE bare.account a SET posted = a.posted + t.amount
FROM totals t JOIN locked l ON l.id = t.account_id WHERE a.id = t.account_id
