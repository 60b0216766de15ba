"""A client of the Model Context Protocol: starts `instructedit mcp`, has a picture edited, and saves the result.

    python examples/mcp_client.py scenes/9000000/image.png "Make the cup green" -o out.png
    python examples/mcp_client.py … --server http://127.0.0.1:8765/mcp

This is what Claude Desktop and other assistants do; here a program does it, so no key is needed.
"""

import argparse
import base64
import shlex
import sys
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult

HERE = f"{shlex.quote(sys.executable)} -m agent.faces.cli mcp"


async def told(done: float, total: float | None, message: str | None) -> None:
    """Shows how far the edit is."""
    print(f"\r{message or ''}".ljust(60), end="", file=sys.stderr, flush=True)


async def finished(client: Client, result: CallToolResult) -> CallToolResult:
    """Waits for the job where the server answered with one; it does so before a client's patience ends."""
    while "job" in (result.structured_content or {}) and not result.is_error:
        job = {"job": result.structured_content["job"]}
        result = await client.call_tool("check_job", job, progress_callback=told)
    return result


async def edit(server: str, image: Path, instruction: str, output: Path) -> int:
    """Has one picture edited; returns the exit code."""
    words = shlex.split(server)
    place = server if server.startswith("http") else StdioServerParameters(command=words[0], args=words[1:])
    async with Client(place) as client:
        picture = base64.b64encode(image.read_bytes()).decode()
        call = {"instruction": instruction, "image_base64": picture}
        result = await finished(client, await client.call_tool("edit_image", call, progress_callback=told))
        print(file=sys.stderr)
        print(result.content[0].text)
        answer = result.structured_content
        if result.is_error or answer["kind"] != "edit":
            return 1
        # The answer itself holds a small preview only; the whole picture is a resource.
        whole = (await client.read_resource(answer["picture"])).contents[0]
        output.write_bytes(base64.b64decode(whole.blob))
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", type=Path)
    parser.add_argument("instruction")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--server", default=HERE, help="a command that speaks over stdio, or the address of a server")
    given = parser.parse_args(arguments)
    return anyio.run(edit, given.server, given.image, given.instruction, given.output)


if __name__ == "__main__":
    sys.exit(main())
