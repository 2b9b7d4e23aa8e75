-- The one way to post: any number of instructions in one call, all or nothing. Called by payments/services/ledger.
--
-- Three tables come as arrays: instructions, their lines, their events. Lines and events name their instruction by its
-- position, from 1.
-- Returns the transactions' ids in order, and which of them were there before (null where none was).
--
-- Deadlock-free: accounts are locked in id order before anything is written, keys are then inserted in key order, and
-- two resolutions of one hold meet at its account's lock. FOR NO KEY UPDATE lets foreign keys to accounts be checked.
--
-- Plans are made once a session, from whatever call comes first. Without the settings a first call of 5,000 would leave
-- single postings with a scan of all accounts; a nested loop over indexes is right for both. Planning the statements
-- anew for each call's arrays, which the server would choose, costs as much as running them.
CREATE FUNCTION ledger_post(
    companies bigint[], kinds text[], correlation_ids text[], hashes bytea[], resolved bigint[],
    positions int[], line_numbers smallint[], account_ids bigint[], amounts bigint[], pendings bigint[],
    event_positions int[], topics text[], payloads jsonb[],
    OUT ids bigint[], OUT replayed boolean[]
) LANGUAGE plpgsql
SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    inserted int;
    other text;
BEGIN
    PERFORM FROM payments_account WHERE id = ANY (account_ids) ORDER BY id FOR NO KEY UPDATE;

    FOR position IN 1 .. cardinality(companies) LOOP
        ids[position] := nextval('payments_ledgertransaction_id_seq');
    END LOOP;
    INSERT INTO payments_ledgertransaction
        (id, company_id, kind, correlation_id, request_hash, resolves_id, created_at)
    SELECT p.id, p.company_id, p.kind, p.correlation_id, p.request_hash, p.resolves_id, now()
    FROM (
        SELECT unnest(ids) AS id, unnest(companies) AS company_id, unnest(kinds) AS kind,
               unnest(correlation_ids) AS correlation_id, unnest(hashes) AS request_hash, unnest(resolved) AS resolves_id
    ) p
    ORDER BY p.company_id, p.kind, p.correlation_id, p.id
    ON CONFLICT (company_id, kind, correlation_id) DO NOTHING;
    GET DIAGNOSTICS inserted = ROW_COUNT;

    IF inserted < cardinality(companies) THEN  -- some keys were used before, or twice in this call
        SELECT array_agg(t.id ORDER BY p.position), array_agg(t.id <> p.id ORDER BY p.position),
               min(t.correlation_id) FILTER (WHERE t.request_hash <> p.request_hash)
        INTO ids, replayed, other
        FROM unnest(ids, companies, kinds, correlation_ids, hashes) WITH ORDINALITY
            AS p (id, company_id, kind, correlation_id, request_hash, position)
        CROSS JOIN LATERAL (
            SELECT id, correlation_id, request_hash FROM payments_ledgertransaction
            WHERE company_id = p.company_id AND kind = p.kind AND correlation_id = p.correlation_id OFFSET 0
        ) t;
        IF other IS NOT NULL THEN
            RAISE EXCEPTION '% was used before for another instruction', other USING ERRCODE = 'LG005';
        END IF;
    END IF;

    INSERT INTO payments_entry (transaction_id, line, account_id, amount, pending)
    SELECT ids[e.position], e.line, e.account_id, e.amount, e.pending
    FROM (
        SELECT unnest(positions) AS position, unnest(line_numbers) AS line, unnest(account_ids) AS account_id,
               unnest(amounts) AS amount, unnest(pendings) AS pending
    ) e
    WHERE replayed IS NULL OR NOT replayed[e.position];

    IF cardinality(event_positions) > 0 THEN
        INSERT INTO outbox_outboxevent (event_id, topic, tenant, payload, created_at, attempts)
        SELECT gen_random_uuid(), e.topic, companies[e.position], e.payload, now(), 0
        FROM (SELECT unnest(event_positions) AS position, unnest(topics) AS topic, unnest(payloads) AS payload) e
        WHERE replayed IS NULL OR NOT replayed[e.position];
    END IF;
END $$;
