\restrict dbmate

-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: events_horizon(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.events_horizon() RETURNS uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN lpad(to_hex(pg_snapshot_xmin(pg_current_snapshot())::text::bigint
                       + (SELECT last_value FROM public.events_offset)), 16, '0')
        || '0000000000000000';
END
$$;


--
-- Name: FUNCTION events_horizon(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.events_horizon() IS 'Every event with a lesser id is there for good, and none will come: the transactions that could write one have ended. SECURITY DEFINER, to read events_offset.';


--
-- Name: new_event_id(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.new_event_id() RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN lpad(to_hex(pg_current_xact_id()::text::bigint
                       + (SELECT last_value FROM public.events_offset)), 16, '0')
        || lpad(to_hex(nextval('public.events_number')), 16, '0');
END
$$;


--
-- Name: FUNCTION new_event_id(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.new_event_id() IS 'The number of the transaction, then that of the event: ids are ordered as transactions began to write.';


--
-- Name: purge_events(interval, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.purge_events(older_than interval, at_most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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


--
-- Name: FUNCTION purge_events(older_than interval, at_most integer); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.purge_events(older_than interval, at_most integer) IS 'Deletes the events that are older than that, and never younger than 30 days, of the first so many; gives their number. SECURITY DEFINER: the service''s role may not delete from events.';


--
-- Name: record_event(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.record_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
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


--
-- Name: FUNCTION record_event(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.record_event() IS 'Trigger: writes an event in the transaction of the change. Its arguments: what the row is; the columns whose values are shown, which none is unless it is named; the columns whose changes do not count. Who did it stands in the setting gatepost.actor of the transaction.';


--
-- Name: redact_events(uuid); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.redact_events(erased_user uuid) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    redacted bigint;
BEGIN
    IF EXISTS (SELECT FROM public.users WHERE id = erased_user) THEN
        RAISE EXCEPTION 'the user is still there' USING ERRCODE = 'object_in_use';
    END IF;
    UPDATE public.events SET before = NULL, after = NULL, ip_address = NULL
    WHERE user_id = erased_user;
    GET DIAGNOSTICS redacted = ROW_COUNT;
    RETURN redacted;
END
$$;


--
-- Name: FUNCTION redact_events(erased_user uuid); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.redact_events(erased_user uuid) IS 'Takes values and addresses out of the events of a user who is gone; gives their number. That they happened, when and to which id stays. SECURITY DEFINER: the service''s role may not change events.';


--
-- Name: set_row_times(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.set_row_times() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.created_at := OLD.created_at;
    NEW.updated_at := pg_catalog.clock_timestamp();
    RETURN NEW;
END
$$;


--
-- Name: FUNCTION set_row_times(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.set_row_times() IS 'Trigger: every update moves updated_at and keeps created_at, whoever writes.';


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: accounts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.accounts (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    account_id text NOT NULL COLLATE pg_catalog."C",
    provider_id text NOT NULL COLLATE pg_catalog."C",
    access_token text,
    refresh_token text,
    id_token text,
    access_token_expires_at timestamp(3) with time zone,
    refresh_token_expires_at timestamp(3) with time zone,
    scope text,
    password text,
    created_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    updated_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    CONSTRAINT accounts_access_token_length CHECK ((length(access_token) <= 65536)),
    CONSTRAINT accounts_account_id_length CHECK ((length(account_id) <= 1000)),
    CONSTRAINT accounts_credential_account_id CHECK (((provider_id <> 'credential'::text) OR (account_id = (user_id)::text))),
    CONSTRAINT accounts_credential_password CHECK (((provider_id = 'credential'::text) = (password IS NOT NULL))),
    CONSTRAINT accounts_id_token_length CHECK ((length(id_token) <= 65536)),
    CONSTRAINT accounts_password_length CHECK ((length(password) <= 1000)),
    CONSTRAINT accounts_provider_id_length CHECK ((length(provider_id) <= 255)),
    CONSTRAINT accounts_refresh_token_length CHECK ((length(refresh_token) <= 65536)),
    CONSTRAINT accounts_scope_length CHECK ((length(scope) <= 16384)),
    CONSTRAINT accounts_times_finite CHECK ((isfinite(access_token_expires_at) AND isfinite(refresh_token_expires_at) AND isfinite(created_at) AND isfinite(updated_at)))
);


--
-- Name: TABLE accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.accounts IS 'The ways a user can sign in: a password, or a provider. Written by the auth API, by Better Auth and by trusted backends; deleting a user deletes its accounts.';


--
-- Name: COLUMN accounts.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.id IS 'Primary key. Made by the database; a trusted backend may give its own when it inserts.';


--
-- Name: COLUMN accounts.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.user_id IS 'The user who signs in this way. Written once, at sign-up or when a provider is linked.';


--
-- Name: COLUMN accounts.account_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.account_id IS 'The user''s id at the provider; for a password the id in users. Written once, with the row.';


--
-- Name: COLUMN accounts.provider_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.provider_id IS 'The provider''s name; credential for a password. Written once, with the row.';


--
-- Name: COLUMN accounts.access_token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.access_token IS 'Secret: the provider''s access token, or null. Written at each sign-in through the provider and when the token is refreshed.';


--
-- Name: COLUMN accounts.refresh_token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.refresh_token IS 'Secret: the provider''s refresh token, or null. Written at each sign-in through the provider and when the token is refreshed.';


--
-- Name: COLUMN accounts.id_token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.id_token IS 'Secret: the provider''s OpenID Connect ID token, or null. Written at each sign-in through the provider and when the token is refreshed.';


--
-- Name: COLUMN accounts.access_token_expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.access_token_expires_at IS 'Until when access_token is good, UTC, in milliseconds, or null. Written with it.';


--
-- Name: COLUMN accounts.refresh_token_expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.refresh_token_expires_at IS 'Until when refresh_token is good, UTC, in milliseconds, or null. Written with it.';


--
-- Name: COLUMN accounts.scope; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.scope IS 'What the provider granted, comma-separated, or null. Written with the tokens.';


--
-- Name: COLUMN accounts.password; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.password IS 'Secret: salt:key in hex, the key by scrypt; null unless the provider is credential. Written at sign-up and by each change or reset of the password.';


--
-- Name: COLUMN accounts.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.created_at IS 'When the row was inserted, UTC, in milliseconds. Written once; the trigger keeps it.';


--
-- Name: COLUMN accounts.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.accounts.updated_at IS 'When the row last changed, UTC, in milliseconds. Written by the trigger.';


--
-- Name: CONSTRAINT accounts_access_token_length ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_access_token_length ON public.accounts IS 'Some providers put everything they know into a token; Better Auth can encrypt it, which doubles it.';


--
-- Name: CONSTRAINT accounts_account_id_length ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_account_id_length ON public.accounts IS 'OpenID Connect has 255 at most, other providers more; what is far longer no index holds.';


--
-- Name: CONSTRAINT accounts_credential_account_id ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_credential_account_id ON public.accounts IS 'Better Auth finds a password by the user''s id in account_id alone. With the key over both columns it follows that a user has one password, without an index for that.';


--
-- Name: CONSTRAINT accounts_credential_password ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_credential_password ON public.accounts IS 'A password without credential would never be asked for, and credential without one never be right.';


--
-- Name: CONSTRAINT accounts_id_token_length ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_id_token_length ON public.accounts IS 'As the access token.';


--
-- Name: CONSTRAINT accounts_password_length ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_password_length ON public.accounts IS 'A hash: scrypt''s has 161 characters, others with their settings in front a few more.';


--
-- Name: CONSTRAINT accounts_provider_id_length ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_provider_id_length ON public.accounts IS 'Names that the application gives its providers.';


--
-- Name: CONSTRAINT accounts_refresh_token_length ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_refresh_token_length ON public.accounts IS 'As the access token.';


--
-- Name: CONSTRAINT accounts_scope_length ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_scope_length ON public.accounts IS 'A list of all scopes of the largest provider is shorter.';


--
-- Name: CONSTRAINT accounts_times_finite ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_times_finite ON public.accounts IS 'infinity is no time in JSON or in most languages.';


--
-- Name: daily_counts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.daily_counts (
    day date NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    count bigint NOT NULL,
    CONSTRAINT daily_counts_count_not_negative CHECK ((count >= 0)),
    CONSTRAINT daily_counts_day_finite CHECK (isfinite(day))
);


--
-- Name: TABLE daily_counts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.daily_counts IS 'How much happened on each day, for the page /admin: millions of events are counted once. Some ten rows a day, without anything of a person. Written by the service once a minute, while the page is on.';


--
-- Name: COLUMN daily_counts.day; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.daily_counts.day IS 'A day in UTC. Written once, with the row.';


--
-- Name: COLUMN daily_counts.type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.daily_counts.type IS 'The type of events that are counted; user.banned: those of user.updated that ban; sign_in.refused: no events, but sign-ins that the service refused. Written once, with the row.';


--
-- Name: COLUMN daily_counts.count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.daily_counts.count IS 'How many there were. 0: from that day on they are counted. Written again as more come.';


--
-- Name: CONSTRAINT daily_counts_count_not_negative ON daily_counts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT daily_counts_count_not_negative ON public.daily_counts IS 'What has happened stays so.';


--
-- Name: CONSTRAINT daily_counts_day_finite ON daily_counts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT daily_counts_day_finite ON public.daily_counts IS 'infinity is no day in JSON or in most languages.';


--
-- Name: erasures; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.erasures (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_pseudonym text NOT NULL COLLATE pg_catalog."C",
    email_pseudonym text NOT NULL COLLATE pg_catalog."C",
    counts jsonb NOT NULL,
    erased_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    CONSTRAINT erasures_counts_object CHECK ((jsonb_typeof(counts) = 'object'::text)),
    CONSTRAINT erasures_pseudonyms_shape CHECK (((user_pseudonym ~ '^[0-9a-f]{32}$'::text) AND (email_pseudonym ~ '^[0-9a-f]{32}$'::text))),
    CONSTRAINT erasures_times_finite CHECK (isfinite(erased_at))
);


--
-- Name: TABLE erasures; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.erasures IS 'Receipts: that a user was erased, when, and how much. Without id, name or address. Written by gatepost users erase; the service cannot change or delete them.';


--
-- Name: COLUMN erasures.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.erasures.id IS 'Primary key. Made by the database.';


--
-- Name: COLUMN erasures.user_pseudonym; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.erasures.user_pseudonym IS 'HMAC of the user''s id with a key derived from the secret of the service: whoever has both finds the receipt by the id. Written once, with the row.';


--
-- Name: COLUMN erasures.email_pseudonym; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.erasures.email_pseudonym IS 'Likewise of the address that the user had last. Written once, with the row.';


--
-- Name: COLUMN erasures.counts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.erasures.counts IS 'Rows that were deleted, by table. Written once, with the row.';


--
-- Name: COLUMN erasures.erased_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.erasures.erased_at IS 'When, UTC, in milliseconds. Written once, in the transaction of the erasure.';


--
-- Name: CONSTRAINT erasures_counts_object ON erasures; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT erasures_counts_object ON public.erasures IS 'Numbers by the names of tables.';


--
-- Name: CONSTRAINT erasures_pseudonyms_shape ON erasures; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT erasures_pseudonyms_shape ON public.erasures IS 'What is not 32 hexadecimal digits is no pseudonym, and may be the address itself.';


--
-- Name: CONSTRAINT erasures_times_finite ON erasures; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT erasures_times_finite ON public.erasures IS 'infinity is no time in JSON or in most languages.';


--
-- Name: event_readers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.event_readers (
    name text NOT NULL COLLATE pg_catalog."C",
    last_event_id uuid NOT NULL,
    read_at timestamp(3) with time zone NOT NULL,
    CONSTRAINT event_readers_times_finite CHECK (isfinite(read_at))
);


--
-- Name: TABLE event_readers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.event_readers IS 'How far readers of events have come that keep their place here. Written by the service.';


--
-- Name: COLUMN event_readers.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.event_readers.name IS 'Who reads: daily_counts. Written once, with the row.';


--
-- Name: COLUMN event_readers.last_event_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.event_readers.last_event_id IS 'Every event up to this one has been read. No foreign key: the purge deletes events. Written in the transaction of what follows from the events.';


--
-- Name: COLUMN event_readers.read_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.event_readers.read_at IS 'When the reader last looked, UTC, in milliseconds. Written with it, by the database''s clock.';


--
-- Name: CONSTRAINT event_readers_times_finite ON event_readers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT event_readers_times_finite ON public.event_readers IS 'infinity is no time in JSON or in most languages.';


--
-- Name: events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.events (
    id uuid DEFAULT public.new_event_id() NOT NULL,
    created_at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
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
    role text DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT events_times_finite CHECK (isfinite(created_at))
);


--
-- Name: TABLE events; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.events IS 'What happened to users, sessions, their limits and accounts, whoever did it. Written by the triggers of these tables and nobody else; deleted by purge_events(). Without any secret.';


--
-- Name: COLUMN events.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.id IS 'Primary key, and the cursor to read by. A reader who asks for id > the last seen and id < events_horizon(), ordered by id, misses none and sees none twice; the REST API adds the second condition itself.';


--
-- Name: COLUMN events.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.created_at IS 'When it was written, UTC, in milliseconds.';


--
-- Name: COLUMN events.type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.type IS 'user, session, session_policy or account, a dot, and created, updated, deleted (of a session: ended) or truncated; account.password_changed. A session that expires ends without an event.';


--
-- Name: COLUMN events.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.user_id IS 'Whom it is about. No foreign key: the record of a user outlives the user.';


--
-- Name: COLUMN events.session_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.session_id IS 'The session it is about, or null.';


--
-- Name: COLUMN events.account_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.account_id IS 'The row of accounts it is about, or null.';


--
-- Name: COLUMN events.changed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.changed IS 'Of an update the columns that have another value now, also those whose values are not shown; otherwise null.';


--
-- Name: COLUMN events.before; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.before IS 'What the row had before, of the columns that are shown; of an update of those that changed. Null for a new row.';


--
-- Name: COLUMN events.after; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.after IS 'What the row has now, likewise. Null for a row that is gone.';


--
-- Name: COLUMN events.actor_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.actor_id IS 'The user who did it, as the service hands it over; null: nobody was signed in, or it was no request of a user.';


--
-- Name: COLUMN events.impersonator_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.impersonator_id IS 'The administrator who acted as that user, or null.';


--
-- Name: COLUMN events.key_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.key_name IS 'The name of the service key by which it was done, or null.';


--
-- Name: COLUMN events.ip_address; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.ip_address IS 'The address of the client, or null.';


--
-- Name: COLUMN events.request_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.request_id IS 'The id of the request, by which the log has it, or null.';


--
-- Name: COLUMN events.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.events.role IS 'The role that was logged in to the database: the service''s, or another''s.';


--
-- Name: CONSTRAINT events_times_finite ON events; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT events_times_finite ON public.events IS 'infinity is no time in JSON or in most languages.';


--
-- Name: events_number; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.events_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: SEQUENCE events_number; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON SEQUENCE public.events_number IS 'The order of events in one transaction: the second half of events.id.';


--
-- Name: events_offset; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.events_offset
    START WITH 0
    INCREMENT BY 1
    MINVALUE 0
    NO MAXVALUE
    CACHE 1;


--
-- Name: SEQUENCE events_offset; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON SEQUENCE public.events_offset IS 'What is added to a transaction''s number in events.id: 0, until rows that another server numbered were restored here (docs/EVENTS.md).';


--
-- Name: jwks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.jwks (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    public_key text NOT NULL,
    private_key text NOT NULL,
    alg text,
    crv text,
    created_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    expires_at timestamp(3) with time zone,
    CONSTRAINT jwks_expires_after_created CHECK ((expires_at > created_at)),
    CONSTRAINT jwks_lengths CHECK (((length(public_key) <= 8192) AND (length(private_key) <= 32768) AND (length(alg) <= 32) AND (length(crv) <= 32))),
    CONSTRAINT jwks_times_finite CHECK ((isfinite(created_at) AND isfinite(expires_at)))
);


--
-- Name: TABLE jwks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.jwks IS 'Keys that sign JSON Web Tokens, for the jwt plugin here and in Better Auth. The newest that has not expired signs; those that signed what may still be in use are published.';


--
-- Name: COLUMN jwks.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jwks.id IS 'Primary key, and the kid of the tokens it signs. Made by the database.';


--
-- Name: COLUMN jwks.public_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jwks.public_key IS 'The public half, as a JSON Web Key without alg and kid. Written once, with the row.';


--
-- Name: COLUMN jwks.private_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jwks.private_key IS 'Secret: the private half as a JSON Web Key, encrypted with the secret of the service. Written once, with the row.';


--
-- Name: COLUMN jwks.alg; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jwks.alg IS 'What it signs with: EdDSA, ES256, ES512, RS256 or PS256; NULL in old rows: as configured. Written once, with the row.';


--
-- Name: COLUMN jwks.crv; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jwks.crv IS 'Its curve, for information. Written once, with the row.';


--
-- Name: COLUMN jwks.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jwks.created_at IS 'When it was made, UTC, in milliseconds; the newest signs. Written once, with the row.';


--
-- Name: COLUMN jwks.expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jwks.expires_at IS 'From when it signs no more, UTC, in milliseconds; NULL: never. Written with the row, or when it is retired.';


--
-- Name: CONSTRAINT jwks_expires_after_created ON jwks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT jwks_expires_after_created ON public.jwks IS 'A key that never signed is a mistake of the writer.';


--
-- Name: CONSTRAINT jwks_lengths ON jwks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT jwks_lengths ON public.jwks IS 'RSA of 4096 bits, encrypted, takes some 7,000 characters.';


--
-- Name: CONSTRAINT jwks_times_finite ON jwks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT jwks_times_finite ON public.jwks IS 'infinity is no time in JSON or in most languages.';


--
-- Name: purges; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.purges (
    name text NOT NULL COLLATE pg_catalog."C",
    relation text COLLATE pg_catalog."C",
    next_page bigint DEFAULT 0 NOT NULL,
    leased_until timestamp(3) with time zone,
    finished_at timestamp(3) with time zone,
    CONSTRAINT purges_next_page_not_negative CHECK ((next_page >= 0)),
    CONSTRAINT purges_times_finite CHECK ((isfinite(leased_until) AND isfinite(finished_at)))
);


--
-- Name: TABLE purges; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.purges IS 'Who deletes expired rows, and how far that is. One row; written by the service and by gatepost purge, once a chunk of pages. It may be deleted: the next pass makes it again.';


--
-- Name: COLUMN purges.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.purges.name IS 'What is purged: expired. Written once, by the first pass.';


--
-- Name: COLUMN purges.relation; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.purges.relation IS 'The table that the pass under way has come to, or null between passes. Written with each chunk.';


--
-- Name: COLUMN purges.next_page; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.purges.next_page IS 'The page of that table where the pass goes on, by whoever does. Written with each chunk.';


--
-- Name: COLUMN purges.leased_until; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.purges.leased_until IS 'Until when nobody else may go on, UTC, in milliseconds, or null. Its holder knows itself by it. Written with each chunk, by the database''s clock.';


--
-- Name: COLUMN purges.finished_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.purges.finished_at IS 'When the last pass had been through every table, UTC, in milliseconds, or null before the first. Written at its end, by the database''s clock.';


--
-- Name: CONSTRAINT purges_next_page_not_negative ON purges; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT purges_next_page_not_negative ON public.purges IS 'Pages are counted from 0.';


--
-- Name: CONSTRAINT purges_times_finite ON purges; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT purges_times_finite ON public.purges IS 'infinity is no time in JSON or in most languages, and would be a lease without an end.';


--
-- Name: rate_limits; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.rate_limits (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    count integer NOT NULL,
    last_request bigint NOT NULL,
    CONSTRAINT rate_limits_key_length CHECK ((length(key) <= 16384))
);


--
-- Name: TABLE rate_limits; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.rate_limits IS 'How often an address asked for a path of late. Written by the auth API and by Better Auth, once a limited request.';


--
-- Name: COLUMN rate_limits.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rate_limits.id IS 'Primary key. Made by the database.';


--
-- Name: COLUMN rate_limits.key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rate_limits.key IS 'ADDRESS|PATH, the address as it is counted (IPv6 by its first 64 bits); sign-in|HASH or password|USER for attempts on an account; known|HASH for an address that signed in to one, with last_request the end of that. Written once, with the row.';


--
-- Name: COLUMN rate_limits.count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rate_limits.count IS 'Requests let through in the current window. Written with each of them.';


--
-- Name: COLUMN rate_limits.last_request; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rate_limits.last_request IS 'When the last of them came, in milliseconds since 1970 UTC. Written with each of them.';


--
-- Name: CONSTRAINT rate_limits_key_length ON rate_limits; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT rate_limits_key_length ON public.rate_limits IS 'What Node lets into the head of a request: Better Auth counts a path as long as it came.';


--
-- Name: schema_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_migrations (
    version character varying NOT NULL
);


--
-- Name: session_activity; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.session_activity (
    session_id uuid NOT NULL,
    seen_at timestamp(3) with time zone NOT NULL,
    CONSTRAINT session_activity_times_finite CHECK (isfinite(seen_at))
)
WITH (fillfactor='50');


--
-- Name: TABLE session_activity; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.session_activity IS 'When sessions were last seen, where GATEPOST_LAST_SEEN_EVERY is set; apart from sessions, whose rows and indexes these writes would grow. Logged, so that it is there after a crash and on a standby. Half of each page stays free: every row may be written once before the page is cleaned, as a HOT update.';


--
-- Name: COLUMN session_activity.session_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.session_activity.session_id IS 'Primary key: which session. Written once, with the row.';


--
-- Name: COLUMN session_activity.seen_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.session_activity.seen_at IS 'When a process last found the session good, UTC, in milliseconds. Written every GATEPOST_LAST_SEEN_EVERY, and only forwards. Without an index, so that a write is a HOT update.';


--
-- Name: CONSTRAINT session_activity_times_finite ON session_activity; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT session_activity_times_finite ON public.session_activity IS 'infinity is no time in JSON or in most languages.';


--
-- Name: session_policies; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.session_policies (
    user_id uuid NOT NULL,
    lifetime bigint,
    idle_lifetime bigint,
    max_sessions bigint,
    created_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    updated_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    CONSTRAINT session_policies_idle_lifetime_range CHECK (((idle_lifetime >= 60) AND (idle_lifetime <= 34560000))),
    CONSTRAINT session_policies_lifetime_range CHECK (((lifetime >= 60) AND (lifetime <= 34560000))),
    CONSTRAINT session_policies_max_sessions_range CHECK (((max_sessions >= 1) AND (max_sessions <= 10000))),
    CONSTRAINT session_policies_times_finite CHECK ((isfinite(created_at) AND isfinite(updated_at)))
);


--
-- Name: TABLE session_policies; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.session_policies IS 'Limits of one user''s sessions that are stricter than the settings. Written by gatepost users limits and the admin plugin, which also shorten the sessions there are; a row that another hand writes holds from the next sign-in, the next refresh, or the next pass of the purge on.';


--
-- Name: COLUMN session_policies.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.session_policies.user_id IS 'Primary key: whose sessions. Written once, with the row.';


--
-- Name: COLUMN session_policies.lifetime; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.session_policies.lifetime IS 'Seconds after sign-in at which a session ends, however often it is used; null: the setting holds, and it holds where it is less.';


--
-- Name: COLUMN session_policies.idle_lifetime; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.session_policies.idle_lifetime IS 'Seconds after its last refresh at which a session expires; null: likewise.';


--
-- Name: COLUMN session_policies.max_sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.session_policies.max_sessions IS 'Live sessions at most; null: likewise.';


--
-- Name: COLUMN session_policies.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.session_policies.created_at IS 'When the user was first given limits, UTC, in milliseconds. Written once; the trigger keeps it.';


--
-- Name: COLUMN session_policies.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.session_policies.updated_at IS 'When the limits last changed, UTC, in milliseconds. Written by the trigger.';


--
-- Name: CONSTRAINT session_policies_idle_lifetime_range ON session_policies; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT session_policies_idle_lifetime_range ON public.session_policies IS 'Likewise.';


--
-- Name: CONSTRAINT session_policies_lifetime_range ON session_policies; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT session_policies_lifetime_range ON public.session_policies IS 'A minute to 400 days, as the settings.';


--
-- Name: CONSTRAINT session_policies_max_sessions_range ON session_policies; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT session_policies_max_sessions_range ON public.session_policies IS 'With none nobody could sign in: that is a ban.';


--
-- Name: CONSTRAINT session_policies_times_finite ON session_policies; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT session_policies_times_finite ON public.session_policies IS 'infinity is no time in JSON or in most languages.';


--
-- Name: sessions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.sessions (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    token text NOT NULL COLLATE pg_catalog."C",
    expires_at timestamp(3) with time zone NOT NULL,
    ip_address text DEFAULT ''::text NOT NULL,
    user_agent text DEFAULT ''::text NOT NULL,
    created_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    updated_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    impersonated_by uuid,
    CONSTRAINT sessions_expires_after_created CHECK ((expires_at > created_at)),
    CONSTRAINT sessions_ip_address_length CHECK ((length(ip_address) <= 45)),
    CONSTRAINT sessions_times_finite CHECK ((isfinite(expires_at) AND isfinite(created_at) AND isfinite(updated_at))),
    CONSTRAINT sessions_token_shape CHECK (((length(token) >= 32) AND (length(token) <= 255) AND (token !~ '[^A-Za-z0-9_-]'::text))),
    CONSTRAINT sessions_user_agent_length CHECK ((length(user_agent) <= 16384))
)
WITH (fillfactor='90', autovacuum_vacuum_scale_factor='0.02');


--
-- Name: TABLE sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.sessions IS 'Who is signed in where. Written by the auth API, by Better Auth and by trusted backends; deleting a user deletes its sessions. A tenth of each page stays free, so that every refresh is a HOT update (with full pages a quarter is not); vacuum comes at 2 % dead rows, to give the room of a purge to new ones.';


--
-- Name: COLUMN sessions.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sessions.id IS 'Primary key. Made by the database; a trusted backend may give its own when it inserts.';


--
-- Name: COLUMN sessions.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sessions.user_id IS 'The user who is signed in. Written once, at sign-in.';


--
-- Name: COLUMN sessions.token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sessions.token IS 'Secret: what the cookie carries, signed. Written once, at sign-in, from a cryptographic random source.';


--
-- Name: COLUMN sessions.expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sessions.expires_at IS 'From when the session counts as signed out, UTC, in milliseconds. Written at sign-in and by each refresh. Without an index: with a btree no refresh is a HOT update and each writes 810 bytes of WAL, not 371; with a BRIN none is before PostgreSQL 16, and after ten days of purges it finds nothing. The purge reads all pages in turn, and a session is found by its token.';


--
-- Name: COLUMN sessions.ip_address; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sessions.ip_address IS 'Client address at sign-in as text, empty when unknown. Written once, at sign-in.';


--
-- Name: COLUMN sessions.user_agent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sessions.user_agent IS 'User-Agent header at sign-in, empty when unknown. Written once, at sign-in.';


--
-- Name: COLUMN sessions.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sessions.created_at IS 'When the user signed in, UTC, in milliseconds. Written once; the trigger keeps it.';


--
-- Name: COLUMN sessions.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sessions.updated_at IS 'When the row last changed, UTC, in milliseconds. Written by the trigger.';


--
-- Name: COLUMN sessions.impersonated_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sessions.impersonated_by IS 'The administrator who acts as the user in this session, which is never refreshed; NULL: the user. Written once, with the row.';


--
-- Name: CONSTRAINT sessions_expires_after_created ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT sessions_expires_after_created ON public.sessions IS 'A session that was never valid is a mistake of the writer.';


--
-- Name: CONSTRAINT sessions_ip_address_length ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT sessions_ip_address_length ON public.sessions IS 'The longest form of an IPv6 address; a forged header is longer.';


--
-- Name: CONSTRAINT sessions_times_finite ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT sessions_times_finite ON public.sessions IS 'infinity is no time in JSON or in most languages, and would be a session without an end.';


--
-- Name: CONSTRAINT sessions_token_shape ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT sessions_token_shape ON public.sessions IS 'Long enough not to be guessed, and of letters that need no escape in a cookie or an address. Every write checks it, a refresh too: in under 1 µs, while one pattern with {32,255} takes 67 to 80 and halves the sign-ins a second.';


--
-- Name: CONSTRAINT sessions_user_agent_length ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT sessions_user_agent_length ON public.sessions IS 'What Node lets into the head of a request: with less, Better Auth would refuse a sign-in that the client sent a long header with. Gatepost cuts it off at 2,000.';


--
-- Name: users; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.users (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    email text NOT NULL COLLATE pg_catalog."C",
    email_verified boolean DEFAULT false NOT NULL,
    image text,
    created_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    updated_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    role text,
    banned boolean DEFAULT false NOT NULL,
    ban_reason text,
    ban_expires timestamp(3) with time zone,
    CONSTRAINT users_ban_expires_finite CHECK (isfinite(ban_expires)),
    CONSTRAINT users_ban_reason_length CHECK ((length(ban_reason) <= 32768)),
    CONSTRAINT users_email_length CHECK ((length(email) <= 254)),
    CONSTRAINT users_email_lower_case CHECK ((email = lower(email))),
    CONSTRAINT users_email_shape CHECK ((email ~ '^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$'::text)),
    CONSTRAINT users_image_length CHECK ((length(image) <= 262144)),
    CONSTRAINT users_name_length CHECK ((length(name) <= 32768)),
    CONSTRAINT users_role_length CHECK ((length(role) <= 4096)),
    CONSTRAINT users_times_finite CHECK ((isfinite(created_at) AND isfinite(updated_at)))
);


--
-- Name: TABLE users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.users IS 'The people of the application. Written by the auth API, by Better Auth and by trusted backends.';


--
-- Name: COLUMN users.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.users.id IS 'Primary key. Made by the database; a trusted backend may give its own when it inserts.';


--
-- Name: COLUMN users.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.users.name IS 'Display name; may be empty. Written at sign-up, by the user later, and by trusted backends.';


--
-- Name: COLUMN users.email; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.users.email IS 'Address, lower case, unique. Written at sign-up, by a confirmed change of address, and by trusted backends.';


--
-- Name: COLUMN users.email_verified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.users.email_verified IS 'Whether the user has shown control of the address. Written when a verification mail is followed, and by trusted backends.';


--
-- Name: COLUMN users.image; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.users.image IS 'Address of a picture, or null. Written by the user and by trusted backends.';


--
-- Name: COLUMN users.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.users.created_at IS 'When the row was inserted, UTC, in milliseconds. Written once; the trigger keeps it.';


--
-- Name: COLUMN users.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.users.updated_at IS 'When the row last changed, UTC, in milliseconds. Written by the trigger.';


--
-- Name: COLUMN users.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.users.role IS 'The roles of the admin plugin, separated by commas; NULL: the default one. Written at sign-up and by administrators.';


--
-- Name: COLUMN users.banned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.users.banned IS 'Whether no session may begin, until ban_expires. Written by administrators, and by the first sign-in after the end.';


--
-- Name: COLUMN users.ban_reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.users.ban_reason IS 'Why, for administrators and the user; NULL: no reason. Written by administrators.';


--
-- Name: COLUMN users.ban_expires; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.users.ban_expires IS 'When the ban ends, UTC, in milliseconds; NULL: never. Written by administrators.';


--
-- Name: CONSTRAINT users_ban_expires_finite ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT users_ban_expires_finite ON public.users IS 'infinity is no time in JSON or in most languages; a ban without an end has none.';


--
-- Name: CONSTRAINT users_ban_reason_length ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT users_ban_reason_length ON public.users IS 'More than the 4,096 that the auth API takes, for a writer beside it.';


--
-- Name: CONSTRAINT users_email_length ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT users_email_length ON public.users IS 'The longest address that SMTP carries (RFC 5321).';


--
-- Name: CONSTRAINT users_email_lower_case ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT users_email_lower_case ON public.users IS 'Ann@example.com and ann@example.com are one address.';


--
-- Name: CONSTRAINT users_email_shape ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT users_email_shape ON public.users IS 'What could never receive a mail is not an address: one @, a dot after it, no space.';


--
-- Name: CONSTRAINT users_image_length ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT users_image_length ON public.users IS 'An address of any length that browsers take, or a picture as a data: address: the largest photo that Microsoft gives is some 130,000 characters. get-session reads and sends it each time.';


--
-- Name: CONSTRAINT users_name_length ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT users_name_length ON public.users IS 'Longer than any name: a trusted backend may keep more in it than the 1,000 that the auth API takes; get-session reads and sends it each time.';


--
-- Name: CONSTRAINT users_role_length ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT users_role_length ON public.users IS 'More than the 1,000 that the auth API takes, for a writer beside it.';


--
-- Name: CONSTRAINT users_times_finite ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT users_times_finite ON public.users IS 'infinity is no time in JSON or in most languages.';


--
-- Name: verifications; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.verifications (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    identifier text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL,
    expires_at timestamp(3) with time zone NOT NULL,
    created_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    updated_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    CONSTRAINT verifications_expires_after_created CHECK ((expires_at > created_at)),
    CONSTRAINT verifications_identifier_length CHECK ((length(identifier) <= 1000)),
    CONSTRAINT verifications_times_finite CHECK ((isfinite(expires_at) AND isfinite(created_at) AND isfinite(updated_at))),
    CONSTRAINT verifications_value_length CHECK ((length(value) <= 65536))
);


--
-- Name: TABLE verifications; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.verifications IS 'What was sent out to be brought back once: password resets, OAuth states, codes. Written and used up by the auth API, by Better Auth and by trusted backends.';


--
-- Name: COLUMN verifications.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.verifications.id IS 'Primary key. Made by the database; a trusted backend may give its own when it inserts.';


--
-- Name: COLUMN verifications.identifier; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.verifications.identifier IS 'Secret: what is verified and mostly the token itself, such as reset-password:TOKEN, or the SHA-256 of that in Base64, where the settings say so; for mails that show an address their kind and the user''s id. Written once, with the row.';


--
-- Name: COLUMN verifications.value; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.verifications.value IS 'Secret: what the token stands for, mostly the user''s id, or a code to compare; for mails that show an address the id of their token. Written with the row; plugins that count attempts change it.';


--
-- Name: COLUMN verifications.expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.verifications.expires_at IS 'From when the row no longer counts, UTC, in milliseconds. Written with the row.';


--
-- Name: COLUMN verifications.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.verifications.created_at IS 'When the row was inserted, UTC, in milliseconds; the newest of an identifier counts. Written once, by the writer''s clock or the database''s; the trigger keeps it.';


--
-- Name: COLUMN verifications.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.verifications.updated_at IS 'When the row last changed, UTC, in milliseconds. Written with the row, then by the trigger.';


--
-- Name: CONSTRAINT verifications_expires_after_created ON verifications; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT verifications_expires_after_created ON public.verifications IS 'A verification that was never valid is a mistake of the writer.';


--
-- Name: CONSTRAINT verifications_identifier_length ON verifications; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT verifications_identifier_length ON public.verifications IS 'A prefix, and a token or an address; what is far longer no index holds.';


--
-- Name: CONSTRAINT verifications_times_finite ON verifications; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT verifications_times_finite ON public.verifications IS 'infinity is no time in JSON or in most languages, and would be a token that never expires.';


--
-- Name: CONSTRAINT verifications_value_length ON verifications; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT verifications_value_length ON public.verifications IS 'A user''s id, a code, or what an OAuth state carries, in JSON.';


--
-- Name: webhook_deliveries; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.webhook_deliveries (
    webhook_id uuid NOT NULL,
    event_id uuid NOT NULL,
    user_id uuid NOT NULL,
    attempts bigint DEFAULT 0 NOT NULL,
    next_attempt_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    last_status bigint,
    last_error text,
    dead_since timestamp(3) with time zone,
    CONSTRAINT webhook_deliveries_attempts_counted CHECK ((attempts >= 0)),
    CONSTRAINT webhook_deliveries_last_error_length CHECK ((length(last_error) <= 255)),
    CONSTRAINT webhook_deliveries_times_finite CHECK ((isfinite(next_attempt_at) AND isfinite(dead_since)))
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='1000');


--
-- Name: TABLE webhook_deliveries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.webhook_deliveries IS 'Events that wait for a webhook, and those that were given up: dead letters. Queued by one statement, deleted when the receiver has them. What is sent stands in events.';


--
-- Name: COLUMN webhook_deliveries.webhook_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhook_deliveries.webhook_id IS 'Where to. Deleted with the webhook.';


--
-- Name: COLUMN webhook_deliveries.event_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhook_deliveries.event_id IS 'Which event. No foreign key: the purge of old events waits for no receiver, and what it took is a dead letter.';


--
-- Name: COLUMN webhook_deliveries.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhook_deliveries.user_id IS 'Whom the event is about, in whose order it is sent; of an event about nobody 0. No foreign key, as in events.';


--
-- Name: COLUMN webhook_deliveries.attempts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhook_deliveries.attempts IS 'How often it was sent, also by a process that did not live to hear the answer; whoever writes the outcome of an attempt names its number.';


--
-- Name: COLUMN webhook_deliveries.next_attempt_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhook_deliveries.next_attempt_at IS 'When it is due, UTC, in milliseconds. While it is sent, when others may send it: the end of the lease.';


--
-- Name: COLUMN webhook_deliveries.last_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhook_deliveries.last_status IS 'The HTTP status of the last answer, or NULL.';


--
-- Name: COLUMN webhook_deliveries.last_error; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhook_deliveries.last_error IS 'Why the last attempt failed, in a few words of the service; nothing of an answer.';


--
-- Name: COLUMN webhook_deliveries.dead_since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhook_deliveries.dead_since IS 'When it was given up, UTC, in milliseconds; NULL: it waits. gatepost webhooks retry sets it back.';


--
-- Name: CONSTRAINT webhook_deliveries_attempts_counted ON webhook_deliveries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT webhook_deliveries_attempts_counted ON public.webhook_deliveries IS 'A number of attempts.';


--
-- Name: CONSTRAINT webhook_deliveries_last_error_length ON webhook_deliveries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT webhook_deliveries_last_error_length ON public.webhook_deliveries IS 'A few words.';


--
-- Name: CONSTRAINT webhook_deliveries_times_finite ON webhook_deliveries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT webhook_deliveries_times_finite ON public.webhook_deliveries IS 'infinity is no time in JSON or in most languages.';


--
-- Name: webhooks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.webhooks (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    url text NOT NULL,
    types text[] DEFAULT '{}'::text[] NOT NULL,
    secret text NOT NULL,
    old_secret text,
    old_secret_until timestamp(3) with time zone,
    queued_to uuid NOT NULL,
    created_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    failing_since timestamp(3) with time zone,
    paused_at timestamp(3) with time zone,
    pause_reason text,
    CONSTRAINT webhooks_lengths CHECK (((length(url) <= 2048) AND (length(secret) <= 1024) AND (length(old_secret) <= 1024) AND (length(pause_reason) <= 255) AND (cardinality(types) <= 64) AND (length(array_to_string(types, ','::text, ''::text)) <= 4096))),
    CONSTRAINT webhooks_old_secret_ends CHECK (((old_secret IS NULL) OR (old_secret_until IS NOT NULL))),
    CONSTRAINT webhooks_reason_is_of_a_pause CHECK (((pause_reason IS NULL) OR (paused_at IS NOT NULL))),
    CONSTRAINT webhooks_times_finite CHECK ((isfinite(created_at) AND isfinite(old_secret_until) AND isfinite(failing_since) AND isfinite(paused_at))),
    CONSTRAINT webhooks_url_shape CHECK ((url ~ '^https?://[^/?#@]+([/?][^#]*)?$'::text))
);


--
-- Name: TABLE webhooks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.webhooks IS 'Where events are sent to (docs/WEBHOOKS.md). Written by gatepost webhooks, and by who delivers. A few rows.';


--
-- Name: COLUMN webhooks.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhooks.id IS 'Primary key. Made by the database.';


--
-- Name: COLUMN webhooks.url; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhooks.url IS 'The address that gets a POST for each event. Written once, with the row.';


--
-- Name: COLUMN webhooks.types; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhooks.types IS 'The types of events that it wants, or user, session, account for all of these; empty: every event. Written once, with the row.';


--
-- Name: COLUMN webhooks.secret; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhooks.secret IS 'Secret: what signs (whsec_…), encrypted with a key derived from the secret of the service. Written with the row and by a rotation.';


--
-- Name: COLUMN webhooks.old_secret; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhooks.old_secret IS 'Secret: the one before the last rotation, likewise. It signs beside the other until old_secret_until; NULL: there was no rotation.';


--
-- Name: COLUMN webhooks.old_secret_until; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhooks.old_secret_until IS 'Until when the old secret signs, UTC, in milliseconds. Written by a rotation.';


--
-- Name: COLUMN webhooks.queued_to; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhooks.queued_to IS 'The cursor: the id of the last event that was looked at, whether it was wanted or not. With the row it is the horizon of the events; moved on by the statement that queues.';


--
-- Name: COLUMN webhooks.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhooks.created_at IS 'When it was added, UTC, in milliseconds. Written once, with the row.';


--
-- Name: COLUMN webhooks.failing_since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhooks.failing_since IS 'Since when attempts fail, UTC, in milliseconds; NULL: what was tried arrived. Written by who delivers, so that one process says it once.';


--
-- Name: COLUMN webhooks.paused_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhooks.paused_at IS 'Since when nothing is sent, UTC, in milliseconds; NULL: it is sent. Events are queued all the same. Written by gatepost webhooks, and by who delivers when the receiver answers 410 Gone.';


--
-- Name: COLUMN webhooks.pause_reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.webhooks.pause_reason IS 'Why nothing is sent. Written with paused_at.';


--
-- Name: CONSTRAINT webhooks_lengths ON webhooks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT webhooks_lengths ON public.webhooks IS 'No row takes more than some kilobytes.';


--
-- Name: CONSTRAINT webhooks_old_secret_ends ON webhooks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT webhooks_old_secret_ends ON public.webhooks IS 'A secret that was replaced signs for a while, not for ever.';


--
-- Name: CONSTRAINT webhooks_reason_is_of_a_pause ON webhooks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT webhooks_reason_is_of_a_pause ON public.webhooks IS 'What is sent has no reason not to be.';


--
-- Name: CONSTRAINT webhooks_times_finite ON webhooks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT webhooks_times_finite ON public.webhooks IS 'infinity is no time in JSON or in most languages.';


--
-- Name: CONSTRAINT webhooks_url_shape ON webhooks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT webhooks_url_shape ON public.webhooks IS 'An address of HTTP without a user, a password or a fragment: these belong to no log and to no receiver.';


--
-- Name: accounts accounts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);


--
-- Name: CONSTRAINT accounts_pkey ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_pkey ON public.accounts IS 'A name for an account that holds good whatever the provider calls it.';


--
-- Name: accounts accounts_provider_id_account_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_provider_id_account_id_key UNIQUE (provider_id, account_id);


--
-- Name: CONSTRAINT accounts_provider_id_account_id_key ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_provider_id_account_id_key ON public.accounts IS 'An account of a provider belongs to one user; finds that user at each sign-in through the provider.';


--
-- Name: daily_counts daily_counts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.daily_counts
    ADD CONSTRAINT daily_counts_pkey PRIMARY KEY (day, type);


--
-- Name: CONSTRAINT daily_counts_pkey ON daily_counts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT daily_counts_pkey ON public.daily_counts IS 'One number for a day and a type, which an upsert adds to; also finds the last days.';


--
-- Name: erasures erasures_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (id);


--
-- Name: CONSTRAINT erasures_pkey ON erasures; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT erasures_pkey ON public.erasures IS 'A number for the receipt, to be quoted in an answer to the user.';


--
-- Name: event_readers event_readers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.event_readers
    ADD CONSTRAINT event_readers_pkey PRIMARY KEY (name);


--
-- Name: CONSTRAINT event_readers_pkey ON event_readers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT event_readers_pkey ON public.event_readers IS 'One row for a reader, which whoever reads locks: no event is counted twice.';


--
-- Name: events events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);


--
-- Name: CONSTRAINT events_pkey ON events; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT events_pkey ON public.events IS 'The order of reading; the purge deletes from its beginning.';


--
-- Name: jwks jwks_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jwks
    ADD CONSTRAINT jwks_pkey PRIMARY KEY (id);


--
-- Name: CONSTRAINT jwks_pkey ON jwks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT jwks_pkey ON public.jwks IS 'The kid by which a token names its key.';


--
-- Name: purges purges_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.purges
    ADD CONSTRAINT purges_pkey PRIMARY KEY (name);


--
-- Name: CONSTRAINT purges_pkey ON purges; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT purges_pkey ON public.purges IS 'One row, so that taking the lease is one atomic UPDATE of it.';


--
-- Name: rate_limits rate_limits_key_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rate_limits
    ADD CONSTRAINT rate_limits_key_key UNIQUE (key);


--
-- Name: CONSTRAINT rate_limits_key_key ON rate_limits; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT rate_limits_key_key ON public.rate_limits IS 'One row a key, so that counting is one atomic statement: INSERT … ON CONFLICT (key) DO UPDATE.';


--
-- Name: rate_limits rate_limits_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rate_limits
    ADD CONSTRAINT rate_limits_pkey PRIMARY KEY (id);


--
-- Name: CONSTRAINT rate_limits_pkey ON rate_limits; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT rate_limits_pkey ON public.rate_limits IS 'Better Auth wants an id in each of its tables.';


--
-- Name: schema_migrations schema_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);


--
-- Name: session_activity session_activity_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session_activity
    ADD CONSTRAINT session_activity_pkey PRIMARY KEY (session_id);


--
-- Name: CONSTRAINT session_activity_pkey ON session_activity; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT session_activity_pkey ON public.session_activity IS 'Of a session the last time alone is kept.';


--
-- Name: session_policies session_policies_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session_policies
    ADD CONSTRAINT session_policies_pkey PRIMARY KEY (user_id);


--
-- Name: CONSTRAINT session_policies_pkey ON session_policies; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT session_policies_pkey ON public.session_policies IS 'A user has one set of limits; finds it at a sign-in and at a refresh.';


--
-- Name: sessions sessions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);


--
-- Name: CONSTRAINT sessions_pkey ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT sessions_pkey ON public.sessions IS 'A name for a session that opens nothing, unlike its token.';


--
-- Name: sessions sessions_token_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_token_key UNIQUE (token);


--
-- Name: CONSTRAINT sessions_token_key ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT sessions_token_key ON public.sessions IS 'A token opens one session; finds the session of a cookie in every request.';


--
-- Name: users users_email_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_email_key UNIQUE (email);


--
-- Name: CONSTRAINT users_email_key ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT users_email_key ON public.users IS 'One address, one user; also finds a user by address and is the target of an upsert.';


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: CONSTRAINT users_pkey ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT users_pkey ON public.users IS 'What every other table refers to.';


--
-- Name: verifications verifications_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.verifications
    ADD CONSTRAINT verifications_pkey PRIMARY KEY (id);


--
-- Name: CONSTRAINT verifications_pkey ON verifications; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT verifications_pkey ON public.verifications IS 'A name for a row that opens nothing, unlike its identifier.';


--
-- Name: webhook_deliveries webhook_deliveries_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (webhook_id, event_id);


--
-- Name: CONSTRAINT webhook_deliveries_pkey ON webhook_deliveries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT webhook_deliveries_pkey ON public.webhook_deliveries IS 'An event waits once for a webhook.';


--
-- Name: webhooks webhooks_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);


--
-- Name: CONSTRAINT webhooks_pkey ON webhooks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT webhooks_pkey ON public.webhooks IS 'The id that operators name it by.';


--
-- Name: accounts_user_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX accounts_user_id_idx ON public.accounts USING btree (user_id);


--
-- Name: INDEX accounts_user_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.accounts_user_id_idx IS 'Serves the accounts of one user (WHERE user_id =) and the cascade when a user is deleted.';


--
-- Name: erasures_email_pseudonym_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX erasures_email_pseudonym_idx ON public.erasures USING btree (email_pseudonym);


--
-- Name: INDEX erasures_email_pseudonym_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.erasures_email_pseudonym_idx IS 'Finds the receipts of an address.';


--
-- Name: erasures_user_pseudonym_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX erasures_user_pseudonym_idx ON public.erasures USING btree (user_pseudonym);


--
-- Name: INDEX erasures_user_pseudonym_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.erasures_user_pseudonym_idx IS 'Finds the receipt of an id.';


--
-- Name: events_created_at_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX events_created_at_id_idx ON public.events USING btree (created_at, id);


--
-- Name: INDEX events_created_at_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.events_created_at_id_idx IS 'Serves the events of a time, and the newest: ORDER BY created_at, id.';


--
-- Name: events_type_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX events_type_id_idx ON public.events USING btree (type, id) WHERE (type <> 'session.created'::text);


--
-- Name: INDEX events_type_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.events_type_id_idx IS 'Serves the newest events of a type (WHERE type = AND type <> ''session.created'' ORDER BY id DESC). Costs a sign-in nothing.';


--
-- Name: events_user_id_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX events_user_id_id_idx ON public.events USING btree (user_id, id);


--
-- Name: INDEX events_user_id_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.events_user_id_id_idx IS 'Serves the events of one user in their order.';


--
-- Name: sessions_created_at_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sessions_created_at_id_idx ON public.sessions USING btree (created_at, id);


--
-- Name: INDEX sessions_created_at_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.sessions_created_at_id_idx IS 'Serves the page of newest sessions: ORDER BY created_at, id, an order without ties. Costs a sign-in 85 bytes of WAL.';


--
-- Name: sessions_impersonated_by_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sessions_impersonated_by_idx ON public.sessions USING btree (impersonated_by) WHERE (impersonated_by IS NOT NULL);


--
-- Name: INDEX sessions_impersonated_by_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.sessions_impersonated_by_idx IS 'Serves the sessions in which an administrator acts as others (WHERE impersonated_by =), and the cascade when one is deleted.';


--
-- Name: sessions_user_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sessions_user_id_idx ON public.sessions USING btree (user_id);


--
-- Name: INDEX sessions_user_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.sessions_user_id_idx IS 'Serves the sessions of one user (WHERE user_id =) and the cascade when a user is deleted. Costs a sign-in 73 bytes of WAL.';


--
-- Name: users_banned_created_at_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX users_banned_created_at_id_idx ON public.users USING btree (created_at, id) WHERE banned;


--
-- Name: INDEX users_banned_created_at_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.users_banned_created_at_id_idx IS 'Serves the page of banned users, the newest first: WHERE banned ORDER BY created_at, id.';


--
-- Name: users_created_at_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX users_created_at_id_idx ON public.users USING btree (created_at, id);


--
-- Name: INDEX users_created_at_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.users_created_at_id_idx IS 'Serves the page of newest users: ORDER BY created_at, id, an order without ties.';


--
-- Name: users_roles_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX users_roles_idx ON public.users USING gin (string_to_array(role, ','::text)) WHERE (role <> 'user'::text);


--
-- Name: INDEX users_roles_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.users_roles_idx IS 'Serves the search for administrators: string_to_array(role, '','') && their roles AND role <> ''user''.';


--
-- Name: verifications_expires_at_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX verifications_expires_at_idx ON public.verifications USING btree (expires_at);


--
-- Name: INDEX verifications_expires_at_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.verifications_expires_at_idx IS 'Serves the sweep of expired rows (WHERE expires_at <), which Better Auth does as often as once a minute.';


--
-- Name: verifications_identifier_created_at_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX verifications_identifier_created_at_idx ON public.verifications USING btree (identifier, created_at);


--
-- Name: INDEX verifications_identifier_created_at_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.verifications_identifier_created_at_idx IS 'Serves the look-up of the newest row of an identifier (WHERE identifier = ORDER BY created_at DESC) and its deletion.';


--
-- Name: verifications_value_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX verifications_value_idx ON public.verifications USING btree (value) WHERE (length(value) = 36);


--
-- Name: INDEX verifications_value_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.verifications_value_idx IS 'Serves the end of everything that was mailed to a user (WHERE value = AND length(value) = 36), when a password or an address changes.';


--
-- Name: webhook_deliveries_dead_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhook_deliveries_dead_idx ON public.webhook_deliveries USING btree (dead_since, webhook_id, event_id) WHERE (dead_since IS NOT NULL);


--
-- Name: INDEX webhook_deliveries_dead_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.webhook_deliveries_dead_idx IS 'Serves the dead letters, the oldest first, and their purge.';


--
-- Name: webhook_deliveries_due_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhook_deliveries_due_idx ON public.webhook_deliveries USING btree (webhook_id, next_attempt_at, event_id) WHERE (dead_since IS NULL);


--
-- Name: INDEX webhook_deliveries_due_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.webhook_deliveries_due_idx IS 'Serves what is due next for a webhook.';


--
-- Name: webhook_deliveries_failed_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhook_deliveries_failed_idx ON public.webhook_deliveries USING btree (webhook_id, event_id) WHERE ((dead_since IS NULL) AND (last_error IS NOT NULL));


--
-- Name: INDEX webhook_deliveries_failed_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.webhook_deliveries_failed_idx IS 'Serves whether anything that failed is waiting still.';


--
-- Name: webhook_deliveries_user_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhook_deliveries_user_idx ON public.webhook_deliveries USING btree (webhook_id, user_id, event_id) WHERE (dead_since IS NULL);


--
-- Name: INDEX webhook_deliveries_user_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.webhook_deliveries_user_idx IS 'Serves what waits before and after an event, for the same user.';


--
-- Name: accounts accounts_record_event; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER accounts_record_event AFTER INSERT OR DELETE OR UPDATE ON public.accounts FOR EACH ROW EXECUTE FUNCTION public.record_event('account', '{user_id,provider_id,account_id,scope}', '{updated_at,access_token,refresh_token,id_token,access_token_expires_at,refresh_token_expires_at}');


--
-- Name: TRIGGER accounts_record_event ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER accounts_record_event ON public.accounts IS 'Every way to sign in that comes, changes or goes is in events; new tokens of a provider, which every sign-in by it brings, are not.';


--
-- Name: accounts accounts_record_truncation; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER accounts_record_truncation AFTER TRUNCATE ON public.accounts FOR EACH STATEMENT EXECUTE FUNCTION public.record_event('account');


--
-- Name: TRIGGER accounts_record_truncation ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER accounts_record_truncation ON public.accounts IS 'TRUNCATE fires no trigger of rows.';


--
-- Name: accounts accounts_set_row_times; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER accounts_set_row_times BEFORE UPDATE ON public.accounts FOR EACH ROW EXECUTE FUNCTION public.set_row_times();


--
-- Name: session_policies session_policies_record_event; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER session_policies_record_event AFTER INSERT OR DELETE OR UPDATE ON public.session_policies FOR EACH ROW EXECUTE FUNCTION public.record_event('session_policy', '{lifetime,idle_lifetime,max_sessions}', '{updated_at}');


--
-- Name: TRIGGER session_policies_record_event ON session_policies; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER session_policies_record_event ON public.session_policies IS 'Every change of what limits a user''s sessions is in events.';


--
-- Name: session_policies session_policies_record_truncation; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER session_policies_record_truncation AFTER TRUNCATE ON public.session_policies FOR EACH STATEMENT EXECUTE FUNCTION public.record_event('session_policy');


--
-- Name: TRIGGER session_policies_record_truncation ON session_policies; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER session_policies_record_truncation ON public.session_policies IS 'TRUNCATE fires no trigger of rows.';


--
-- Name: session_policies session_policies_set_row_times; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER session_policies_set_row_times BEFORE UPDATE ON public.session_policies FOR EACH ROW EXECUTE FUNCTION public.set_row_times();


--
-- Name: TRIGGER session_policies_set_row_times ON session_policies; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER session_policies_set_row_times ON public.session_policies IS 'Keeps created_at and moves updated_at.';


--
-- Name: sessions sessions_record_begin; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER sessions_record_begin AFTER INSERT ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.record_event('session', '{expires_at,ip_address,user_agent,impersonated_by}');


--
-- Name: TRIGGER sessions_record_begin ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER sessions_record_begin ON public.sessions IS 'Every session that begins is in events.';


--
-- Name: sessions sessions_record_change; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER sessions_record_change AFTER UPDATE ON public.sessions FOR EACH ROW WHEN ((new.expires_at <= old.expires_at)) EXECUTE FUNCTION public.record_event('session', '{user_id,expires_at,ip_address,user_agent,impersonated_by}', '{updated_at}');


--
-- Name: TRIGGER sessions_record_change ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER sessions_record_change ON public.sessions IS 'Every change of a session that does not prolong it is in events.';


--
-- Name: sessions sessions_record_change_and_refresh; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER sessions_record_change_and_refresh AFTER UPDATE OF id, user_id, token, ip_address, user_agent ON public.sessions FOR EACH ROW WHEN ((new.expires_at > old.expires_at)) EXECUTE FUNCTION public.record_event('session', '{user_id,expires_at,ip_address,user_agent,impersonated_by}', '{expires_at,updated_at}');


--
-- Name: TRIGGER sessions_record_change_and_refresh ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER sessions_record_change_and_refresh ON public.sessions IS 'So is one that prolongs it and names more than its times.';


--
-- Name: sessions sessions_record_end; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER sessions_record_end AFTER DELETE ON public.sessions FOR EACH ROW WHEN ((old.expires_at > now())) EXECUTE FUNCTION public.record_event('session', '{expires_at,ip_address,user_agent,impersonated_by}');


--
-- Name: TRIGGER sessions_record_end ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER sessions_record_end ON public.sessions IS 'Every session that is ended before its time is in events; nobody ended one that expired.';


--
-- Name: sessions sessions_record_truncation; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER sessions_record_truncation AFTER TRUNCATE ON public.sessions FOR EACH STATEMENT EXECUTE FUNCTION public.record_event('session');


--
-- Name: TRIGGER sessions_record_truncation ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER sessions_record_truncation ON public.sessions IS 'TRUNCATE fires no trigger of rows.';


--
-- Name: sessions sessions_set_row_times; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER sessions_set_row_times BEFORE UPDATE ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.set_row_times();


--
-- Name: users users_record_event; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER users_record_event AFTER INSERT OR DELETE OR UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.record_event('user', '{name,email,email_verified,role,banned,ban_reason,ban_expires,two_factor_enabled,username,display_username}', '{updated_at}');


--
-- Name: TRIGGER users_record_event ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER users_record_event ON public.users IS 'Every user that comes, changes or goes is in events.';


--
-- Name: users users_record_truncation; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER users_record_truncation AFTER TRUNCATE ON public.users FOR EACH STATEMENT EXECUTE FUNCTION public.record_event('user');


--
-- Name: TRIGGER users_record_truncation ON users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER users_record_truncation ON public.users IS 'TRUNCATE fires no trigger of rows.';


--
-- Name: users users_set_row_times; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER users_set_row_times BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.set_row_times();


--
-- Name: verifications verifications_set_row_times; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER verifications_set_row_times BEFORE UPDATE ON public.verifications FOR EACH ROW EXECUTE FUNCTION public.set_row_times();


--
-- Name: accounts accounts_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT accounts_user_id_fkey ON accounts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT accounts_user_id_fkey ON public.accounts IS 'Deleting a user deletes its password and what it linked in the same statement.';


--
-- Name: session_activity session_activity_session_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session_activity
    ADD CONSTRAINT session_activity_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT session_activity_session_id_fkey ON session_activity; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT session_activity_session_id_fkey ON public.session_activity IS 'Whatever ends a session, or deletes it, takes this along.';


--
-- Name: session_policies session_policies_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session_policies
    ADD CONSTRAINT session_policies_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT session_policies_user_id_fkey ON session_policies; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT session_policies_user_id_fkey ON public.session_policies IS 'Deleting a user deletes its limits in the same statement.';


--
-- Name: sessions sessions_impersonated_by_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_impersonated_by_fkey FOREIGN KEY (impersonated_by) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT sessions_impersonated_by_fkey ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT sessions_impersonated_by_fkey ON public.sessions IS 'Deleting an administrator ends the sessions in which they act as somebody else.';


--
-- Name: sessions sessions_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT sessions_user_id_fkey ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT sessions_user_id_fkey ON public.sessions IS 'Deleting a user ends its sessions in the same statement.';


--
-- Name: webhook_deliveries webhook_deliveries_webhook_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.webhooks(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT webhook_deliveries_webhook_id_fkey ON webhook_deliveries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT webhook_deliveries_webhook_id_fkey ON public.webhook_deliveries IS 'Deleting a webhook deletes what waits for it.';


--
-- PostgreSQL database dump complete
--

\unrestrict dbmate


--
-- Dbmate schema migrations
--

INSERT INTO public.schema_migrations (version) VALUES
    ('20261122090000'),
    ('20261122090100'),
    ('20261122090200'),
    ('20261122090300'),
    ('20261122090400'),
    ('20261122090500'),
    ('20261122090600'),
    ('20261122090700'),
    ('20261122090800'),
    ('20261122090900'),
    ('20261122091000'),
    ('20261122091100'),
    ('20261125100000'),
    ('20261125100100'),
    ('20261125110000'),
    ('20261125110001'),
    ('20261125110002'),
    ('20261125110003'),
    ('20261125110004'),
    ('20261125110005'),
    ('20261125110006'),
    ('20261125110007'),
    ('20261125110008'),
    ('20261125110009'),
    ('20261125110010'),
    ('20261125140000'),
    ('20261126060000'),
    ('20261126093000'),
    ('20261126093100'),
    ('20261126093200'),
    ('20261126093300'),
    ('20261126103000'),
    ('20261126103001'),
    ('20261126103002'),
    ('20261126103003'),
    ('20261126103004'),
    ('20261126103005'),
    ('20261126103006'),
    ('20261126103007'),
    ('20261126103008'),
    ('20261126110000'),
    ('20261126110100'),
    ('20261126140000'),
    ('20261126140100'),
    ('20261126141000'),
    ('20261126141100'),
    ('20261126141200'),
    ('20261126141300'),
    ('20261126141400'),
    ('20261126142000'),
    ('20261126142100'),
    ('20261126142500'),
    ('20261126142600'),
    ('20261126142700'),
    ('20261126142800');
