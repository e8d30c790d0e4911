"""A WebSocket server for Autobahn's fuzzing client: everything comes back. wsecho.py PORT"""
import asyncio
import sys

import websockets


async def echo(ws, *_):
    async for message in ws:
        await ws.send(message)


async def serve():
    async with websockets.serve(echo, "127.0.0.1", int(sys.argv[1]), max_size=None, compression=None):
        await asyncio.Future()

asyncio.run(serve())
