"""A visitor's clip with a voice, words and a pulse beside the face."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from tests.browser.conftest import astronaut_frames, open_tab, running_server
from tests.browser.test_page import axe
from tests.conftest import files_under
from tests.modality_networks import write_text, write_voice
from tests.sounds import tone, written

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SRT = "1\n00:00:00,200 --> 00:00:01,000\nWell, that is great.\n"


@pytest.fixture(scope="module")
def address(chromium, tmp_path_factory) -> Iterator[str]:
    """The app with networks that always say the same of a voice and of words."""
    folder = tmp_path_factory.mktemp("beside")
    temporary = folder / "app"
    temporary.mkdir()
    voice = write_voice(folder / "voice", "sadness", 0.9)
    text = write_text(folder / "text", "anger", 0.8)
    arguments = ["app.py", "--voice", str(voice), "--text", str(text)]
    with running_server(arguments, temporary) as (found, _):
        yield found
    assert files_under(temporary) == [], "the app left files behind"
    log = temporary.with_suffix(".log").read_text()
    assert "Traceback" not in log, log


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Two seconds of the astronaut, who smiles, and of a hum."""
    pictures = [cv2.cvtColor(f[::2, ::2], cv2.COLOR_BGR2RGB) for f in astronaut_frames(20)]
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    path.write_bytes(written(tone(2), "matroska", late=0.0, pictures=pictures))
    return path


def read(page, clip: Path, state: str = "done") -> None:
    page.set_input_files("#fer-clip", clip)
    page.wait_for_selector(f'.fer-video[data-state="{state}"]')


def titles(page) -> list[str]:
    return page.eval_on_selector_all(".fer-clip-row h2", "all => all.map(e => e.innerText)")


@pytest.mark.parametrize("look", [("light", 1280), ("dark", 390)])
def test_a_clip_with_a_voice_and_words(browser, open_page, clip, tmp_path, look):
    scheme, width = look
    page = open_page(browser, color_scheme=scheme, viewport={"width": width, "height": 844})
    page.set_default_timeout(180_000)
    open_tab(page, "Video")
    assert page.get_by_role("checkbox", name="The voice").is_checked()
    assert not page.get_by_label("Heart rate").is_checked()
    words = tmp_path / "said.srt"
    words.write_text(SRT)
    page.set_input_files("#fer-words", words)
    assert page.inner_text(".fer-words-name").startswith("said.srt")
    page.get_by_label("Heart rate").check()
    read(page, clip)
    face, voice, text, together = titles(page)
    assert face.startswith("Face 1: happiness") and together.startswith("Together: happiness")
    assert voice == "Voice: sadness > 99 % of the time it is heard"
    assert text == "Words: anger > 99 % of the time"
    assert page.inner_text(".fer-influence").startswith("What moved it: face ")
    assert "Heart rate: none. 1.9 s of a face" in page.inner_text(".fer-timelines")
    # Who disagrees is told, and one press goes there.
    told = page.locator(".fer-disagreed button").filter(has_text="words: anger")
    assert told.first.inner_text().startswith("Face: happiness, voice: sadness, words: anger, 0.")
    page.wait_for_function("document.querySelector('.fer-annotated').readyState >= 2")
    told.first.click()
    page.wait_for_function("document.querySelector('.fer-annotated').currentTime > 0.1")
    page.get_by_text("They disagree. Face: happiness, voice: sadness, words: anger.").wait_for()
    rows = page.eval_on_selector_all(".fer-beside-table tr", "all => all.map(e => e.innerText)")
    names = [row.split()[0] for row in rows]
    assert names == ["Face", "Voice", "Words", "Together"]
    assert "sadness 90 %" in rows[1] and "anger 80 %" in rows[2] and "that is great" in rows[2]
    assert "\u00d7" in rows[0]  # how many times as probable it makes the joint answer
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe(page) == []
    with page.expect_download() as download:
        page.get_by_role("button", name="Table (CSV)").click()
    header = download.value.path().read_text().splitlines()[0].split(",")
    assert {"voice_label", "text_label", "together_label", "face_moved", "disagree"} <= set(header)
    assert header[-1] == "pulse_bpm"
    with page.expect_download() as download:
        page.get_by_role("button", name="Numbers (JSON)").click()
    numbers = json.loads(download.value.path().read_text())
    assert set(numbers["beside"]) == {"voice", "text"} and numbers["tracks"][0]["influence"]
    # What is asked for is changed, and the answer says that it is another one's.
    page.get_by_role("checkbox", name="The voice").uncheck()
    page.get_by_text("This clip was read with the voice.").wait_for()
    page.get_by_role("button", name="Leave the words out").click()
    page.get_by_role("button", name="Read the clip again").click()
    page.wait_for_selector('.fer-video[data-state="done"]')
    page.wait_for_function("document.querySelectorAll('.fer-clip-row').length === 1")
    assert page.locator(".fer-beside-table").count() == 0


