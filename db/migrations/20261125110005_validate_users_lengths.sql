-- migrate:up

-- Reads every row once, in a transaction of its own: no read and no write waits for it.
ALTER TABLE users
    VALIDATE CONSTRAINT users_name_length,
    VALIDATE CONSTRAINT users_image_length;

-- migrate:down

-- Lost: nothing; the checks are NOT VALID again.
ALTER TABLE users
    DROP CONSTRAINT users_name_length,
    ADD CONSTRAINT users_name_length CHECK (length(name) <= 32768) NOT VALID,
    DROP CONSTRAINT users_image_length,
    ADD CONSTRAINT users_image_length CHECK (length(image) <= 262144) NOT VALID;
COMMENT ON CONSTRAINT users_name_length ON users IS
    'Longer than any name: a trusted backend may keep more in it than the 1,000 that the auth API takes; get-session reads and sends it each time.';
COMMENT ON CONSTRAINT users_image_length ON users IS
    'An address of any length that browsers take, or a picture as a data: address: the largest photo that Microsoft gives is some 130,000 characters. get-session reads and sends it each time.';
