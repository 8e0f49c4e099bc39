-- migrate:up

-- The auth API was called the auth door when these tables were made.
COMMENT ON TABLE users IS
    'The people of the application. Written by the auth API, by Better Auth and by trusted backends.';
COMMENT ON TABLE sessions IS
    'Who is signed in where. Written by the auth API, by Better Auth and by trusted backends; deleting a user deletes its sessions. A tenth of each page stays free, so that every refresh is a HOT update (with full pages a quarter is not); vacuum comes at 2 % dead rows, to give the room of a purge to new ones.';
COMMENT ON TABLE accounts IS
    'The ways a user can sign in: a password, or a provider. Written by the auth API, by Better Auth and by trusted backends; deleting a user deletes its accounts.';
COMMENT ON TABLE verifications IS
    'What was sent out to be brought back once: password resets, OAuth states, codes. Written and used up by the auth API, by Better Auth and by trusted backends.';
COMMENT ON TABLE rate_limits IS
    'How often an address asked for a path of late. Written by the auth API and by Better Auth, once a limited request.';

-- migrate:down

-- Lost: nothing but the name.
COMMENT ON TABLE users IS
    'The people of the application. Written by the auth door, by Better Auth and by trusted backends.';
COMMENT ON TABLE sessions IS
    'Who is signed in where. Written by the auth door, by Better Auth and by trusted backends; deleting a user deletes its sessions. A tenth of each page stays free, so that every refresh is a HOT update (with full pages a quarter is not); vacuum comes at 2 % dead rows, to give the room of a purge to new ones.';
COMMENT ON TABLE accounts IS
    'The ways a user can sign in: a password, or a provider. Written by the auth door, by Better Auth and by trusted backends; deleting a user deletes its accounts.';
COMMENT ON TABLE verifications IS
    'What was sent out to be brought back once: password resets, OAuth states, codes. Written and used up by the auth door, by Better Auth and by trusted backends.';
COMMENT ON TABLE rate_limits IS
    'How often an address asked for a path of late. Written by the auth door and by Better Auth, once a limited request.';
