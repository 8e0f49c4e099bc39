#!/bin/sh
# Makes a certificate authority, once, and a certificate for each address, in the current folder:
#     ./certificates.sh 10.0.0.11 10.0.0.12 10.0.0.13
# They are good for ten years. Without ca.key nobody can make another: keep it away from the machines.
set -eu
umask 077

key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
if [ ! -e ca.key ]; then
    # shellcheck disable=SC2086
    openssl req -x509 $key -keyout ca.key -out ca.crt -days 3650 -subj "/CN=Gatepost's database"
fi
for address in "$@"; do
    # of the server and of the client at once: the nodes ask each other. 127.0.0.1: through haproxy
    printf 'subjectAltName=IP:%s,IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=%s\n' \
        "$address" serverAuth,clientAuth >"$address.ext"
    # shellcheck disable=SC2086
    openssl req $key -keyout "$address.key" -subj "/CN=$address" |
        openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 \
            -extfile "$address.ext" -out "$address.crt"
    rm "$address.ext"
done
