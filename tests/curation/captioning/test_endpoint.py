"""The endpoint captioner against a server that speaks the real protocol and fails in every way we know."""

import socket
import threading
import time
from dataclasses import replace

import pytest

from curation.captioning import captioner_version, load_captioner
from curation.captioning.base import Caption, caption_clips
from curation.captioning.chat import AnswerError, RefusedError
from moviegen.errors import UsageError
from moviegen.http_client import DeadlineError, TransportError, UnreachedError
from moviegen.testing.chat_server import LASTING, PASSING, ChatServer, caption_text, numbered_frame

QUICK = {
    "model": "toy", "num_frames": 2, "timeout_s": 0.5, "first_wait_s": 0.05, "max_wait_s": 3, "in_flight": 8,
    "max_response_bytes": 1 << 20,
}  # fmt: skip


def captioner_of(server, **params):
    return load_captioner("endpoint", QUICK | {"url": server.url} | params)


@pytest.fixture
def numbered(clip_input):
    """`numbered(n)`: a clip with its number painted into its frames."""

    def make(number: int):
        found = clip_input(frames=[numbered_frame(number)] * 2)
        return replace(found, clip=replace(found.clip, clip_id=f"{number:032x}"))

    return make


@pytest.fixture
def closed_url():
    """Address of a port of this machine that nobody listens at, and nobody else can take."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


def counted_posts(monkeypatch) -> list:
    """Grows by one at each request."""
    from curation.captioning import asking

    made, post = [], asking.post_json
    monkeypatch.setattr(asking, "post_json", lambda *args: made.append(args) or post(*args))
    return made


def right(number: int) -> Caption:
    return Caption(caption_text(number), "pan left")


def answers_of(captioner, clips):
    answers = list(caption_clips(captioner, clips))
    found = {int(answer.clip_id, 16): answer for answer in answers}
    assert len(found) == len(answers), "a clip is answered once"
    return found


def test_every_clip_gets_its_own_caption_whatever_comes_first(numbered):
    with ChatServer(lambda number, tries: "late") as server:
        order = [int(a.clip_id, 16) for a in caption_clips(captioner_of(server), map(numbered, range(60)))]
        assert order != sorted(order), "answers came out of order"
        assert sorted(order) == list(range(60))
        found = answers_of(captioner_of(server), map(numbered, range(100, 160)))
    assert {n: a.caption for n, a in found.items()} == {n: right(n) for n in range(100, 160)}
    assert server.most_at_once <= 12, "eight are asked at once; the server lets go of each a little after its answer"


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_loses_and_crosses_nothing(numbered, fault):
    with ChatServer(lambda number, tries: fault if tries == 1 and number % 2 else None) as server:
        found = answers_of(captioner_of(server, in_flight=4), map(numbered, range(8)))
    assert server.faults[fault] == 4
    assert {n: a.caption for n, a in found.items()} == {n: right(n) for n in range(8)}


def test_all_faults_at_once(numbered):
    def fault(number, tries):
        return PASSING[(number + tries) % len(PASSING)] if tries <= 1 + number % 2 else None

    with ChatServer(fault) as server:
        found = answers_of(captioner_of(server, max_repairs=2), map(numbered, range(72)))
    assert {n: a.caption for n, a in found.items()} == {n: right(n) for n in range(72)}
    assert set(server.faults) == set(PASSING)


@pytest.mark.parametrize(("fault", "error"), [("400", AnswerError), ("refusal", RefusedError)])
def test_a_fault_that_lasts_is_the_clips_own(numbered, fault, error):
    assert fault in LASTING
    with ChatServer(lambda number, tries: fault if number == 3 else None) as server:
        found = answers_of(captioner_of(server), map(numbered, range(6)))
        assert server.tries[3] == 1, "asked once"
    assert type(found[3].error) is error
    assert {n: a.caption for n, a in found.items()} == {n: right(n) if n != 3 else None for n in range(6)}


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("500", TransportError, r"status 500: .*played.* \(after 3 tries\)"),
        ("timeout", DeadlineError, r"no answer within 0.5 s \(after 3 tries\)"),
        ("drip", DeadlineError, "no answer within 0.5 s"),
        ("cut_body", TransportError, "after 3 tries"),
        ("cut_before_answer", TransportError, "after 3 tries"),
        ("huge", TransportError, "longer than 1048576 bytes"),
        ("malformed_json", AnswerError, "no chat completion: JSONDecodeError"),
        ("no_choices", AnswerError, "no chat completion: ValueError"),
        ("wrong_schema", AnswerError, r"keys \['camera', 'camera_motion', 'caption', 'text'\] are missing or unknown"),
        ("prose", AnswerError, "the text is no JSON"),
        ("cut_at_max_tokens", AnswerError, "cut off at max_tokens"),
    ],
)
def test_a_clip_that_never_gets_an_answer_says_why(numbered, fault, error, message):
    with ChatServer(lambda number, tries: fault) as server, pytest.raises(error, match=message):
        captioner_of(server, max_tries=3).caption(numbered(5))


def test_a_drip_ends_with_its_deadline(numbered):
    begin = time.monotonic()
    with ChatServer(lambda number, tries: "drip") as server, pytest.raises(DeadlineError):
        captioner_of(server, max_tries=1).caption(numbered(5))
    assert time.monotonic() - begin < 2, "each byte came in time, the answer did not"


def test_retry_after_holds_everyone_back(numbered):
    with ChatServer(lambda number, tries: "429_retry_date" if tries == 1 and number == 0 else None) as server:
        captioner = captioner_of(server, in_flight=1)
        assert captioner.caption(numbered(0)) == right(0)
    first, second = server.times
    assert second - first >= 0.8, "a date two seconds ahead, in whole seconds"


def test_a_pause_longer_than_allowed_is_not_waited_for(numbered):
    with ChatServer(lambda number, tries: "429_retry_after") as server:
        with pytest.raises(TransportError, match=r"after 1 tries, and it asks for a pause of 0\.2 s"):
            captioner_of(server, max_wait_s=0.1).caption(numbered(0))
        assert server.tries[0] == 1


def test_requests_a_minute(numbered):
    with ChatServer() as server:
        answers_of(captioner_of(server, requests_per_minute=1200), map(numbered, range(8)))
    assert server.times[-1] - server.times[0] >= 0.25, "eight of them take 0.35 s; unpaced ones a few hundredths"


def test_a_model_is_told_what_was_wrong(numbered, monkeypatch):
    from curation.captioning import asking

    asked = []
    post = asking.post_json
    monkeypatch.setattr(asking, "post_json", lambda *args: asked.append(args[2]["messages"]) or post(*args))
    with ChatServer(lambda number, tries: "prose" if tries == 1 else None) as server:
        assert captioner_of(server).caption(numbered(7)) == right(7)
        server.fault = lambda number, tries: "prose"
        with pytest.raises(AnswerError):
            captioner_of(server, max_repairs=0).caption(numbered(9))
    assert len(asked) == 3, "asked again once, and not at all where no repair is allowed"
    assert [len(messages) for messages in asked[:2]] == [1, 3]
    assert asked[1][1]["content"].startswith("Sure! A runner")
    assert "the text is no JSON" in asked[1][2]["content"]


class TestWhatEndsARun:
    def test_nobody_there_is_found_out_once(self, numbered, closed_url, monkeypatch):
        """The first clip's tries say it; the next clips of this worker are tried once, whatever run they are of."""
        tried = counted_posts(monkeypatch)
        captioner = load_captioner("endpoint", QUICK | {"url": closed_url, "max_tries": 3, "in_flight": 1})
        for tries, total in ((r"3 tries", 3), (r"1 try", 4)):
            told = (
                rf"nobody is there at {closed_url}: ConnectionRefusedError.*\({tries}\)\..*start the same command again"
            )
            with pytest.raises(UsageError, match=told):
                list(caption_clips(captioner, map(numbered, range(9))))
            assert len(tried) == total
        assert threading.active_count() < 20

    def test_clips_in_flight_end_together(self, numbered, closed_url):
        captioner = load_captioner("endpoint", QUICK | {"url": closed_url, "max_tries": 4, "first_wait_s": 0.2})
        begin = time.monotonic()
        with pytest.raises(UsageError, match="nobody is there"):
            list(caption_clips(captioner, map(numbered, range(50))))
        assert time.monotonic() - begin < 3, "waits of at most 0.2, 0.4 and 0.8 s, not fifty times that"

    def test_no_such_host(self, numbered):
        captioner = load_captioner("endpoint", QUICK | {"url": "http://no-such-host.invalid/v1", "max_tries": 2})
        with pytest.raises(UsageError, match=r"nobody is there at http://no-such-host\.invalid/v1: gaierror"):
            captioner.caption(numbered(0))

    def test_who_comes_back_is_asked_again(self, numbered):
        with ChatServer() as server:
            captioner = captioner_of(server, max_tries=2)
            assert captioner.caption(numbered(0)) == right(0)
        with pytest.raises(UsageError, match="nobody is there"):
            captioner.caption(numbered(1))
        with ChatServer(lambda number, tries: "503" if tries == 1 else None, port=server.server_address[1]) as server:
            assert captioner.caption(numbered(1)) == right(1), "busy, not gone: the second try is made"

    def test_a_server_that_answers_others_is_not_gone(self, numbered, monkeypatch):
        """Behind one address some doors are shut: that is the clip's failure, not the run's end."""
        from curation.captioning import asking

        def post(address, path, payload, headers, *rest):
            if headers["X-Request-Id"] == f"{3:032x}":
                sleep.wait(0.05)
                raise UnreachedError("ConnectionRefusedError: shut")
            return real(address, path, payload, headers, *rest)

        real, sleep = asking.post_json, threading.Event()
        monkeypatch.setattr(asking, "post_json", post)
        with ChatServer() as server:
            found = answers_of(captioner_of(server, max_tries=2), map(numbered, range(8)))
        assert type(found[3].error) is UnreachedError
        assert {n: a.caption for n, a in found.items()} == {n: right(n) if n != 3 else None for n in range(8)}

    def test_nobody_answers(self, numbered):
        with ChatServer(lambda number, tries: "cut_before_answer") as server:
            captioner = captioner_of(server, max_tries=2, max_failed_in_a_row=4)
            told = r"gave no answer about 4 clips in a row.*start the same command again"
            with pytest.raises(UsageError, match=told):
                list(caption_clips(captioner, map(numbered, range(50))))

    def test_a_wrong_key(self, numbered, monkeypatch):
        monkeypatch.setenv("TOY_KEY", "wrong")
        with ChatServer(key="right") as server:
            with pytest.raises(UsageError, match=r"401.*set the variable named by api_key_env") as raised:
                list(caption_clips(captioner_of(server, api_key_env="TOY_KEY"), map(numbered, range(50))))
            assert "wrong" not in str(raised.value).replace("missing or wrong", "")
            monkeypatch.setenv("TOY_KEY", "right")
            assert captioner_of(server, api_key_env="TOY_KEY").caption(numbered(1)) == right(1)

    def test_a_key_that_is_not_set(self, numbered, monkeypatch):
        monkeypatch.delenv("TOY_KEY", raising=False)
        with ChatServer() as server, pytest.raises(UsageError, match=r"TOY_KEY, which is not set; export TOY_KEY="):
            captioner_of(server, api_key_env="TOY_KEY").caption(numbered(1))

    def test_a_wrong_address(self, numbered):
        with ChatServer() as server, pytest.raises(UsageError, match=r"404.*mostly ends in /v1"):
            captioner_of(server, url=server.url.removesuffix("/v1")).caption(numbered(1))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"url": "ftp://host/v1"}, "wanted http://HOST"),
        ({"url": "file:///etc/passwd"}, "wanted http://HOST"),
        ({"url": "http://me:secret@host/v1"}, "leave user, password"),
        ({"model": ""}, "no model"),
        ({"in_flight": 0}, "in_flight is 0"),
        ({"answer_format": "xml"}, "answer_format is 'xml'"),
        ({"api_key": "sk-1"}, "no parameter 'api_key'"),
    ],
)
def test_refusals_say_what_to_do(params, message):
    with pytest.raises(UsageError, match=message):
        load_captioner("endpoint", QUICK | {"url": "http://127.0.0.1:1/v1"} | params)


def test_the_version_is_what_is_said_not_how_it_is_fetched():
    def version(**params):
        return captioner_version(load_captioner("endpoint", QUICK | {"url": "http://a/v1"} | params))

    how = {"url": "https://b:8000/v1", "in_flight": 64, "timeout_s": 9, "api_key_env": "KEY", "requests_per_minute": 5}
    assert version(**how) == version()
    for what in (
        {"model": "other"},
        {"revision": "2"},
        {"temperature": 1.0},
        {"num_frames": 9},
        {"caption_prompt": "?"},
    ):
        assert version(**what) != version()


def test_all_a_model_says_as_text(numbered):
    with ChatServer(lambda number, tries: "prose") as server:
        captioner = captioner_of(server, answer_format="text")
        assert captioner.caption(numbered(5)) == Caption(f"Sure! {caption_text(5)}")


def test_clips_are_taken_only_when_there_is_room(numbered):
    taken = []

    def clips():
        for number in range(20):
            taken.append(number)
            yield numbered(number)

    with ChatServer(delay_s=0.02) as server:
        answers = caption_clips(captioner_of(server, in_flight=3), clips())
        next(answers)
        assert len(taken) <= 6
        assert len(list(answers)) == 19
