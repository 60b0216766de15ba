"""The routes of conversations, pictures, masks and jobs, from upload to download."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from agent.faces.server.shapes import ConversationAnswer, JobAnswer, MaskAnswer
from instructedit_models.miniature.rendering import render
from instructedit_models.miniature.world import sample_scene
from tests.agent.service.tiny import opened, picture
from tests.tools.tiny_models import COLOURS

PNG = {"Content-Type": "image/png"}


def begun(client, *colours: str) -> str:
    answer = client.post("/v1/conversations", content=picture(*(colours or ("red", "blue"))), headers=PNG)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def said(client, key: str, **message) -> dict:
    answer = client.post(f"/v1/conversations/{key}/messages?wait=30", json=message)
    assert answer.status_code == 200, answer.text
    return JobAnswer.model_validate(answer.json()).result


def events_of(client, job: dict, after: int = 0) -> list[tuple[int, str, dict]]:
    found, event = [], {}
    with client.stream("GET", f"{job['events_url']}?after={after}") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name:
                event[name] = value
            elif event:
                found.append((int(event["id"]), event["event"], json.loads(event["data"])))
                event = {}
    return found


def test_from_an_upload_to_a_download(client) -> None:
    form = {"image": ("../my photo.png", picture("red", "blue"), "image/png")}
    begun_with = client.post("/v1/conversations", files=form).json()
    shown = ConversationAnswer.model_validate(begun_with)
    assert shown.name == "my photo.png" and shown.current == "image_1" and shown.size == (96, 64)
    job = client.post(f"/v1/conversations/{shown.id}/messages", json={"text": "make the blue box green"})
    assert job.status_code == 202 and job.json()["state"] in ("queued", "running", "done")
    told = events_of(client, job.json())
    assert told[-1][1] == "done" and told[-1][2]["state"] == "done"
    by_kind = {kind: data for _, kind, data in told}
    assert by_kind["called"]["words"] == "Editing" and by_kind["edited"]["verified"]
    for url in (
        by_kind["segmented"]["candidates_url"],
        by_kind["planned"]["mask_url"],
        by_kind["planned"]["overlay_url"],
        by_kind["planned"]["layer_url"],
        by_kind["edited"]["thumbnail_url"],
    ):
        assert client.get(url).headers["content-type"] == "image/png"
    numbers = [number for number, _, _ in told]
    assert numbers == sorted(numbers)
    assert [kind for _, kind, _ in events_of(client, job.json(), numbers[-3])] == [told[-2][1], "done"]

    after = ConversationAnswer.model_validate(client.get(f"/v1/conversations/{shown.id}").json())
    version = after.versions[1]
    assert after.current == "image_2" and after.can_undo == 1 and version.instruction == "make the blue box green"
    assert after.messages[0].job == job.json()["id"] and after.messages[0].made == ["image_2"]
    image = client.get(version.image_url)
    assert opened(image.content).convert("RGB").getpixel((68, 32)) == COLOURS["green"]
    again = client.get(version.image_url, headers={"If-None-Match": image.headers["etag"]})
    assert again.status_code == 304
    assert "immutable" in image.headers["cache-control"]
    assert client.get(version.image_url.split("?")[0]).headers["cache-control"] == "private, no-cache"
    assert max(opened(client.get(version.image_url, params={"width": 48}).content).size) == 48
    assert client.get(version.comparison_url).status_code == 200
    kept = client.get(version.download_url)
    assert "my%20photo-image_2.png" in kept.headers["content-disposition"]
    assert opened(kept.content).info.get("instructedit") or b"InstructEdit" in kept.content
    jpeg = client.get(version.download_url, params={"download": "1", "format": "jpeg"})
    assert opened(jpeg.content).format == "JPEG"
    layer = opened(client.get(version.mask_url, params={"as": "layer"}).content)
    assert layer.mode == "RGBA" and layer.size == (96, 64)


def test_a_question_is_kept_and_answered_by_number(client) -> None:
    key = begun(client, "red", "blue", "red")
    asked = said(client, key, text="make the red box yellow")
    assert asked["kind"] == "question" and [one["number"] for one in asked["question"]["candidates"]] == [1, 2]
    assert client.get(asked["question"]["overlay_url"]).status_code == 200
    assert client.get(f"/v1/conversations/{key}").json()["question"] == asked["question"]
    done = said(client, key, answer=2)
    assert done["kind"] == "edit" and done["versions"][0]["id"] == "image_2"
    shown = client.get(f"/v1/conversations/{key}").json()
    assert shown["question"] is None
    pixels = np.asarray(opened(client.get(shown["versions"][1]["image_url"]).content).convert("RGB"))
    assert (pixels[30, 10] == COLOURS["red"]).all() and (pixels[30, 76] == COLOURS["yellow"]).all()


def test_history_branches_and_strength(client, models) -> None:
    key = begun(client)
    said(client, key, text="make the blue box green")
    weaker = client.post(f"/v1/conversations/{key}/adjust?wait=30", json={"direction": "weaker"}).json()["result"]
    assert weaker["versions"][0]["adjusts"] == "image_2" and weaker["versions"][0]["encoding_ratio"] == 0.37
    stronger = client.post(
        f"/v1/conversations/{key}/adjust?wait=30", json={"encoding_ratio": 0.9, "image_id": "image_2"}
    )
    assert stronger.json()["result"]["versions"][0]["encoding_ratio"] == 0.9
    assert [options.encoding_ratio for options in models.editor.calls] == [0.5, 0.37, 0.9]
    original = client.post(f"/v1/conversations/{key}/adjust?wait=30", json={"image_id": "image_1", "seed": 3})
    assert original.json()["result"]["error"]["kind"] == "bad_parameter"
    assert client.post(f"/v1/conversations/{key}/undo", json={"steps": 1}).status_code == 200
    assert client.post(f"/v1/conversations/{key}/redo").json()["can_redo"] == 0
    assert client.post(f"/v1/conversations/{key}/go", json={"image_id": "image_1"}).json()["current"] == "image_1"
    assert client.post(f"/v1/conversations/{key}/undo").status_code == 400
    assert client.post(f"/v1/conversations/{key}/go", json={"image_id": "image_99"}).status_code == 400
    branch = said(client, key, text="make the red box yellow", image_id="image_2")
    assert branch["versions"][0]["parent_id"] == "image_2"
    understood = said(client, key, text="a bit stronger")
    assert understood["kind"] == "edit", understood


def test_masks_are_painted_clicked_and_edited_in(client) -> None:
    key = begun(client)
    mask = Image.new("L", (96, 64))
    mask.paste(255, (2, 2, 12, 12))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    painted = client.post(f"/v1/conversations/{key}/masks", content=buffer.getvalue(), headers=PNG)
    assert painted.status_code == 201 and MaskAnswer.model_validate(painted.json()).made_by == "painted"
    assert client.get(painted.json()["layer_url"]).status_code == 200
    done = said(client, key, text="make the box green", mask_id="own_1")
    assert done["kind"] == "edit", done
    pixels = np.asarray(opened(client.get(done["versions"][0]["image_url"]).content).convert("RGB"))
    assert (pixels[5, 5] == COLOURS["green"]).all() and (pixels[32, 68] == COLOURS["blue"]).all()
    clicked = client.post(
        f"/v1/conversations/{key}/masks/refine?wait=30",
        json={"clicks": [{"x": 68, "y": 32}, {"x": 5, "y": 5, "inside": False}]},
    )
    own = clicked.json()["result"]["mask"]
    assert own["id"] == "own_2" and own["made_by"] == "clicks"
    found = np.asarray(opened(client.get(own["mask_url"]).content))
    assert found[32, 68] and not found[5, 5]
    outside = client.post(f"/v1/conversations/{key}/masks/refine?wait=30", json={"clicks": [{"x": 500, "y": 2}]}).json()
    assert outside["state"] == "failed"


def test_models_that_know_no_clicks_say_so_before_anybody_clicks(client, service) -> None:
    assert client.get("/v1/server").json()["can"] == {"clicks": True, "preview": True}
    service.clicks = False
    assert client.get("/v1/server").json()["can"]["clicks"] is False
    place = f"/v1/conversations/{begun(client)}/masks/refine"
    answer = client.post(place, json={"clicks": [{"x": 5, "y": 5}]})
    assert answer.status_code == 400 and "paint the mask instead" in answer.json()["error"]["message"]


def test_the_bundle_makes_everything_again(client, models, tmp_path) -> None:
    from agent.replay import replay

    key = begun(client, "red", "blue", "red")
    said(client, key, text="make the red box yellow")
    said(client, key, answer=1)
    client.post(f"/v1/conversations/{key}/adjust?wait=30", json={"direction": "stronger"})
    client.post(f"/v1/conversations/{key}/undo")
    client.post(f"/v1/conversations/{key}/masks/refine?wait=30", json={"clicks": [{"x": 45, "y": 30}]})
    said(client, key, text="make the box green", mask_id="own_1", image_id="image_1")
    answer = client.get(f"/v1/conversations/{key}/bundle")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path / "bundle")
        names = set(archive.namelist())
        history = json.loads(archive.read("history.json"))
    assert {"bundle.json", "history.json", "input.png", "image_1.png", "image_4.png"} <= names
    assert history["versions"][0]["source"] == "picture" and str(tmp_path) not in json.dumps(history)
    made = replay(tmp_path / "bundle", models)
    assert made.same, [turn.differences for turn in made.turns]


def test_deleting_and_cancelling(client, models) -> None:
    key = begun(client)
    models.editor.go.clear()
    job = client.post(f"/v1/conversations/{key}/messages", json={"text": "make the blue box green"}).json()
    waiting = client.post(f"/v1/conversations/{key}/messages", json={"text": "make the red box green"}).json()
    assert models.editor.began.wait(60)
    shown = client.get(waiting["url"]).json()
    assert shown["state"] == "queued" and shown["ahead"] == 1 and shown["seconds"] > 0
    assert [one["id"] for one in client.get(f"/v1/conversations/{key}").json()["open_jobs"]] == [
        job["id"],
        waiting["id"],
    ]
    assert client.post(f"/v1/conversations/{key}/undo").json()["error"]["kind"] == "busy"
    assert client.get(f"/v1/conversations/{key}/bundle").status_code == 409
    assert client.delete(waiting["url"]).json()["state"] == "cancelled"
    assert client.delete(job["url"]).status_code == 202
    assert client.get(f"{job['url']}?wait=30").json()["state"] == "cancelled"
    assert client.get(f"/v1/conversations/{key}").json()["messages"] == []
    assert client.delete(f"/v1/conversations/{key}").status_code == 204
    for gone in (f"/v1/conversations/{key}", job["url"], f"/v1/conversations/{key}/images/image_1"):
        assert client.get(gone).status_code == 404


def test_an_idempotency_key_makes_one_thing(client) -> None:
    key = begun(client)
    header = {"Idempotency-Key": "once"}
    message = {"text": "make the blue box green"}
    first = client.post(f"/v1/conversations/{key}/messages?wait=30", json=message, headers=header)
    again = client.post(f"/v1/conversations/{key}/messages?wait=30", json=message, headers=header)
    assert first.json()["id"] == again.json()["id"] and again.headers["idempotent-replayed"] == "true"
    assert len(client.get(f"/v1/conversations/{key}").json()["messages"]) == 1
    other = client.post(f"/v1/conversations/{key}/messages?wait=30", json={"text": "undo"}, headers=header)
    assert other.status_code == 422
    upload = [
        client.post("/v1/conversations", content=picture(), headers=PNG | {"Idempotency-Key": "u"}) for _ in (1, 2)
    ]
    assert upload[0].json()["id"] == upload[1].json()["id"]
    refused = client.post("/v1/conversations", content=b"x", headers=PNG | {"Idempotency-Key": "bad"})
    assert refused.status_code == 400
    assert (
        client.post("/v1/conversations", content=picture(), headers=PNG | {"Idempotency-Key": "bad"}).status_code == 201
    )
    assert client.post(f"/v1/conversations/{key}/undo", headers={"Idempotency-Key": "a b"}).status_code == 422


def test_examples_are_ready(client) -> None:
    shown = client.get("/v1/examples").json()["examples"]
    assert len(shown) >= 3
    for one in shown:
        image = client.get(one["image_url"])
        assert opened(image.content).size == tuple(one["size"]) and one["suggestions"]
    begun_with = client.post("/v1/conversations", json={"example": shown[0]["name"]})
    assert begun_with.status_code == 201 and begun_with.json()["name"] == f"{shown[0]['name']}.png"
    assert client.post("/v1/conversations", json={"example": "../app"}).status_code == 404


SCENES = {"cup": 9_000_000, "house": 9_000_009, "balls": 9_000_011, "bus": 9_000_004, "houseboat": 9_000_023}
"""The scenes that the examples show."""


@pytest.mark.parametrize(("name", "seed"), SCENES.items())
def test_an_example_is_of_the_world_as_the_models_know_it(client, name: str, seed: int) -> None:
    shown = opened(client.get(f"/v1/examples/{name}").content).convert("RGB")
    assert (np.asarray(shown) == render(sample_scene(seed)).image).all()


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ""),
        ({"text": ""}, "text"),
        ({"text": "x", "answer": 1}, ""),
        ({"text": "x", "encoding_ratio": 2}, "encoding_ratio"),
        ({"text": "x", "seed": -1}, "seed"),
        ({"text": "x" * 2001}, "text"),
        ({"text": "x", "path": "/etc/passwd"}, "path"),
        ({"text": "x", "mask_mode": "add"}, ""),
    ],
)
def test_what_does_not_fit_is_named(client, body, where) -> None:
    error = client.post(f"/v1/conversations/{begun(client)}/messages", json=body)
    assert error.status_code == 422 and (error.json()["error"]["param"] or "") == where
    assert error.json()["error"]["message"].count("\n") == 0
