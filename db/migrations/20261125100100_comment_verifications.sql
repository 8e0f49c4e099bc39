-- migrate:up

COMMENT ON COLUMN verifications.identifier IS
    'Secret: what is verified and mostly the token itself, such as reset-password:TOKEN, or the SHA-256 of that in Base64, where the settings say so; for mails that show an address their kind and the user''s id. Written once, with the row.';
COMMENT ON COLUMN verifications.value IS
    'Secret: what the token stands for, mostly the user''s id, or a code to compare; for mails that show an address the id of their token. Written with the row; plugins that count attempts change it.';
COMMENT ON INDEX verifications_identifier_created_at_idx IS
    'Serves the look-up of the newest row of an identifier (WHERE identifier = ORDER BY created_at DESC) and its deletion.';
COMMENT ON INDEX verifications_value_idx IS
    'Serves the end of everything that was mailed to a user (WHERE value = AND length(value) = 36), when a password or an address changes.';

-- migrate:down

-- Lost: comments.
COMMENT ON COLUMN verifications.identifier IS
    'Secret: what is verified and mostly the token itself, such as reset-password:TOKEN. Written once, with the row.';
COMMENT ON COLUMN verifications.value IS
    'Secret: what the token stands for, such as the user''s id, or a code to compare. Written with the row; plugins that count attempts change it.';
COMMENT ON INDEX verifications_identifier_created_at_idx IS
    'Serves the only look-up, the newest row of an identifier: WHERE identifier = ORDER BY created_at DESC.';
COMMENT ON INDEX verifications_value_idx IS NULL;
