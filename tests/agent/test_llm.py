"""Which chat model a spec builds, and one sentence for each way in which it can fail."""

import socket

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from agent.config import Settings
from agent.llm import build_chat_model, default_llm_spec, explain_llm_error
from agent.offline_llm import OfflineChatModel
from instructedit_models.errors import BadParameterError, LLMError
from tests.agent.fake_openai import FakeOpenAI, Reply, error, hang, raw, text


def settings(**values: object) -> Settings:
    return Settings(**{"openai_api_key": None, "openai_base_url": None, "llm_max_retries": 0} | values)


def test_the_default_follows_what_is_configured():
    assert default_llm_spec(settings()) == "offline"
    assert default_llm_spec(settings(openai_api_key="k")) == "openai:gpt-4o-mini"
    assert default_llm_spec(settings(openai_base_url="http://b/v1", openai_model="m")) == "openai:m"
    assert default_llm_spec(settings(openai_api_key="k", llm="offline")) == "offline"


def test_offline_needs_nothing():
    assert isinstance(build_chat_model("offline", settings()), OfflineChatModel)


def test_openai_takes_its_settings():
    model = build_chat_model("openai:gpt-x", settings(openai_api_key="k", llm_timeout=9, llm_max_retries=3))
    assert isinstance(model, ChatOpenAI)
    assert (model.model_name, model.request_timeout, model.max_retries, model.temperature) == ("gpt-x", 9, 3, 0)


@pytest.mark.parametrize("spec", ["", "gpt-4o", "openai:", "openai", "offline:x", "smollm2:x", "claude:opus"])
def test_unknown_specs_are_refused(spec: str):
    with pytest.raises(BadParameterError, match="openai:MODEL"):
        build_chat_model(spec, settings(openai_api_key="k"))


def test_openai_without_key_or_base_url_says_what_to_set():
    with pytest.raises(LLMError, match="OPENAI_API_KEY"):
        build_chat_model("openai:gpt-x", settings())


def local(fake: FakeOpenAI, **values: object) -> BaseChatModel:
    return build_chat_model("openai:m", settings(openai_base_url=fake.base_url, **values))


def test_a_server_of_ones_own_needs_no_key():
    with FakeOpenAI([text("hello")]) as fake:
        assert local(fake).invoke("hi").text == "hello"
    assert fake.calls[0]["model"] == "m" and fake.calls[0]["temperature"] == 0


def failure(model: BaseChatModel) -> LLMError:
    with pytest.raises(Exception) as caught:
        model.invoke("hi")
    return explain_llm_error(caught.value)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (error(401, "Incorrect API key provided: sk-sec***ret"), "refused the key (401)"),
        (error(403), "(403)"),
        (error(404), "does not know this model"),
        (error(400, "context too long"), "context too long"),
        (error(429), "(429)"),
        (error(500), "problem of its own (500)"),
        (error(503), "(503)"),
        (raw(b"<html>captive portal</html>"), "no chat completion"),
        (raw(b"{}"), "no chat completion"),
        (raw(b'{"choices": []}'), "no chat completion"),
        (raw(b'{"choices": null}'), "no chat completion"),
    ],
)
def test_failures_are_one_sentence(reply: Reply, words: str):
    with FakeOpenAI([reply]) as fake:
        sentence = str(failure(local(fake)))
    assert words in sentence
    assert "\n" not in sentence and len(sentence) < 300 and sentence.endswith(".")
    assert "sk-sec" not in sentence


def test_a_hang_is_a_timeout():
    with FakeOpenAI([hang(20)]) as fake:
        assert "in time" in str(failure(local(fake, llm_timeout=0.3)))


def test_no_server_is_said():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    model = build_chat_model("openai:m", settings(openai_base_url=f"http://127.0.0.1:{port}/v1"))
    assert "could not be reached" in str(failure(model))


def test_retries_are_made_as_set():
    with FakeOpenAI([error(500), text("at last")]) as fake:
        assert local(fake, llm_max_retries=1).invoke("hi").text == "at last"


def test_our_own_errors_stay_what_they_are():
    own = LLMError("one sentence")
    assert explain_llm_error(own) is own
    assert len(str(explain_llm_error(RuntimeError("x\n" * 1000)))) < 300
