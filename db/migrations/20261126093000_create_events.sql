-- migrate:up

CREATE SEQUENCE events_number;
COMMENT ON SEQUENCE events_number IS
    'The order of events in one transaction: the second half of events.id.';

CREATE SEQUENCE events_offset MINVALUE 0 START 0;
COMMENT ON SEQUENCE events_offset IS
    'What is added to a transaction''s number in events.id: 0, until rows that another server numbered were restored here (docs/EVENTS.md).';

-- PL/pgSQL, which keeps its plans: an SQL function would be planned for each event.
CREATE FUNCTION new_event_id() RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN lpad(to_hex(pg_current_xact_id()::text::bigint
                       + (SELECT last_value FROM public.events_offset)), 16, '0')
        || lpad(to_hex(nextval('public.events_number')), 16, '0');
END
$$;
COMMENT ON FUNCTION new_event_id() IS
    'The number of the transaction, then that of the event: ids are ordered as transactions began to write.';

CREATE FUNCTION events_horizon() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN lpad(to_hex(pg_snapshot_xmin(pg_current_snapshot())::text::bigint
                       + (SELECT last_value FROM public.events_offset)), 16, '0')
        || '0000000000000000';
END
$$;
COMMENT ON FUNCTION events_horizon() IS
    'Every event with a lesser id is there for good, and none will come: the transactions that could write one have ended. SECURITY DEFINER, to read events_offset.';

CREATE TABLE events (
    id uuid NOT NULL DEFAULT new_event_id(),
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    type text NOT NULL,
    user_id uuid,
    session_id uuid,
    account_id uuid,
    changed text[],
    before jsonb,
    after jsonb,
    actor_id uuid,
    impersonator_id uuid,
    key_name text,
    ip_address text,
    request_id text,
    role text NOT NULL DEFAULT session_user,
    CONSTRAINT events_pkey PRIMARY KEY (id),
    CONSTRAINT events_times_finite CHECK (isfinite(created_at))
);

CREATE INDEX events_created_at_id_idx ON events (created_at, id);
CREATE INDEX events_user_id_id_idx ON events (user_id, id);

COMMENT ON TABLE events IS
    'What happened to users, sessions and accounts, whoever did it. Written by the triggers of these tables and nobody else; deleted by purge_events(). Without any secret.';
COMMENT ON COLUMN events.id IS
    'Primary key, and the cursor to read by. A reader who asks for id > the last seen and id < events_horizon(), ordered by id, misses none and sees none twice; the REST API adds the second condition itself.';
COMMENT ON COLUMN events.created_at IS
    'When it was written, UTC, in milliseconds.';
COMMENT ON COLUMN events.type IS
    'user, session or account, a dot, and created, updated, deleted (of a session: ended) or truncated; account.password_changed. A session that expires ends without an event.';
COMMENT ON COLUMN events.user_id IS
    'Whom it is about. No foreign key: the record of a user outlives the user.';
COMMENT ON COLUMN events.session_id IS
    'The session it is about, or null.';
COMMENT ON COLUMN events.account_id IS
    'The row of accounts it is about, or null.';
COMMENT ON COLUMN events.changed IS
    'Of an update the columns that have another value now, also those whose values are not shown; otherwise null.';
COMMENT ON COLUMN events.before IS
    'What the row had before, of the columns that are shown; of an update of those that changed. Null for a new row.';
COMMENT ON COLUMN events.after IS
    'What the row has now, likewise. Null for a row that is gone.';
COMMENT ON COLUMN events.actor_id IS
    'The user who did it, as the service hands it over; null: nobody was signed in, or it was no request of a user.';
COMMENT ON COLUMN events.impersonator_id IS
    'The administrator who acted as that user, or null.';
COMMENT ON COLUMN events.key_name IS
    'The name of the service key by which it was done, or null.';
COMMENT ON COLUMN events.ip_address IS
    'The address of the client, or null.';
COMMENT ON COLUMN events.request_id IS
    'The id of the request, by which the log has it, or null.';
COMMENT ON COLUMN events.role IS
    'The role that was logged in to the database: the service''s, or another''s.';
COMMENT ON CONSTRAINT events_pkey ON events IS
    'The order of reading; the purge deletes from its beginning.';
