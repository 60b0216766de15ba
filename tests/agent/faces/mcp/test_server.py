"""The MCP tools as a client of the protocol meets them, with the SDK's own client in the same process."""

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mcp")

import anyio
from mcp import Client
from mcp.shared.exceptions import MCPError

from agent.faces.mcp.jobs import JobLimits
from agent.faces.mcp.pictures import PREVIEW_BYTES
from agent.faces.mcp.server import build_server
from tests.agent.faces.mcp.serving_desk import Place, decoded, encoded, has, place, two_boxes
from tests.tools.tiny_models import boxes
from tools.registry import TOOLS

GREEN = "make the blue box green"


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        yield made


def ask(at: Place, talk: Callable[[Client], Awaitable[None]], *, listing: bool = True, mode: str = "auto") -> None:
    """Runs a conversation of a client with a server of its own."""

    async def run() -> None:
        async with Client(build_server(at.desk, at.jobs, listing=listing), mode=mode) as client:  # type: ignore[arg-type]
            with anyio.fail_after(120):
                await talk(client)

    anyio.run(run)


def words(result: Any) -> str:
    return str(result.content[0].text)


def shown(result: Any) -> Any:
    """The preview of an answer, or None."""
    return next((decoded(one.data) for one in result.content if one.type == "image"), None)


