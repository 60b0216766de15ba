"""What the API shows of conversations, versions, turns, masks and jobs: plain data with addresses, never pixels."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agent.faces.output import STAGES

if TYPE_CHECKING:
    from agent.service.jobs import Job
    from agent.service.service import Caller, Service
    from agent.service.shelf import KeptTurn, OwnMask
    from tools.conversation import Conversation
    from tools.graph import Version

__all__ = [
    "conversation_json",
    "event_json",
    "job_json",
    "mask_json",
    "place_of",
    "question_json",
    "versions_json",
]

THUMBNAIL = 160
_CALLS = {
    "describe_image": "Looking at the picture",
    "ask_image": "Looking at the picture",
    "segment": "Finding the object",
    "combine_masks": "Putting masks together",
    "name_mask": "Keeping the mask",
    "edit_image": "Editing",
    "adjust_edit": "Making the edit again",
    "variations": "Making variations",
    "reapply_edit": "Making the edit once more",
    "remove_edit": "Taking an edit out",
    "list_versions": "Looking at the history",
    "undo": "Undoing",
    "redo": "Redoing",
    "go_back": "Going to another version",
}


def place_of(key: str) -> str:
    """The address below which everything of a conversation lies."""
    return f"/v1/conversations/{key}"


def conversation_json(service: "Service", caller: "Caller", key: str) -> dict[str, Any]:
    """A conversation whole; raises NotThereError where it is not the caller's."""
    from tools.history import earlier, redoable

    held = service.shelf.held(key, caller.owner)
    conversation = service.conversation(caller, key)
    versions = {one.id: one for one in conversation.versions()}
    kept = service.shelf.turns(key)
    turns = conversation.turns()
    current = conversation.current_id
    last = kept.get(len(turns))
    asks = bool(turns) and turns[-1].get("kind") == "question"
    return {
        "schema": 1,
        "id": key,
        "created": _time(held.created),
        "name": held.name,
        "size": list(versions["image_1"].size),
        "warnings": list(held.warnings),
        "current": current,
        "can_undo": len(earlier(versions, current)),
        "can_redo": len(redoable(versions, conversation.moves())),
        "versions": versions_json(conversation, list(versions.values()), turns),
        "messages": [message_json(number, turn, kept.get(number)) for number, turn in enumerate(turns, start=1)],
        "question": question_json(key, last.question) if asks and last else None,
        "open_jobs": [job_json(service, job) for job in service.jobs.open_of(key)],
    }


