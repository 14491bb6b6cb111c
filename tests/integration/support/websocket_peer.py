"""websocket_peer.py serve: sends every message back, on a port of the kernel's choosing, which it prints.
websocket_peer.py talk URL LAST SIZE…: sends messages of these sizes, expects them back, then closes by itself (LAST is
bye) or has itself closed (LAST is close), and prints what it saw of the end. Pings go both ways meanwhile."""

import asyncio
import contextlib
import os
import sys

import websockets

LIMIT = 64 << 20
OPTIONS = {"max_size": LIMIT, "compression": None, "ping_interval": 0.2, "ping_timeout": 60, "close_timeout": 60}


async def answer(connection):
    with contextlib.suppress(websockets.ConnectionClosed):
        while (message := await connection.recv()) != "close":
            await connection.send(message)
        await connection.close(4000, "as you wish")
    print("closed", connection.close_code, connection.close_reason, flush=True)


async def serve():
    async with websockets.serve(answer, "127.0.0.1", 0, **OPTIONS) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


async def talk(url, last, sizes):
    async with websockets.connect(url, **OPTIONS) as connection:
        for size in sizes:
            message = os.urandom(size)
            await connection.send(message)
            assert await connection.recv() == message, size
        await connection.send("text, too: ä")
        assert await connection.recv() == "text, too: ä"
        if last == "close":
            await connection.send("close")
            await connection.wait_closed()
        else:
            await connection.close(4001, "bye")
        print(connection.close_code, connection.close_reason, flush=True)


def main():
    if sys.argv[1] == "serve":
        asyncio.run(serve())
    else:
        asyncio.run(talk(sys.argv[2], sys.argv[3], [int(size) for size in sys.argv[4:]]))


main()