def test_it_lists_one_tool_that_does_it_all_and_the_structured_ones(at: Place):
    async def talk(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools)[:2] == ["edit_image", "open_picture"]
        assert {name for name in TOOLS if name != "edit_image"} | {"edit_inside_mask"} < set(tools)
        assert "save_picture" not in tools
        for tool in tools.values():
            schema = tool.input_schema
            assert tool.description and schema["type"] == "object" and schema["additionalProperties"] is False
            assert all(one.get("description") for one in schema["properties"].values())
            assert not {"path", "url", "file"} & set(schema["properties"])
        assert tools["segment"].input_schema["required"] == ["conversation", "image_id", "segmentation_prompt"]
        assert tools["ask_image"].annotations.read_only_hint and not tools["edit_image"].annotations.read_only_hint
        assert "edit_image does it all" in (client.instructions or "")

    ask(at, talk)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_edit_image_does_it_all(at: Place, mode: str):
    steps: list[tuple[float, str]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append((done, message or ""))

    async def talk(client: Client) -> None:
        arguments = {"instruction": GREEN, "image_base64": two_boxes()}
        result = await client.call_tool("edit_image", arguments, progress_callback=progress)
        data = result.structured_content
        assert not result.is_error and data["verified"] and data["kind"] == "edit" and data["image_id"] == "image_2"
        assert data["picture"] in words(result) and len(words(result)) < 600
        assert has(shown(result), "green") and max(shown(result).size) <= 512
        stronger = await client.call_tool("edit_image", {"instruction": "undo", "picture": data["picture"]})
        assert stronger.structured_content["image_id"] == "image_1" and has(shown(stronger), "blue")

    ask(at, talk, mode=mode)
    numbers = [number for number, _ in steps]
    assert numbers == sorted(set(numbers)) and len(numbers) > 25
    assert {"Editing 1/25", "Editing 25/25", "Calling segment", "Made image_2"} <= {message for _, message in steps}


def test_a_data_uri_and_other_formats_are_read(at: Place):
    async def talk(client: Client) -> None:
        picture = "data:image/jpeg;base64," + encoded(boxes("red", "blue"), "JPEG")
        opened = await client.call_tool("open_picture", {"image_base64": picture})
        assert opened.structured_content["size"] == [96, 64]

    ask(at, talk)


def test_structured_tools_work_on_a_conversation(at: Place):
    async def talk(client: Client) -> None:
        opened = await client.call_tool("open_picture", {"image_base64": two_boxes()})
        key = opened.structured_content["conversation"]
        phrase = {"conversation": key, "image_id": "image_1", "segmentation_prompt": "blue box"}
        found = await client.call_tool("segment", phrase)
        assert found.structured_content["mask_id"] == "mask_2" and shown(found) is not None
        arguments = {
            "conversation": key,
            "image_id": "image_1",
            "mask_id": "mask_2",
            "segmentation_prompt": "blue box",
            "input_caption": "photo of a blue box",
            "edited_caption": "photo of a green box",
            "change": "appearance",
        }
        edited = await client.call_tool("edit_inside_mask", arguments)
        assert edited.structured_content["image_id"] == "image_2" and has(shown(edited), "green")
        combined = {"conversation": key, "image_id": "image_1", "expression": "grow(mask_2, 3)"}
        assert shown(await client.call_tool("combine_masks", combined)) is not None
        versions = await client.call_tool("list_versions", {"conversation": key})
        assert "image_2 (current)" in words(versions) and shown(versions) is None
        assert (await client.call_tool("undo", {"conversation": key})).structured_content["image_id"] == "image_1"
        looked = await client.call_tool("describe_image", {"conversation": key, "image_id": "image_1", "reason": "x"})
        assert "red box" in words(looked)

    ask(at, talk)


def test_a_question_shows_the_numbered_candidates_and_takes_an_answer(at: Place):
    async def talk(client: Client) -> None:
        picture = encoded(boxes("red", "blue", "red"))
        asked = await client.call_tool("edit_image", {"instruction": "make the red box green", "image_base64": picture})
        assert asked.structured_content["kind"] == "question" and not asked.is_error and shown(asked) is not None
        answer = {"instruction": "the one on the right", "picture": asked.structured_content["picture"]}
        edited = await client.call_tool("edit_image", answer)
        assert has(shown(edited).crop((64, 0, 96, 64)), "green") and edited.structured_content["image_id"] == "image_2"
        best = {"instruction": "make the red box green", "image_base64": picture, "take_best": True}
        assert (await client.call_tool("edit_image", best)).structured_content["kind"] == "edit"

    ask(at, talk)


def test_versions_and_masks_are_resources(at: Place):
    async def talk(client: Client) -> None:
        edited = await client.call_tool("edit_image", {"instruction": GREEN, "image_base64": two_boxes()})
        data = edited.structured_content
        whole = (await client.read_resource(data["picture"])).contents[0]
        assert whole.mime_type == "image/png" and decoded(whole.blob).size == (96, 64)
        assert np.array_equal(
            np.asarray(decoded(whole.blob)), np.asarray(at.desk.conversation(data["conversation"]).image("image_2"))
        )
        mask = (await client.read_resource(data["mask"])).contents[0]
        assert np.asarray(decoded(mask.blob)).any()
        story = (await client.read_resource(f"instructedit://{data['conversation']}/history")).contents[0]
        assert json.loads(story.text)["current"] == "image_2"
        listed = [str(one.uri) for one in (await client.list_resources()).resources]
        assert listed == [f"instructedit://{data['conversation']}/image_{i}" for i in (1, 2)]
        assert len((await client.list_resource_templates()).resource_templates) == 3
        assert has(shown(await client.call_tool("view_picture", {"picture": data["picture"]})), "green")
        assert shown(await client.call_tool("view_picture", {"picture": data["mask"]})) is not None

    ask(at, talk)


def test_clients_of_one_server_never_see_each_others_pictures(at: Place):
    async def run() -> None:
        server = build_server(at.desk, at.jobs, listing=False)
        async with Client(server) as one, Client(server) as other:
            mine = await one.call_tool("edit_image", {"instruction": GREEN, "image_base64": two_boxes()})
            yours = await other.call_tool("open_picture", {"image_base64": encoded(boxes("yellow"))})
            assert (await other.list_resources()).resources == []
            key, your_key = mine.structured_content["conversation"], yours.structured_content["conversation"]
            assert key != your_key and len(key) == 32
            guesses = [
                f"instructedit://{key[:12]}/image_1",
                "instructedit:///image_1",
                f"instructedit://{your_key}/image_2",
            ]
            guesses += [f"instructedit://{'0' * 32}/image_1", f"instructedit://{key[:31]}%/image_1"]
            for guess in guesses:
                with pytest.raises(MCPError):
                    await other.read_resource(guess)
                assert (await other.call_tool("view_picture", {"picture": guess})).is_error
            for prefix in (key[:4], key[:31], "%", "", "' OR 1=1 --"):
                assert (await other.call_tool("list_versions", {"conversation": prefix})).is_error

    anyio.run(run)


def test_a_long_edit_answers_with_a_job(at: Place):
    at.gate.open.clear()

    async def talk(client: Client) -> None:
        call = {"instruction": GREEN, "image_base64": two_boxes(), "wait_seconds": 0.3}
        begun = await client.call_tool("edit_image", call)
        job = begun.structured_content["job"]
        assert not begun.is_error and job in words(begun) and begun.structured_content["state"] == "working"
        waiting = await client.call_tool("check_job", {"job": job, "wait_seconds": 0})
        assert "Not done yet" in words(waiting)
        second = await client.call_tool("edit_image", call)
        assert second.structured_content["ahead"] == 1 and "1 other edit is before it" in words(second)
        at.gate.open.set()
        done = await client.call_tool("check_job", {"job": job})
        assert done.structured_content["image_id"] == "image_2" and has(shown(done), "green")
        again = await client.call_tool("check_job", {"job": second.structured_content["job"]})
        assert has(shown(again), "green")
        assert "It was done already" in words(await client.call_tool("cancel_job", {"job": job}))

    ask(at, talk)
    assert at.gate.most_at_once == 1


def test_a_job_can_be_cancelled_and_changes_nothing_then(at: Place):
    at.gate.open.clear()

    async def talk(client: Client) -> None:
        opened = await client.call_tool("open_picture", {"image_base64": two_boxes()})
        picture, key = (opened.structured_content[name] for name in ("picture", "conversation"))
        begun = await client.call_tool("edit_image", {"instruction": GREEN, "picture": picture, "wait_seconds": 0.3})
        job = begun.structured_content["job"]
        assert "It stops" in words(await client.call_tool("cancel_job", {"job": job}))
        ended = await client.call_tool("check_job", {"job": job})
        assert ended.is_error and ended.structured_content["error"]["kind"] == "cancelled"
        at.gate.open.set()
        assert at.desk.conversation(key).current_id == "image_1"
        assert not (await client.call_tool("edit_image", {"instruction": GREEN, "picture": picture})).is_error

    ask(at, talk)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_that_gives_up_its_call_stops_the_edit(at: Place, mode: str):
    at.gate.open.clear()

    async def talk(client: Client) -> None:
        call = {"instruction": GREEN, "image_base64": two_boxes()}
        async with anyio.create_task_group() as calls:
            calls.start_soon(client.call_tool, "edit_image", call)
            with anyio.fail_after(30):
                while not at.gate.reached.is_set():
                    await anyio.sleep(0.02)
            calls.cancel_scope.cancel()
        with anyio.fail_after(10):
            while at.gate.at_once:
                await anyio.sleep(0.05)

    ask(at, talk, mode=mode)
    assert at.gate.reached.is_set() and not at.gate.open.is_set()


def test_too_many_are_told_to_come_back(tmp_path: Path):
    with place(tmp_path, limits=JobLimits(waiting=2, waiting_each=1)) as at:
        at.gate.open.clear()

        async def talk(client: Client) -> None:
            opened = await client.call_tool("open_picture", {"image_base64": two_boxes()})
            call = {"instruction": GREEN, "picture": opened.structured_content["picture"], "wait_seconds": 0}
            first = await client.call_tool("edit_image", call)
            while (
                await client.call_tool("check_job", {"job": first.structured_content["job"], "wait_seconds": 0})
            ).structured_content["state"] == "waiting":
                await anyio.sleep(0.02)
            assert not (await client.call_tool("edit_image", call)).is_error
            own = await client.call_tool("edit_image", call)
            assert own.structured_content["error"]["kind"] == "busy" and "check_job" in words(own)
            other = {"instruction": GREEN, "image_base64": two_boxes(), "wait_seconds": 0}
            assert not (await client.call_tool("edit_image", other)).is_error
            known = len(at.desk.workspace.conversation_ids())
            full = await client.call_tool("edit_image", other)
            assert full.is_error and "wait to be edited already" in words(full)
            assert len(at.desk.workspace.conversation_ids()) == known

        ask(at, talk)


BAD = {
    "nothing": {},
    "two": {"image_base64": "aGVsbG8=", "picture": "instructedit://x/image_1"},
    "not base64": {"image_base64": "not base64 at all!"},
    "empty": {"image_base64": ""},
    "no picture": {"image_base64": "aGVsbG8gd29ybGQ="},
    "cut off": {"image_base64": two_boxes()[:60]},
    "too small": {"image_base64": encoded(boxes("red").resize((4, 4)))},
    "too large": {"image_base64": "A" * 30_000_000},
    "a path as picture": {"picture": "/etc/passwd"},
    "a file address": {"picture": "file:///etc/passwd"},
    "a web address": {"picture": "http://127.0.0.1:1/a.png"},
    "a path": {"path": "/etc/passwd"},
    "a number": {"image_base64": 7},
    "unknown": {"image_base64": two_boxes(), "url": "http://127.0.0.1:1/a.png"},
    "bad ratio": {"image_base64": two_boxes(), "encoding_ratio": 3},
    "bad wait": {"image_base64": two_boxes(), "wait_seconds": 1e9},
    "no words": {"image_base64": two_boxes(), "instruction": "  "},
    "many words": {"image_base64": two_boxes(), "instruction": "x" * 20_000},
}


def test_bad_input_is_one_sentence(at: Place):
    async def talk(client: Client) -> None:
        for name, arguments in BAD.items():
            result = await client.call_tool("edit_image", {"instruction": GREEN} | arguments)
            said = words(result)
            assert result.is_error, name
            assert 10 < len(said) < 400 and "Traceback" not in said and "/tmp" not in said, (name, said)
            assert result.structured_content["error"]["kind"] != "internal", (name, said)
        for name, given in (
            ("no_such_tool", {}),
            ("segment", {}),
            ("check_job", {"job": "x"}),
            ("undo", {"steps": "y"}),
        ):
            assert (await client.call_tool(name, given)).is_error
        with pytest.raises(MCPError):
            await client.read_resource("file:///etc/passwd")

    ask(at, talk)


def test_what_breaks_inside_is_told_without_its_innards(at: Place, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("/secret/place")

    monkeypatch.setattr(at.models.grounded, "segment", broken)

    async def talk(client: Client) -> None:
        result = await client.call_tool("open_picture", {"image_base64": two_boxes()})
        call = {
            "conversation": result.structured_content["conversation"],
            "image_id": "image_1",
            "segmentation_prompt": "box",
        }
        failed = await client.call_tool("segment", call)
        assert failed.is_error and "ZeroDivisionError" in words(failed) and "secret" not in words(failed)

    ask(at, talk)


def test_files_below_the_root_may_be_named_and_no_others(tmp_path: Path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir(), outside.mkdir()
    boxes("red", "blue").save(root / "in.png")
    boxes("red", "blue").save(outside / "secret.png")
    (root / "link.png").symlink_to(outside / "secret.png")
    (root / "folder").symlink_to(outside)
    with place(tmp_path, root=root) as at:

        async def talk(client: Client) -> None:
            assert "save_picture" in {tool.name for tool in (await client.list_tools()).tools}
            edited = await client.call_tool("edit_image", {"instruction": GREEN, "path": "in.png"})
            assert has(shown(edited), "green")
            saved = {"picture": edited.structured_content["picture"], "path": "out.png"}
            assert not (await client.call_tool("save_picture", saved)).is_error and (root / "out.png").is_file()
            assert (await client.call_tool("save_picture", saved)).is_error
            assert not (await client.call_tool("open_picture", {"path": str(root / "in.png")})).is_error
            secret = str(outside / "secret.png")
            linked = ("link.png", "folder/secret.png")
            for path in (
                "../outside/secret.png",
                secret,
                *linked,
                "~/a.png",
                "/etc/passwd",
                ".",
                "",
                "a\0b",
                "none.png",
            ):
                assert (await client.call_tool("open_picture", {"path": path})).is_error, path
                target = {"picture": saved["picture"], "path": path}
                if path not in ("none.png", "~/a.png"):
                    assert (await client.call_tool("save_picture", target)).is_error, path
            assert sorted(one.name for one in outside.iterdir()) == ["secret.png"]

        ask(at, talk)


def test_previews_stay_below_the_limit_of_clients(at: Place):
    noise = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)

    async def talk(client: Client) -> None:
        from PIL import Image

        opened = await client.call_tool("open_picture", {"image_base64": encoded(Image.fromarray(noise), "PNG")})
        image = next(one for one in opened.content if one.type == "image")
        assert len(image.data) * 3 // 4 <= PREVIEW_BYTES and max(decoded(image.data).size) <= 512

    ask(at, talk)
