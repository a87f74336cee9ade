"""The server with real sockets: remotes, probes, TLS, junk, and clients that do not read."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import ssl
import stat
import subprocess
import weakref
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import pytest

from hotswitch.ovsdb import connection, endpoints, storage
from hotswitch.ovsdb import server as server_module
from hotswitch.ovsdb.jsonrpc import Reply, Request, encode
from hotswitch.ovsdb.log import LogError, read_records
from hotswitch.ovsdb.remotes import Options, RemoteError
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.tls import Tls
from tests.ovsdb.room import Peer, eventually, insert_bridge, room

P = ParamSpec("P")
ZERO = "00000000-0000-0000-0000-000000000000"
MANAGERS = "db:Open_vSwitch,Open_vSwitch,manager_options"


def in_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    @wraps(test)
    def run(*arguments: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*arguments, **named))

    return run


@in_loop
async def test_clients_hear_of_each_other(tmp_path: Path) -> None:
    async with room(tmp_path) as it:
        one, other = await it.client(), await it.client()
        await one.ask("monitor", "Open_vSwitch", "m", {"Bridge": {"columns": ["name"]}})
        await other.ask("transact", "Open_vSwitch", *insert_bridge("br0"))
        update = await one.update()
        assert [each["new"] for each in update.params[1]["Bridge"].values()] == [{"name": "br0"}]


@pytest.mark.parametrize("junk", [b"junk", b"{]", b"\0" * 9, b'{"id":1}', os.urandom(3000)])
def test_junk_ends_only_its_connection(tmp_path: Path, junk: bytes) -> None:
    @in_loop
    async def run() -> None:
        async with room(tmp_path) as it:
            good, bad = await it.client(), await it.client()
            await good.ask("list_dbs")
            bad.writer.write(junk)
            assert await bad.ended()
            assert await good.ask("list_dbs") == ["Open_vSwitch", "_Server"]
            await eventually(lambda: len(it.server.connections()) == 1)

    run()


@in_loop
async def test_junk_does_not_fill_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with room(tmp_path) as it:
        for _ in range(40):
            bad = await it.client()
            bad.writer.write(b"junk")
            assert await bad.ended()
        assert await (await it.client()).ask("list_dbs")
    dropped = [each for each in caplog.messages if "dropped a client" in each]
    assert len(dropped) == 10


@in_loop
async def test_a_message_too_large_ends_its_connection(
    tmp_path: Path,
) -> None:
    async with room(tmp_path) as it:
        bad = await it.client()
        bad.writer.write(b'{"method":"')
        with pytest.raises(ConnectionError):
            for _ in range(80):
                bad.writer.write(b"x" * (1 << 20))
                await bad.writer.drain()
        assert await (await it.client()).ask("list_dbs")


@in_loop
async def test_a_client_that_does_not_read_is_not_read_from(tmp_path: Path) -> None:
    """It asks for 30 KB with each 60 bytes; that must not be more than a little at a time."""
    async with room(tmp_path) as it:
        deaf = socket.socket(socket.AF_UNIX)
        deaf.setblocking(False)
        deaf.connect(str(it.socket))
        request = encode(Request("get_schema", ["Open_vSwitch"], 1))
        sent = 0
        for _ in range(50):
            try:
                sent += deaf.send(request * 2000)
            except BlockingIOError:
                await asyncio.sleep(0.01)
        assert sent > 100 * len(request)
        (held,) = [each.held for each in it.server.connections()]
        assert held < 4 * connection.HIGH_WATER
        good = await it.client()
        assert await good.ask("list_dbs")
        deaf.close()
        await eventually(lambda: len(it.server.connections()) == 1)


@in_loop
async def test_a_slow_client_gets_everything_in_the_end(tmp_path: Path) -> None:
    async with room(tmp_path) as it:
        slow = await it.client()
        count = 300
        for _ in range(count):
            slow.send("get_schema", "Open_vSwitch")
        await eventually(lambda: any(each.backlog > 1 << 20 for each in it.server.connections()))
        for number in range(1, count + 1):
            message = await slow.receive()
            assert isinstance(message, Reply) and message.id == number


@in_loop
async def test_a_client_that_stalls_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STALLED", 0.2)
    monkeypatch.setattr(server_module, "_TICK", 0.05)
    async with room(tmp_path) as it:
        deaf = socket.socket(socket.AF_UNIX)
        deaf.setblocking(False)
        deaf.connect(str(it.socket))
        deaf.send(encode(Request("monitor", ["Open_vSwitch", 1, {"Bridge": {}}], 1)))
        writer = await it.client()
        await writer.ask("transact", "Open_vSwitch", *insert_bridge("br0"))
        note = ["map", [["k", "x" * 100_000]]]
        peak = 0
        for number in range(200):
            row = {"other_config": note, "external_ids": ["map", [["n", str(number)]]]}
            note[1][0][1] = f"{number}" + note[1][0][1][:100_000]
            update = {"op": "update", "table": "Bridge", "where": [], "row": row}
            await writer.ask("transact", "Open_vSwitch", update)
            peak = max(peak, max(each.held for each in it.server.connections()))
        assert peak < 4 * connection.HIGH_WATER
        await eventually(lambda: len(it.server.connections()) == 1)
        assert await writer.ask("list_dbs")
        deaf.close()


@in_loop
async def test_the_greediest_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_TICK", 0.05)
    monkeypatch.setattr(server_module, "MEMORY", 1 << 20)
    async with room(tmp_path) as it:
        good, greedy = await it.client(), await it.client()
        greedy.writer.write(b'{"method":"' + b"x" * (2 << 20))
        assert await greedy.ended()
        assert await good.ask("list_dbs")


@in_loop
async def test_a_silent_client_is_probed_and_dropped(tmp_path: Path) -> None:
    async with room(tmp_path, options=Options(probe=100)) as it:
        alive, silent = await it.client(), await it.client()
        probe = await silent.receive()
        assert isinstance(probe, Request) and probe.method == "echo"
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.5
        while loop.time() < until:
            probe = await alive.receive()
            assert isinstance(probe, Request)
            alive.writer.write(encode(Reply(probe.params, None, probe.id)))
        with pytest.raises((EOFError, ConnectionError)):
            await silent.receive()
        assert len(it.server.connections()) == 1


@pytest.mark.parametrize("sent", [b"[" * 100_000, b'{"id":1,"method":"' + b"x" * 100_000, b"{}"])
@in_loop
async def test_nothing_is_left_of_a_client_that_has_gone(tmp_path: Path, sent: bytes) -> None:
    """The collector of cycles comes late: it counts objects, however many bytes they hold."""
    async with room(tmp_path) as it:
        gc.disable()
        try:
            peer = await it.client()
            left = weakref.ref((await eventually(it.server.connections)).pop())
            peer.writer.write(sent)
            with contextlib.suppress(ConnectionError):
                await peer.writer.drain()
            peer.close()
            await eventually(lambda: not it.server.connections())
            await eventually(lambda: left() is None, "it is freed")
        finally:
            gc.enable()


@in_loop
async def test_the_server_calls_and_calls_again(tmp_path: Path) -> None:
    peers: asyncio.Queue[Peer] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peers.put(Peer(reader, writer))

    manager = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = manager.sockets[0].getsockname()[1]
    async with manager, room(tmp_path, remotes=(f"tcp:127.0.0.1:{port}",)):
        for _ in range(2):
            peer = await asyncio.wait_for(peers.get(), 20)
            assert await peer.ask("list_dbs") == ["Open_vSwitch", "_Server"]
            peer.close()


@in_loop
async def test_the_log_says_once_why_nobody_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endpoints, "_PAUSE", 0.01)
    caplog.set_level("INFO")
    calls: list[int] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(1)
        writer.close()

    def said() -> int:
        return caplog.text.count("unix:later.sock: can't connect")

    async with room(tmp_path) as it:
        await it.server.add_remote("unix:later.sock")
        await asyncio.sleep(0.3)  # five calls
        assert said() == 1
        async with await asyncio.start_unix_server(accept, tmp_path / "later.sock"):
            await eventually(lambda: calls)
        (tmp_path / "later.sock").unlink()
        await eventually(lambda: said() == 2)


@in_loop
async def test_managers_in_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_STATUS", 0.05)
    async with room(tmp_path, remotes=(MANAGERS,)) as it:
        client = await it.client()
        target = "ptcp:0:127.0.0.1"
        change = ["manager_options", "insert", ["set", [["named-uuid", "m"]]]]
        row = {"target": target, "inactivity_probe": 0}
        await client.ask(
            "transact",
            "Open_vSwitch",
            {"op": "insert", "table": "Manager", "uuid-name": "m", "row": row},
            {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [change]},
        )

        async def manager() -> dict[str, Any]:
            select = {"op": "select", "table": "Manager", "where": []}
            ((row,),) = [
                each["rows"] for each in await client.ask("transact", "Open_vSwitch", select)
            ]
            return {**row, "status": dict(row["status"][1])}

        while not (status := (await manager())["status"]).get("bound_port"):
            await asyncio.sleep(0.01)
        peer = await Peer.tcp(int(status["bound_port"]))
        assert await peer.ask("list_dbs")
        while not (await manager())["is_connected"]:
            await asyncio.sleep(0.01)
        size = it.storage.size
        clear = {"op": "update", "table": "Open_vSwitch", "where": [], "row": {}}
        clear["row"] = {"manager_options": ["set", []]}
        await client.ask("transact", "Open_vSwitch", clear)
        assert await peer.ended()
        assert it.storage.size > size  # the status is ephemeral, the configuration is not


@in_loop
async def test_remotes_are_added_and_removed(tmp_path: Path) -> None:
    async with room(tmp_path) as it:
        await it.server.add_remote("punix:more.sock")
        peer = await Peer.unix(tmp_path / "more.sock")
        assert await peer.ask("list_dbs")
        await it.server.remove_remote("punix:more.sock")
        assert await peer.ended()
        assert not (tmp_path / "more.sock").exists()
        for bad in (
            "nonsense",
            "punix:",
            "ptcp:x",
            "ptcp:1:nowhere",
            "db:a,b",
            "db:a,b,c",
            "pssl:0",
        ):
            with pytest.raises(RemoteError):
                await it.server.add_remote(bad)
        with pytest.raises(RemoteError, match="no such remote"):
            await it.server.remove_remote("punix:more.sock")
        assert list(it.server.remotes) == ["punix:db.sock"]


@in_loop
async def test_sockets_are_private_unless_a_group_may(tmp_path: Path) -> None:
    async with room(tmp_path) as it:
        assert stat.S_IMODE(it.socket.stat().st_mode) == 0o600
        with pytest.raises(RemoteError, match="another program listens"):
            await it.server.add_remote(f"punix:{it.socket}")
        dead = tmp_path / "dead.sock"
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(str(dead))
        await it.server.add_remote("punix:dead.sock")
        assert await (await Peer.unix(dead)).ask("list_dbs")
    other = tmp_path / "other"
    other.mkdir()
    async with room(other, group=12345) as it:
        status = it.socket.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o660, 12345)


def _certificates(directory: Path) -> None:
    """Make an authority, and a certificate signed by it for the server and the client."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *new, "-subj", "/CN=x", "-keyout", "x.key", "-out", "x.csr")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    openssl("x509", "-req", "-in", "x.csr", *signed, "-out", "x.pem")


