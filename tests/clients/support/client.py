"""Python clients under test, one after the other in one process, because loading them takes longer than all they do.

Reads a line of JSON at a time from stdin. A list, [mcp1|mcp2|fastmcp, limit, url | command, args...], connects a client
whose calls have a time limit in s. Each object is a call by this client, and is answered with a line: the data that the
tool returned, or else what it returned as blocks; null if the client's own time limit has passed, or a text if the
client has failed in another way. null closes the client, which is answered with null once it has closed.
"""

import asyncio
import json
import sys
from datetime import timedelta


def data_of(structured, content):
    """The data, or the type of each block with the length of its text or its base64."""
    if structured is not None:
        return structured
    return {"blocks": [[block.type, len(getattr(block, "data", getattr(block, "text", "")))] for block in content]}


def is_timeout(error: BaseException) -> bool:
    text = f"{type(error).__name__} {error}".lower()
    return "timeout" in text or "timed out" in text


async def mcp1(limit, target, use):
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import streamablehttp_client

    if target[0].startswith("http"):
        transport = streamablehttp_client(target[0])
    else:
        transport = stdio_client(StdioServerParameters(command=target[0], args=target[1:]))
    async with transport as streams, ClientSession(streams[0], streams[1]) as session:
        await session.initialize()
        await session.list_tools()

        async def call(name, args):
            result = await session.call_tool(name, args, read_timeout_seconds=timedelta(seconds=limit))
            return data_of(result.structuredContent, result.content)

        await use(call)


async def mcp2(limit, target, use):
    from mcp import Client, StdioServerParameters

    server = target[0] if target[0].startswith("http") else StdioServerParameters(command=target[0], args=target[1:])
    async with Client(server) as client:
        await client.list_tools()

        async def call(name, args):
            result = await client.call_tool(name, args, read_timeout_seconds=limit)
            return data_of(result.structured_content, result.content)

        await use(call)


async def fastmcp(limit, target, use):
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    server = target[0] if target[0].startswith("http") else StdioTransport(command=target[0], args=target[1:])
    async with Client(server) as client:
        await client.list_tools()

        async def call(name, args):
            result = await client.call_tool(name, args, timeout=limit)
            return data_of(result.structured_content, result.content)

        await use(call)


async def read():
    line = await asyncio.to_thread(sys.stdin.readline)
    return json.loads(line) if line else None


async def serve(call):
    while request := await read():
        try:
            answer = await call(request["name"], request["args"])
        except Exception as error:
            answer = None if is_timeout(error) else f"{type(error).__name__}: {error}"
        print(json.dumps(answer), flush=True)


async def main():
    clients = {"mcp1": mcp1, "mcp2": mcp2, "fastmcp": fastmcp}
    while target := await read():
        kind, limit, *target = target
        await clients[kind](limit, target, serve)
        print("null", flush=True)


asyncio.run(main())
