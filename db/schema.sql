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
    CONSTRAINT users_email_length CHECK ((length(email) <= 254)),
    CONSTRAINT users_email_lower_case CHECK ((email = lower(email))),
    CONSTRAINT users_email_shape CHECK ((email ~ '^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$'::text)),
    CONSTRAINT users_image_length CHECK ((length(image) <= 262144)),
    CONSTRAINT users_name_length CHECK ((length(name) <= 32768)),
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
-- Name: accounts_user_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX accounts_user_id_idx ON public.accounts USING btree (user_id);


--
-- Name: INDEX accounts_user_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.accounts_user_id_idx IS 'Serves the accounts of one user (WHERE user_id =) and the cascade when a user is deleted.';


--
-- Name: sessions_created_at_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sessions_created_at_id_idx ON public.sessions USING btree (created_at, id);


--
-- Name: INDEX sessions_created_at_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.sessions_created_at_id_idx IS 'Serves the page of newest sessions: ORDER BY created_at, id, an order without ties. Costs a sign-in 85 bytes of WAL.';


--
-- Name: sessions_user_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sessions_user_id_idx ON public.sessions USING btree (user_id);


--
-- Name: INDEX sessions_user_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.sessions_user_id_idx IS 'Serves the sessions of one user (WHERE user_id =) and the cascade when a user is deleted. Costs a sign-in 73 bytes of WAL.';


--
-- Name: users_created_at_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX users_created_at_id_idx ON public.users USING btree (created_at, id);


--
-- Name: INDEX users_created_at_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.users_created_at_id_idx IS 'Serves the page of newest users: ORDER BY created_at, id, an order without ties.';


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
-- Name: accounts accounts_set_row_times; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER accounts_set_row_times BEFORE UPDATE ON public.accounts FOR EACH ROW EXECUTE FUNCTION public.set_row_times();


--
-- Name: sessions sessions_set_row_times; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER sessions_set_row_times BEFORE UPDATE ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.set_row_times();


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
-- Name: sessions sessions_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT sessions_user_id_fkey ON sessions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON CONSTRAINT sessions_user_id_fkey ON public.sessions IS 'Deleting a user ends its sessions in the same statement.';


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
    ('20261125140000');
