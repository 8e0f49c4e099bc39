"""JoinedWrites sends what is written in one turn of the event loop together, in its order."""

import asyncio

from app.joined_writes import JoinedWrites


class Recorder(asyncio.Transport):
    """Records what reaches the socket."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.calls: list[object] = []

    def write(self, data: object) -> None:
        self.calls.append(data)

    def write_eof(self) -> None:
        self.calls.append("eof")

    def close(self) -> None:
        self.calls.append("close")

    def is_closing(self) -> bool:
        return "close" in self.calls


async def test_writes_of_one_turn_are_sent_as_one() -> None:
    recorder = Recorder()
    joined = JoinedWrites(recorder, asyncio.get_running_loop())
    joined.write(b"head ")
    joined.write(b"body")
    assert recorder.calls == []
    await asyncio.sleep(0)
    joined.write(b"the next")
    await asyncio.sleep(0)
    assert recorder.calls == [b"head body", b"the next"]


async def test_close_and_write_eof_send_what_waits_first() -> None:
    recorder = Recorder()
    joined = JoinedWrites(recorder, asyncio.get_running_loop())
    joined.write(b"an answer")
    joined.write_eof()
    joined.write(b"more")
    joined.close()
    await asyncio.sleep(0)
    assert recorder.calls == [b"an answer", "eof", b"more", "close"]


async def test_nothing_is_written_to_a_connection_that_was_lost() -> None:
    recorder = Recorder()
    joined = JoinedWrites(recorder, asyncio.get_running_loop())
    joined.write(b"an answer")
    recorder.close()
    await asyncio.sleep(0)
    assert recorder.calls == ["close"]


async def test_everything_else_is_the_transport_s() -> None:
    recorder = Recorder()
    joined = JoinedWrites(recorder, asyncio.get_running_loop())
    assert joined.get_extra_info("peername") == ("127.0.0.1", 1)
