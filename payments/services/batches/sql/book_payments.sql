-- Events of payments that have ended, as contract.event writes them, and the ledger's postings of the confirmed ones,
-- by the ledger's own function. Their hold is the batch's, which was lowered before. The hash is that of
-- payments/services/ledger/packing.py.
WITH ended AS (
    SELECT p.*, jsonb_build_object(
        'event', 'OPENPIX:MOVEMENT_' || status,
        'payment', jsonb_build_object(
            'type', type, 'value', value, 'status', status, 'correlationID', correlation_id, 'comment', comment,
            'destinationAlias', pix_key,
            'destinationAliasType', CASE
                WHEN pix_key LIKE '%@%' THEN 'EMAIL' WHEN pix_key LIKE '+%' THEN 'PHONE'
                WHEN length(pix_key) = 36 THEN 'RANDOM' WHEN length(pix_key) = 11 THEN 'CPF' ELSE 'CNPJ' END
        ),
        'transaction', jsonb_build_object(
            'value', value, 'endToEndId', end_to_end_id,
            'time', to_char(date_trunc('milliseconds', resolved_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'debitParty', $5::jsonb
        ) || CASE WHEN reason ~ '^[A-Z]{2}[0-9A-Z]{2} - '
             THEN jsonb_build_object('providerErrorCode', left(reason, 4), 'providerRejectedReason', reason) ELSE '{}' END
    ) || CASE WHEN error_code <> ''
         THEN jsonb_build_object('error', jsonb_build_object('code', error_code, 'description', reason)) ELSE '{}' END
      || $4::jsonb AS body
    FROM payments_payment p WHERE id = ANY ($1::bigint[])
), failed AS (
    INSERT INTO outbox_outboxevent (event_id, topic, tenant, payload, created_at, attempts)
    SELECT gen_random_uuid(), body->>'event', company_id, body, now(), 0 FROM ended WHERE status = 'FAILED' ORDER BY id
), paid AS (
    SELECT *, row_number() OVER (ORDER BY id) AS n FROM ended WHERE status = 'CONFIRMED'
), lines AS (
    SELECT n, l.* FROM paid,
        LATERAL (VALUES (1, $2::bigint, -value), (2, $3::bigint, value)) AS l (side, target, amount)
), listed AS (
    SELECT array_agg(n ORDER BY n, side) AS positions, array_agg(side ORDER BY n, side) AS sides,
        array_agg(target ORDER BY n, side) AS accounts, array_agg(amount ORDER BY n, side) AS amounts,
        array_agg(0::bigint) AS pendings
    FROM lines
)
SELECT ledger_post(
    array_agg(company_id ORDER BY n), array_agg('payment'::text ORDER BY n), array_agg(public_id::text ORDER BY n),
    array_agg(sha256(convert_to(
        CASE WHEN $2::bigint < $3::bigint
        THEN format('(None, [(%s, %s, 0), (%s, %s, 0)])', $2::bigint, -value, $3::bigint, value)
        ELSE format('(None, [(%s, %s, 0), (%s, %s, 0)])', $3::bigint, value, $2::bigint, -value) END, 'UTF8'))
        ORDER BY n),
    array_agg(NULL::bigint), (SELECT positions::int[] FROM listed), (SELECT sides::smallint[] FROM listed),
    (SELECT accounts FROM listed), (SELECT amounts FROM listed), (SELECT pendings FROM listed),
    array_agg(n::int ORDER BY n), array_agg(body->>'event' ORDER BY n), array_agg(body ORDER BY n)
) FROM paid HAVING count(*) > 0
