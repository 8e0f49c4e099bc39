-- migrate:up

-- Only of users who are gone: whoever took the service over cannot blank what is about a living one.
CREATE FUNCTION redact_events(erased_user uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
COMMENT ON FUNCTION redact_events(uuid) IS
    'Takes values and addresses out of the events of a user who is gone; gives their number. That they happened, when and to which id stays. SECURITY DEFINER: the service''s role may not change events.';
REVOKE EXECUTE ON FUNCTION redact_events(uuid) FROM PUBLIC;

-- migrate:down

-- Lost: nothing. Until it is back an erasure fails, and erases nothing.
DROP FUNCTION redact_events(uuid);
