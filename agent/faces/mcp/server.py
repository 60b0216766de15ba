"""The MCP server: lists the tools, begins calls, tells their progress, and hands out pictures as resources."""

import asyncio
import base64
import logging
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from agent.faces import __version__
from agent.faces.mcp.desk import SCHEME, Answer, Desk
from agent.faces.mcp.jobs import Job, Jobs
from agent.faces.mcp.offers import INSTRUCTIONS, Offer, Offers
from instructedit_models.errors import CancelledError, InstructEditError

if TYPE_CHECKING:
    import mcp_types as types
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server

__all__ = ["build_server"]

_LOG = logging.getLogger(__name__)
_NAME = "instructedit"


def build_server(desk: Desk, jobs: Jobs, *, listing: bool) -> "Server[Any]":
    """The server; `serving` connects it to a transport.

    Args:
        desk: the conversations.
        jobs: the queue; the caller closes it.
        listing: whether resources/list names the pictures. Only where all clients are one and the same person.
    """
    import mcp_types as types
    from mcp.server.lowlevel import Server
    from mcp.shared.exceptions import MCPError

    offers = Offers(desk, jobs)

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_listed(offer) for offer in offers.by_name.values()])

    async def call_tool(
        context: "ServerRequestContext[Any]", params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            begun = await anyio.to_thread.run_sync(offers.begin, params.name, params.arguments or {})
            if begun.over is not None:
                return _result(begun.over)
            assert begun.job is not None
            stops = params.name != "check_job"
            return await _ended(context, jobs, begun.job, begun.wait_seconds, stops)
        except InstructEditError as error:
            return _failure(error)
        except Exception as error:
            _LOG.exception("the tool %s failed", params.name)
            return _failure(InstructEditError(f"Something broke inside instructedit ({type(error).__name__})."))

    async def list_resources(context: Any, params: Any) -> types.ListResourcesResult:
        found = await anyio.to_thread.run_sync(desk.listed) if listing else []
        return types.ListResourcesResult(
            resources=[types.Resource(uri=uri, name=name, mime_type="image/png") for uri, name in found]
        )

    async def list_templates(context: Any, params: Any) -> types.ListResourceTemplatesResult:
        rows = (
            ("image", "A version of a picture, whole", "image/png"),
            ("mask", "A mask: white was edited", "image/png"),
        )
        templates = [
            types.ResourceTemplate(
                uri_template=f"{SCHEME}://{{conversation}}/{name}_{{number}}",
                name=name,
                description=text,
                mime_type=kind,
            )
            for name, text, kind in rows
        ]
        history = types.ResourceTemplate(
            uri_template=f"{SCHEME}://{{conversation}}/history",
            name="history",
            description="All versions with how each was made",
            mime_type="application/json",
        )
        return types.ListResourceTemplatesResult(resource_templates=[*templates, history])

    async def read_resource(context: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        uri = str(params.uri)
        try:
            data, kind = await anyio.to_thread.run_sync(desk.read, uri)
        except InstructEditError as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from None
        content: types.TextResourceContents | types.BlobResourceContents
        if kind == "application/json":
            content = types.TextResourceContents(uri=uri, mime_type=kind, text=data.decode())
        else:
            content = types.BlobResourceContents(uri=uri, mime_type=kind, blob=base64.b64encode(data).decode())
        return types.ReadResourceResult(contents=[content])

    return Server(
        _NAME,
        version=__version__,
        title="InstructEdit",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )


async def _ended(
    context: "ServerRequestContext[Any]", jobs: Jobs, job: Job, seconds: float, stops: bool
) -> "types.CallToolResult":
    """Tells a job's progress until it ends or the time is up; a client that gives up the call stops the job.

    Args:
        context: of the call.
        jobs: the queue.
        job: what to wait for.
        seconds: how long.
        stops: whether the job ends with the call.
    """
    loop = asyncio.get_running_loop()
    steps: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    def tell(job: Job) -> None:
        loop.call_soon_threadsafe(steps.put_nowait, (job.steps, job.message))

    leave = job.watch(tell)
    told = 0
    deadline = loop.time() + seconds
    try:
        while not (job.over and steps.empty()):
            try:
                async with asyncio.timeout_at(min(deadline, loop.time() + 0.5)):
                    number, message = await steps.get()
            except TimeoutError:
                if loop.time() >= deadline:
                    break
                continue
            if number > told:
                told = number
                await context.session.report_progress(float(number), None, message)
    except asyncio.CancelledError:
        if stops:
            jobs.cancel(job)
        raise
    finally:
        leave()
    return _outcome(jobs, job)


def _outcome(jobs: Jobs, job: Job) -> "types.CallToolResult":
    if not job.over:
        ahead = jobs.ahead(job)
        before = f"{ahead} other {'edit is' if ahead == 1 else 'edits are'} before it. " if ahead else ""
        text = f"Not done yet ({job.message}). {before}Call check_job with job {job.id}; it waits for the result."
        data = {"job": job.id, "state": job.state, "steps": job.steps, "message": job.message, "ahead": ahead}
        return _result(Answer(text, data))
    if job.error is not None:
        if not isinstance(job.error, CancelledError) and job.error.__cause__ is not None:
            _LOG.error("a job failed", exc_info=job.error.__cause__)
        return _failure(job.error)
    return _result(job.result)


def _result(answer: Answer) -> "types.CallToolResult":
    import mcp_types as types

    content: list[Any] = [types.TextContent(text=answer.text)]
    if answer.preview is not None:
        data = base64.b64encode(answer.preview.data).decode()
        content.append(types.ImageContent(data=data, mime_type=answer.preview.mime_type))
    return types.CallToolResult(content=content, structured_content=answer.data)


def _failure(error: InstructEditError) -> "types.CallToolResult":
    import mcp_types as types

    data = {"error": {"kind": error.kind, "message": str(error)}}
    return types.CallToolResult(content=[types.TextContent(text=str(error))], structured_content=data, is_error=True)


def _listed(offer: Offer) -> "types.Tool":
    import mcp_types as types

    return types.Tool(
        name=offer.name,
        title=offer.title,
        description=offer.description,
        input_schema=offer.schema,
        annotations=types.ToolAnnotations(
            read_only_hint=offer.reads_only, destructive_hint=False, open_world_hint=False
        ),
    )
