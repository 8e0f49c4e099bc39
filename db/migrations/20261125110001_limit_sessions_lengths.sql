-- migrate:up

-- NOT VALID, so that the table is not read under this lock; a later file validates.
ALTER TABLE sessions
    ADD CONSTRAINT sessions_user_agent_length CHECK (length(user_agent) <= 16384) NOT VALID;
COMMENT ON CONSTRAINT sessions_user_agent_length ON sessions IS
    'What Node lets into the head of a request: with less, Better Auth would refuse a sign-in that the client sent a long header with. Gatepost cuts it off at 2,000.';

-- migrate:down

-- Lost: nothing; a text of any length is stored again.
ALTER TABLE sessions
    DROP CONSTRAINT sessions_user_agent_length;