@in_loop
async def test_tls_verifies_its_peers(tmp_path: Path) -> None:
    _certificates(tmp_path)
    files = [str(tmp_path / name) for name in ("x.key", "x.pem", "ca.pem")]
    remote = "pssl:0:127.0.0.1"
    async with room(tmp_path, tls=Tls(*files), remotes=(remote,)) as it:
        port = it.server.port(remote)
        good = await Peer.tcp(port, ssl=Tls(*files).context(server=False), server_hostname="")
        assert await good.ask("list_dbs")
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        nobody.check_hostname = False
        nobody.load_verify_locations(files[2])
        with pytest.raises((ssl.SSLError, ConnectionError)):
            peer = await Peer.tcp(port, ssl=nobody, server_hostname="")
            if await peer.ended():
                raise ConnectionError
        plain = await Peer.tcp(port)
        plain.writer.write(b"hello")
        with pytest.raises((EOFError, ConnectionError)):
            await plain.receive()
        assert await good.ask("list_dbs")


@in_loop
async def test_tls_as_the_database_says(tmp_path: Path) -> None:
    _certificates(tmp_path)
    names = [f"db:Open_vSwitch,SSL,{each}" for each in ("private_key", "certificate", "ca_cert")]
    async with room(tmp_path, tls=Tls(*names)) as it:
        with pytest.raises(RemoteError, match="private key"):
            await it.server.add_remote("pssl:0:127.0.0.1")
        files = [str(tmp_path / name) for name in ("x.key", "x.pem", "ca.pem")]
        row = dict(zip(("private_key", "certificate", "ca_cert"), files, strict=True))
        client = await it.client()
        await client.ask(
            "transact",
            "Open_vSwitch",
            {"op": "insert", "table": "SSL", "uuid-name": "s", "row": row},
            {
                "op": "update",
                "table": "Open_vSwitch",
                "where": [],
                "row": {"ssl": ["named-uuid", "s"]},
            },
        )
        await it.server.add_remote("pssl:0:127.0.0.1")
        context = Tls(*files).context(server=False)
        port = it.server.port("pssl:0:127.0.0.1")
        assert await (await Peer.tcp(port, ssl=context, server_hostname="")).ask("list_dbs")