COMMENT ON CONSTRAINT events_times_finite ON events IS
    'infinity is no time in JSON or in most languages.';
COMMENT ON INDEX events_created_at_id_idx IS
    'Serves the events of a time, and the newest: ORDER BY created_at, id.';
COMMENT ON INDEX events_user_id_id_idx IS
    'Serves the events of one user in their order.';

-- SECURITY DEFINER: who may write a user may not therefore write the record.
CREATE FUNCTION record_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    kind constant text := TG_ARGV[0];
    shown text[] := TG_ARGV[1];
    actor constant jsonb := nullif(current_setting('gatepost.actor', true), '');
    old_row jsonb;
    new_row jsonb;
    a_row jsonb;
    differing text[];
    verb text;
BEGIN
    CASE TG_OP
        WHEN 'INSERT' THEN
            verb := 'created';
            new_row := to_jsonb(NEW);
        WHEN 'UPDATE' THEN
            old_row := to_jsonb(OLD);
            new_row := to_jsonb(NEW);
            SELECT array_agg(key ORDER BY key) INTO differing FROM jsonb_each(new_row)
            WHERE value IS DISTINCT FROM old_row -> key AND key <> ALL (TG_ARGV[2]::text[]);
            IF differing IS NULL THEN
                RETURN NULL;
            END IF;
            verb := CASE WHEN 'password' = ANY (differing) THEN 'password_changed' ELSE 'updated' END;
            SELECT array_agg(name) INTO shown FROM unnest(shown) name WHERE name = ANY (differing);
        WHEN 'DELETE' THEN
            old_row := to_jsonb(OLD);
            verb := CASE kind WHEN 'session' THEN 'ended' ELSE 'deleted' END;
        WHEN 'TRUNCATE' THEN
            verb := 'truncated';
    END CASE;
    a_row := coalesce(new_row, old_row);
    INSERT INTO public.events (type, user_id, session_id, account_id, changed, before, after,
                               actor_id, impersonator_id, key_name, ip_address, request_id)
    VALUES (kind || '.' || verb,
            (a_row ->> CASE kind WHEN 'user' THEN 'id' ELSE 'user_id' END)::uuid,
            CASE kind WHEN 'session' THEN (a_row ->> 'id')::uuid END,
            CASE kind WHEN 'account' THEN (a_row ->> 'id')::uuid END,
            differing,
            (SELECT jsonb_object_agg(key, value) FROM jsonb_each(old_row) WHERE key = ANY (shown)),
            (SELECT jsonb_object_agg(key, value) FROM jsonb_each(new_row) WHERE key = ANY (shown)),
            (actor ->> 'user')::uuid, (actor ->> 'impersonator')::uuid, left(actor ->> 'key', 63),
            left(actor ->> 'ip', 45), left(actor ->> 'request', 255));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION record_event() IS
    'Trigger: writes an event in the transaction of the change. Its arguments: what the row is; the columns whose values are shown, which none is unless it is named; the columns whose changes do not count. Who did it stands in the setting gatepost.actor of the transaction.';
-- Who may make a table of its own could put the trigger on it, and write what never happened.
REVOKE EXECUTE ON FUNCTION record_event() FROM PUBLIC;

-- The service may call it, and so may who took the service over: they delete nothing that is recent.
CREATE FUNCTION purge_events(older_than interval, at_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM public.events
    WHERE id = ANY (ARRAY(SELECT id FROM public.events ORDER BY id LIMIT at_most))
      AND created_at < now() - greatest(older_than, interval '30 days');
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION purge_events(interval, integer) IS
    'Deletes the events that are older than that, and never younger than 30 days, of the first so many; gives their number. SECURITY DEFINER: the service''s role may not delete from events.';
REVOKE EXECUTE ON FUNCTION purge_events(interval, integer) FROM PUBLIC;

-- migrate:down

-- Lost: every event.
DROP FUNCTION purge_events(interval, integer);
DROP FUNCTION record_event();
DROP TABLE events;
DROP FUNCTION events_horizon();
DROP FUNCTION new_event_id();
DROP SEQUENCE events_offset;
DROP SEQUENCE events_number;
