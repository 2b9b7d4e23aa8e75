-- A Pix that came in is a fact: what it was decided to be is neither changed nor taken back.
CREATE TRIGGER received_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments_receivedpix
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