def test_a_clip_without_sound_and_words_without_times(browser, open_page, tmp_path):
    page = open_page(browser)
    page.set_default_timeout(180_000)
    open_tab(page, "Video")
    pictures = [cv2.cvtColor(f[::2, ::2], cv2.COLOR_BGR2RGB) for f in astronaut_frames(6)]
    silent = tmp_path / "clip.mkv"
    silent.write_bytes(written(None, "matroska", late=0.0, pictures=pictures))
    read(page, silent)
    assert page.inner_text(".fer-timelines .fer-note") == "No voice: the clip has no sound track."
    assert len(titles(page)) == 1
    said = {"name": "a.vtt", "mimeType": "text/vtt", "buffer": b"WEBVTT\n\nhello there\n"}
    page.set_input_files("#fer-words", said)
    page.get_by_text("This clip was read without these words.").wait_for()
    page.get_by_role("button", name="Read the clip again").click()
    error = page.locator(".fer-video .fer-error")
    error.filter(has_text="The words cannot be read. a.vtt: text with no times").wait_for()


SPEAKING = """
  // A microphone of 44.1 kHz that gives what the test says, and the names of what was asked for.
  window.askedFor = [];
  const camera = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (constraints) => {
    window.askedFor.push(Object.keys(constraints).filter((kind) => constraints[kind]).join());
    if (!constraints.audio) return camera(constraints);
    if (window.refused) return Promise.reject(new DOMException("no", window.refused));
    const context = new AudioContext({ sampleRate: 44100 });
    const [hum, gain] = [context.createOscillator(), context.createGain()];
    const out = context.createMediaStreamDestination();
    Object.assign(hum, { type: "sawtooth" }).frequency.value = 140;
    window.level = gain.gain;
    gain.gain.value = 0.3;
    hum.connect(gain).connect(out);
    hum.start();
    window.microphone = out.stream;
    return Promise.resolve(out.stream);
  };
"""


def start_camera(page) -> None:
    page.get_by_role("button", name="Start camera").click()
    page.wait_for_selector('.fer-webcam[data-state="live"]')


@pytest.mark.parametrize("look", [("light", 1280), ("dark", 390)])
def test_the_microphone_is_asked_for_apart_and_its_voice_told(browser, open_page, look):
    scheme, width = look
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 844}}
    page = open_page(browser, SPEAKING, **options)
    start_camera(page)
    voice = page.locator(".fer-voice")
    assert page.evaluate("askedFor") == ["video"]  # the camera alone
    assert not voice.locator(".fer-voice-card").is_visible()
    voice.get_by_role("button", name="Hear the voice too").click()
    voice.get_by_text("sadness 90 %").wait_for()
    assert page.evaluate("askedFor") == ["video", "audio"]
    voice.get_by_text("Face and voice together: happiness").wait_for()
    voice.get_by_text("They disagree. Face: happiness, voice: sadness.").wait_for()
    page.wait_for_function("document.querySelectorAll('.fer-voice polygon').length > 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe(page) == []
    # A pause says nothing.
    page.evaluate("level.value = 0.002")  # a quiet room: -59 dB of full scale
    voice.get_by_text("Nobody speaks.").wait_for()
    assert voice.locator(".fer-verdict").inner_text() == "\u2013"
    voice.get_by_role("button", name="Stop the microphone").click()
    assert page.evaluate("microphone.getTracks().every((t) => t.readyState === 'ended')")
    assert not voice.locator(".fer-voice-card").is_visible()
    assert page.get_attribute(".fer-webcam", "data-state") == "live"  # the camera goes on
    voice.get_by_role("button", name="Hear the voice too").click()
    voice.get_by_text("sadness 90 %").wait_for()
    page.get_by_role("button", name="Stop camera").click()
    assert page.evaluate("microphone.getTracks().every((t) => t.readyState === 'ended')")


def test_a_microphone_that_is_refused(browser, open_page):
    page = open_page(browser, SPEAKING)
    start_camera(page)
    page.evaluate("window.refused = 'NotAllowedError'")
    page.get_by_role("button", name="Hear the voice too").click()
    page.locator(".fer-voice .fer-error").filter(has_text="so the face is read alone").wait_for()
    frames = int(page.get_attribute(".fer-webcam", "data-frames"))
    page.wait_for_function(f"document.querySelector('.fer-webcam').dataset.frames > {frames + 2}")
    page.evaluate("window.refused = ''")  # allowed after all
    page.get_by_role("button", name="Hear the voice too").click()
    page.locator(".fer-voice").get_by_text("sadness 90 %").wait_for()


def test_a_server_without_weights_says_so(browser, tmp_path):
    """The app as it starts where there are none."""
    temporary = tmp_path / "app"
    temporary.mkdir()
    with running_server(["app.py", "--voice", "no", "--text", "no"], temporary) as (found, _):
        page = browser.new_context().new_page()
        page.goto(found)
        open_tab(page, "Video")
        assert page.get_by_role("checkbox", name="The voice").is_disabled()
        assert not page.get_by_role("checkbox", name="The voice").is_checked()
        assert not page.locator(".fer-transcript").is_visible()
        why = "there are no weights for it on this server"
        assert not page.locator(".fer-voice").is_visible()
        assert page.inner_text(".fer-missing") == f"The voice: {why}. The words: {why}."
        page.context.close()