@in_loop
async def test_a_wait_ends_in_time(tmp_path: Path) -> None:
    async with room(tmp_path) as it:
        client = await it.client()
        wait = {"op": "wait", "table": "Bridge", "where": [], "rows": [], "until": "!="}
        wait |= {"columns": ["name"], "timeout": 50}
        loop = asyncio.get_running_loop()
        began = loop.time()
        (result,) = await client.ask("transact", "Open_vSwitch", wait)
        assert result["error"] == "timed out"
        assert loop.time() - began >= 0.05


@in_loop
async def test_the_file_is_compacted_in_the_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "COMPACTION_MINIMUM", 200_000)
    async with room(tmp_path) as it:
        client = await it.client()
        await client.ask("transact", "Open_vSwitch", *insert_bridge("br0"))
        for number in range(2000):
            row = {"external_ids": ["map", [["n", f"{number}" + "x" * 200]]]}
            update = {"op": "update", "table": "Bridge", "where": [], "row": row}
            client.send("transact", "Open_vSwitch", update)
        for _ in range(2000):
            await client.receive()
        await eventually(lambda: not it.storage.compacting)
        records = list(read_records((tmp_path / "conf.db").read_bytes()))
        assert records[1].value["_comment"] == "compacted by hotswitch"
        assert len(records) < 2000
        with pytest.raises(LogError):
            Storage.open(tmp_path / "conf.db")
    again = Storage.open(tmp_path / "conf.db")
    select = {"op": "select", "table": "Bridge", "where": [], "columns": ["external_ids"]}
    (result,) = again.transact([select]).results
    assert result["rows"][0]["external_ids"] == ["map", [["n", "1999" + "x" * 200]]]
    again.close()


@in_loop
async def test_a_start_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RemoteError):
        async with room(tmp_path, remotes=("punix:/nowhere/at/all.sock",)):
            pass
    assert not (tmp_path / "db.sock").exists()
