-- Payments of a batch's rows: inserted if $17 says so, or changed where they were open. A payment that has ended is not
-- touched, and not returned.
INSERT INTO payments_payment (
    public_id, line, correlation_id, value, pix_key, comment, status, end_to_end_id, error_code, reason,
    company_id, batch_id, round, approved_at, created_at, asked_at, sent_at, resolved_at, unknown_since,
    type, qr_code, lock_fence
)
SELECT r.public_id, r.line, r.reference, r.value, r.pix_key, r.comment, r.status, r.end_to_end_id, r.error_code, r.reason,
    b.company_id, b.id, b.round, b.approved_at, b.now, b.now,
    CASE WHEN r.status NOT IN ('CONFIRMED', 'FAILED') THEN b.now END,
    CASE WHEN r.status IN ('CONFIRMED', 'FAILED') THEN b.now END, CASE WHEN r.is_unknown THEN b.now END,
    'PIX_KEY', '', 0
FROM unnest(
    $1::text[], $2::int[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::boolean[]
) AS r (public_id, line, reference, value, pix_key, comment, status, end_to_end_id, error_code, reason, is_unknown),
(SELECT $12::bigint, $13::bigint, $14::smallint, $15::timestamptz, $16::timestamptz) AS b (company_id, id, round, approved_at, now)
WHERE $17::boolean OR EXISTS (
    SELECT FROM payments_payment p WHERE p.batch_id = b.id AND p.line = r.line AND p.round = b.round
)
ON CONFLICT (batch_id, line, round) WHERE batch_id IS NOT NULL DO UPDATE SET
    status = excluded.status, error_code = excluded.error_code, reason = excluded.reason, asked_at = excluded.asked_at,
    resolved_at = excluded.resolved_at, unknown_since = excluded.unknown_since,
    end_to_end_id = coalesce(nullif(excluded.end_to_end_id, ''), payments_payment.end_to_end_id)
WHERE payments_payment.status IN ('PROCESSING', 'QUARANTINED')
RETURNING id, status, value
