"""Asks providers at public addresses, in a network of its own: run by test_public_addresses.py.

Prints as JSON what came of each name, and which names were looked up.
"""

import asyncio
import json
import os
import ssl
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.outgoing.client import Outgoing, OutgoingError

NAME: Final = "id.example.com"
NAMES: Final = (NAME, "other.example.com", "mixed.example.com", "second.example.com")


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """One for NAME and second.example.com, signed with its own key, and that key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(NAME), x509.DNSName("second.example.com")]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    host = next(line[6:] for line in head.split("\r\n") if line.startswith("host: "))
    body = json.dumps(host).encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
    await writer.drain()
    writer.close()


async def ask(address: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = write_certificate(Path(folder))
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)
        os.environ["SSL_CERT_FILE"] = str(certificate)
        await asyncio.start_server(answer, address, 443, ssl=tls)
        outgoing, looked_up, found = Outgoing(), list[str](), dict[str, Any]()

        def notice(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "socket.getaddrinfo":
                looked_up.append(str(arguments[0]))

        sys.addaudithook(notice)
        for name in NAMES:
            try:
                given = await outgoing.caller(public_only=True).ask(f"https://{name}/")
                found[name] = given.json()
            except OutgoingError as error:
                found[name] = str(error)
        await outgoing.close()
        return {"found": found, "looked_up": looked_up}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(sys.argv[1]))))  # noqa: T201