def versions_json(
    conversation: "Conversation", versions: "Sequence[Version]", turns: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Versions, each with the instruction of the turn that made it."""
    current = conversation.current_id
    said = {
        str(made): str(turn.get("instruction") or "")
        for turn in turns
        for made in _made(turn)
        if turn.get("kind") == "edit"
    }
    return [_version(conversation.id, one, one.id == current, said.get(one.id)) for one in versions]


def message_json(number: int, turn: Mapping[str, Any], kept: "KeptTurn | None") -> dict[str, Any]:
    """A turn, from what the workspace keeps of it."""
    return {
        "number": number,
        "text": turn.get("instruction", ""),
        "kind": turn["kind"],
        "reply": turn.get("reply", ""),
        "image_id": turn["image_id"],
        "start_image_id": turn["start_image_id"],
        "made": _made(turn),
        "verified": bool(turn.get("verified")),
        "warnings": list(turn.get("warnings", ())),
        "error": turn.get("error"),
        "job": kept.job if kept else None,
    }


def question_json(key: str, asked: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the agent asks, with numbered candidates, from its event."""
    if asked is None:
        return None
    place, regions = place_of(key), asked.get("regions") or []
    candidates = [
        {
            "number": number,
            **{name: region[name] for name in ("id", "phrase", "score", "box", "area", "mask_id")},
            "mask_url": f"{place}/masks/{region['mask_id']}" if region["mask_id"] else None,
        }
        for number, region in enumerate(regions, start=1)
    ]
    masks = ",".join(region["mask_id"] for region in regions if region["mask_id"])
    shown = asked.get("image_id") and masks
    return {
        "text": asked["text"],
        "image_id": asked.get("image_id"),
        "candidates": candidates,
        "overlay_url": f"{place}/images/{asked['image_id']}/candidates?masks={masks}" if shown else None,
    }


def mask_json(key: str, own: "OwnMask") -> dict[str, Any]:
    """A mask of one's own."""
    return {
        "id": own.id,
        "image_id": own.image_id,
        "area": own.area,
        "made_by": own.made_by,
        "mask_url": f"{place_of(key)}/masks/{own.id}",
        **_mask_urls(key, own.id),
    }


def job_json(service: "Service", job: "Job", conversation: "Conversation | None" = None) -> dict[str, Any]:
    """A job as it stands; what it made, once it has ended.

    Args:
        service: whose.
        job: which.
        conversation: what it worked on, where its result is to be shown in full.
    """
    ahead, seconds = service.jobs.ahead(job)
    return {
        "schema": 1,
        "id": job.id,
        "conversation": job.conversation,
        "kind": job.kind,
        "state": job.state,
        "text": job.payload.get("text"),
        "created": _time(job.created),
        "started": _time(job.started),
        "finished": _time(job.finished),
        "ahead": ahead,
        "seconds": seconds,
        "progress": _progress(job.progress) if job.progress and not job.over else None,
        "result": _result(service, job, conversation),
        "error": job.error,
        "events_url": f"/v1/jobs/{job.id}/events",
        "url": f"/v1/jobs/{job.id}",
    }


def event_json(key: str | None, kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """An event of a job with the addresses of what it names.

    Args:
        key: of the conversation; None where there is none that lasts, and so no addresses.
        kind: of the event.
        data: what the service kept of it.
    """
    if kind == "progress":
        return _progress(data)
    if kind == "called":
        return {**data, "words": _CALLS.get(data["tool"], data["tool"])}
    if key is None:
        return dict(data)
    if kind == "question":
        return question_json(key, data) or {}
    shown = dict(data)
    place = place_of(key)
    if kind == "segmented":
        shown["regions"] = [
            one | {"mask_url": f"{place}/masks/{one['mask_id']}" if one["mask_id"] else None} for one in data["regions"]
        ]
        masks = ",".join(one["mask_id"] for one in data["regions"] if one["mask_id"])
        shown["candidates_url"] = f"{place}/images/{data['image_id']}/candidates?masks={masks}" if masks else None
    if kind in ("segmented", "planned"):
        mask_id = data["mask_id"]
        shown["mask_url"] = f"{place}/masks/{mask_id}" if mask_id else None
        shown |= _mask_urls(key, mask_id) if mask_id else {"overlay_url": None, "layer_url": None}
    elif kind in ("edited", "moved", "reply"):
        shown["image_url"] = f"{place}/images/{data['image_id']}"
        shown["thumbnail_url"] = f"{shown['image_url']}?width={THUMBNAIL}"
    return shown


def _version(key: str, one: "Version", current: bool, said: str | None) -> dict[str, Any]:
    from tools.finding import what_it_was

    edit = one.edit
    place = place_of(key)
    image = f"{place}/images/{one.id}"
    content = f"v={one.sha256[:12]}"
    mask = f"{place}/masks/{edit.mask_id}" if edit else None
    of_edit = ("segmentation_prompt", "input_caption", "edited_caption", "change", "unet_evaluations", "verified")
    of_options = ("encoding_ratio", "guidance_scale", "steps", "seed")
    return {
        "id": one.id,
        "parent_id": edit.parent_id if edit else None,
        "created": one.created,
        "size": list(one.size),
        "current": current,
        "original": edit is None,
        "instruction": said,
        "what": what_it_was(one) if edit else None,
        "adjusts": edit.adjusts if edit else None,
        "removal": bool(edit and edit.removal),
        **{name: getattr(edit, name) if edit else None for name in of_edit},
        **{name: getattr(edit.options, name) if edit else None for name in of_options},
        "check": (edit.verification or {}).get("note") if edit else None,
        "mask_id": edit.mask_id if edit else None,
        "image_url": f"{image}?{content}",
        "thumbnail_url": f"{image}?{content}&width={THUMBNAIL}",
        "download_url": f"{image}?download=1",
        "mask_url": mask,
        "mask_overlay_url": f"{mask}?as=overlay" if mask else None,
        "comparison_url": f"{image}/comparison" if edit else None,
    }


def _result(service: "Service", job: "Job", conversation: "Conversation | None") -> dict[str, Any] | None:
    if job.result is None:
        return None
    if job.kind == "image_edit":
        return {name: value for name, value in job.result.items() if name != "files"}
    key = job.conversation or ""
    if job.kind == "refine":
        own = service.shelf.own(key, job.result["mask"])
        return {"mask": mask_json(key, own)} if own else None
    if conversation is None:
        return dict(job.result)
    number, turns = int(job.result["turn"]), conversation.turns()
    if number > len(turns):
        return None
    turn, kept = turns[number - 1], service.shelf.turns(key).get(number)
    made = [conversation.version(image_id) for image_id in _made(turn)]
    return {
        **message_json(number, turn, kept),
        "question": question_json(key, kept.question) if kept else None,
        "versions": versions_json(conversation, made, turns),
    }


def _made(turn: Mapping[str, Any]) -> list[str]:
    if turn.get("kind") != "edit":
        return []
    return [part["image_id"] for part in turn.get("edits") or ()] or [turn["image_id"]]


def _mask_urls(key: str, mask_id: str) -> dict[str, str]:
    base = f"{place_of(key)}/masks/{mask_id}"
    return {"overlay_url": f"{base}?as=overlay", "layer_url": f"{base}?as=layer"}


def _progress(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**data, "words": STAGES.get(data["stage"], str(data["stage"]).capitalize())}


def _time(seconds: float | None) -> Any:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
