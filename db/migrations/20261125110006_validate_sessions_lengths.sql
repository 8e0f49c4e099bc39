-- migrate:up

-- Reads every row once, in a transaction of its own: no read and no write waits for it.
ALTER TABLE sessions
    VALIDATE CONSTRAINT sessions_user_agent_length;

-- migrate:down

-- Lost: nothing; the checks are NOT VALID again.
ALTER TABLE sessions
    DROP CONSTRAINT sessions_user_agent_length,
    ADD CONSTRAINT sessions_user_agent_length CHECK (length(user_agent) <= 16384) NOT VALID;
COMMENT ON CONSTRAINT sessions_user_agent_length ON sessions IS
    'What Node lets into the head of a request: with less, Better Auth would refuse a sign-in that the client sent a long header with. Gatepost cuts it off at 2,000.';
