"""The scripted endpoint itself: it must fail on what a test did not foresee."""

import httpx
import pytest

from tests.agent.fake_openai import FakeOpenAI, error, forever, text, tool_call


def post(fake: FakeOpenAI, content: str = "hi") -> httpx.Response:
    body = {"model": "scripted", "messages": [{"role": "user", "content": content}]}
    return httpx.post(f"{fake.base_url}/chat/completions", json=body, trust_env=False)


def test_replies_in_order_and_records_the_calls():
    with FakeOpenAI(
        [text("one"), lambda request: text(request["messages"][-1]["content"].upper()), error(429)]
    ) as fake:
        assert post(fake).json()["choices"][0]["message"]["content"] == "one"
        assert post(fake, "echo").json()["choices"][0]["message"]["content"] == "ECHO"
        assert post(fake).status_code == 429
    assert [call["messages"][0]["content"] for call in fake.calls] == ["hi", "echo", "hi"]


def test_fails_on_an_unexpected_call():
    with pytest.raises(AssertionError, match="1 request"), FakeOpenAI([text("one")]) as fake:
        post(fake)
        assert post(fake).status_code == 418


def test_fails_on_left_over_replies():
    with pytest.raises(AssertionError, match="1 of 2"), FakeOpenAI([text("one"), text("two")]) as fake:
        post(fake)


def test_the_last_reply_may_repeat():
    with FakeOpenAI([forever(tool_call("undo", {"steps": 1}))]) as fake:
        answers = [post(fake).json()["choices"][0]["finish_reason"] for _ in range(3)]
    assert answers == ["tool_calls"] * 3
