-- migrate:up

-- NOT VALID, so that the table is not read under this lock; a later file validates.
ALTER TABLE users
    ADD CONSTRAINT users_name_length CHECK (length(name) <= 32768) NOT VALID,
    ADD CONSTRAINT users_image_length CHECK (length(image) <= 262144) NOT VALID;
COMMENT ON CONSTRAINT users_name_length ON users IS
    'Longer than any name: a trusted backend may keep more in it than the 1,000 that the auth API takes; get-session reads and sends it each time.';
COMMENT ON CONSTRAINT users_image_length ON users IS
    'An address of any length that browsers take, or a picture as a data: address: the largest photo that Microsoft gives is some 130,000 characters. get-session reads and sends it each time.';

-- migrate:down

-- Lost: nothing; a text of any length is stored again.
ALTER TABLE users
    DROP CONSTRAINT users_name_length,
    DROP CONSTRAINT users_image_length;
