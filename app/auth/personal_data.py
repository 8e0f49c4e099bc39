"""All that is kept of one user: given out as JSON, and erased with a receipt.

The tables are those whose foreign keys lead to users, so an application's own are among them. What
is shown of a row is what is declared and no secret; the rest is named, so that nothing is missing
without a word. No row of another table is followed further: it may be somebody else's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final
from uuid import UUID

import msgspec

from ..database import Database, Transaction
from ..personal_data_types import Erased, Export, LeftOut, Limit, Link, Receipt
from ..schema import Erasure, Schema, User, session_activity
from ..statements import (
    erasures,
    events,
    personal_data,
    rate_limits,
    sessions,
    users,
    verifications,
)
from ..statements.personal_data import Reference
from . import account_limit
from .pseudonyms import Pseudonyms

_PURPOSE: Final = "erasures"  # another than the log's: a receipt does not lead to what somebody did


@dataclass(frozen=True, slots=True)
class PersonalData:
    """Export and erasure in a database. Without ``secrets``, those of the auth API, there is no
    erasure, for nothing could stand for the address in the receipt."""

    database: Database
    schema: Schema
    secrets: Sequence[str]

    async def export(self, user_id: UUID, include: Iterable[str] = ()) -> Export | None:
        """All that is kept of a user; None when there is no such user.

        ``include``: tables, or columns as TABLE.COLUMN, that are shown although nothing declares
        them. Raises KeyError with the first that is not there, or is secret. Raises DatabaseError.
        """
        named = set(include)

        async def read(transaction: Transaction) -> Export | None:
            found = await transaction.fetchrow(users.by_id, user_id)
            if found is None:
                return None
            rows: dict[str, list[msgspec.Raw]] = {}
            left_out, unknown = list[LeftOut](), set(named)
            for keys in await _tables(transaction):
                table = keys[0]
                shown = [c for c in table.columns if self._is_shown(table, c, named)]
                unknown -= {table.name, *(f"{table.name}.{column}" for column in shown)}
                number = None
                if table.readable and shown:
                    of_user = personal_data.rows_of(keys, shown)
                    records = await transaction.fetch(of_user, user_id)
                    rows[table.name] = [msgspec.Raw(each["row"].encode()) for each in records]
                    number = len(records)
                elif table.readable:
                    number = await _count(transaction, keys, user_id)
                hidden = [column for column in table.columns if column not in shown]
                if (hidden and number != 0) or number is None:
                    left_out.append(LeftOut(table.name, hidden, number))
            if unknown:
                raise KeyError(min(unknown))
            seen = await transaction.fetch(personal_data.activity, user_id)
            rows[session_activity.name] = [msgspec.Raw(each["row"].encode()) for each in seen]
            kept = await transaction.fetch(verifications.of_user, *_links(user_id))
            limits = await self._limits(transaction, found)
            counted = await transaction.fetch(rate_limits.of_keys, list(limits))
            recorded = await transaction.fetch(events.of_user, user_id)
            return Export(
                exported_at=datetime.now(UTC),
                user=rows.pop("users")[0],
                accounts=rows.pop("accounts"),
                sessions=rows.pop("sessions"),
                verifications=[
                    Link(_kind_of(each.identifier), each.created_at, each.expires_at)
                    for each in kept
                ],
                rate_limits=[
                    Limit(limits[each["key"]], each["count"], _time(each["last_request"]))
                    for each in counted
                ],
                events=[msgspec.Raw(each["row"].encode()) for each in recorded],
                tables=rows,
                left_out=left_out,
            )

        return await self.database.transaction("personal_data.export", read)

    async def erase(self, user_id: UUID) -> Erased | None:
        """Delete all that is kept of a user, and write the receipt, in one transaction. Events
        stay, without values and addresses.

        None when there is no such user. Raises DatabaseError, also when a table of the
        application's own refuses that the user goes.
        """

        async def write(transaction: Transaction) -> Erased | None:
            user = await transaction.fetchrow(users.lock, user_id)
            if user is None:
                return None
            counts, kept = dict[str, int | None](), dict[str, int | None]()
            for keys in await _tables(transaction):
                deleted = [key for key in keys if key.on_delete not in ("n", "d")]
                if deleted:
                    counts[keys[0].name] = await _count(transaction, deleted, user_id)
                elif (number := await _count(transaction, keys, user_id)) != 0:
                    kept[keys[0].name] = number
            # which goes with the sessions
            seen = await transaction.fetch(personal_data.activity, user_id)
            limits = await self._limits(transaction, user)
            ended = await transaction.fetch(verifications.end_of_user, *_links(user_id))
            gone = await transaction.fetch(rate_limits.end, list(limits))
            counts |= {
                session_activity.name: len(seen),
                "verifications": len(ended),
                "rate_limits": len(gone),
            }
            await transaction.fetch(users.delete, user_id)
            await transaction.fetch(events.redact, user_id)
            pseudonyms = Pseudonyms(self.secrets[0], _PURPOSE)
            arguments = (pseudonyms.of(str(user_id)), pseudonyms.of(user.email))
            text = msgspec.json.encode(counts).decode()
            row = await transaction.fetchrow(erasures.create, *arguments, text)
            return None if row is None else Erased(_receipt(row), kept)

        return await self.database.transaction("personal_data.erase", write)

    async def receipts(self, text: str) -> list[Receipt]:
        """The receipts of an id, or of an address in lower case. Raises DatabaseError."""
        pseudonyms = [Pseudonyms(secret, _PURPOSE).of(text) for secret in self.secrets]
        return [_receipt(row) for row in await self.database.fetch(erasures.find, pseudonyms)]

    def _is_shown(self, table: Reference, column: str, named: set[str]) -> bool:
        relation = self.schema.relations.get(table.name)
        declared = relation.columns.get(column) if relation else None
        if declared is not None:
            return not declared.secret
        return table.name in named or f"{table.name}.{column}" in named

    async def _limits(self, transaction: Transaction, user: User) -> dict[str, str]:
        """The keys under which something of a user is counted, and what that is."""
        rows = await transaction.fetch(sessions.addresses_of_user, user.id)
        addresses = {row["ip_address"] for row in rows}
        pseudonyms = Pseudonyms(self.secrets[0]) if self.secrets else None
        return account_limit.keys_of(user.id, user.email, addresses, pseudonyms)


async def _tables(transaction: Transaction) -> list[list[Reference]]:
    """The tables that refer to users, each with its keys; users itself is the first."""
    found = await transaction.fetch(personal_data.references)
    return [list(keys) for _, keys in groupby(found, lambda key: key.name)]


async def _count(transaction: Transaction, keys: Sequence[Reference], user_id: UUID) -> int | None:
    if not keys[0].readable:
        return None
    row = await transaction.fetchrow(personal_data.count_of(keys), user_id)
    return row["count"] if row else None


def _links(user_id: UUID) -> tuple[str, list[str]]:
    """The arguments that find the links of a user."""
    from . import proofs  # with the modules of all endpoints, which a help text needs not

    return str(user_id), proofs.mail_identifiers(user_id)


def _kind_of(identifier: str) -> str:
    from . import proofs

    return proofs.kind_of(identifier)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _receipt(row: Erasure) -> Receipt:
    counts = msgspec.json.decode(row.counts, type=dict[str, int | None])
    return Receipt(row.id, row.user_pseudonym, row.email_pseudonym, counts, row.erased_at)
