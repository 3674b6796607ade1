"""The kinds of odd videos: timing, shape, what is hidden, what lies beside, and codecs and containers with habits of their own."""

from fractions import Fraction

from moviegen.testing.odd_media import H264, Oddity

AAC = ("-c:a", "aac", "-b:a", "96k")
OPUS = ("-c:a", "libopus", "-b:a", "64k")
PCM = ("-c:a", "pcm_s16le")
MP3 = ("-c:a", "libmp3lame", "-b:a", "96k")
COPY = ("-map", "0", "-c", "copy")
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "3M", "-crf", "8")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "0", "-crf", "18")
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "2")
MPEG4 = ("-c:v", "mpeg4", "-q:v", "2")
CLOCK = ("-movie_timescale", "90000", "-video_track_timescale", "90000")
MILLISECOND = 0.0011

_DRIFT = ((15, 45), (15, 45), (8, 24), (5, 15), (5, 15))
"""15 s with cuts at 3, 6, 9 and 12 s that an average rate puts at 4.7, 9.4, 11.9 and 13.4 s."""

TIMING = {
    "constant": Oddity("nothing: the others are judged against it", sound=AAC),
    "vfr_drift": Oddity("rates from 5 to 15", shots=(45, 45, 24, 15, 15), rates=_DRIFT, sound=AAC),
    "vfr_drift_mkv": Oddity(
        "the same in whole milliseconds", ".mkv", shots=(45, 45, 24, 15, 15), rates=_DRIFT, sound=AAC, tick_s=MILLISECOND
    ),
    "vfr_jitter": Oddity("no two gaps alike", jitter_ms=(10, 120), sound=AAC),
    "vfr_pauses": Oddity("pauses of 2 and 1 s before the cuts", pauses=((1, 2000), (2, 1000)), sound=AAC),
    "vfr_pauses_webm": Oddity(
        "the same in VP8", ".webm", pauses=((1, 2000), (2, 1000)), picture=VP8, sound=OPUS, tick_s=MILLISECOND
    ),
    "ntsc_mkv": Oddity("29.97 in whole milliseconds", ".mkv", Fraction(30000, 1001), sound=OPUS, tick_s=MILLISECOND),
    "fps_100": Oddity("100 frames a second", fps=Fraction(100), shots=(70, 80, 60)),
    "fps_1": Oddity("one frame a second", fps=Fraction(1), shots=(12, 14, 13)),
}  # fmt: skip


def _turned(degrees: int, size: tuple[int, int] = (96, 160), suffix: str = ".mp4", **more: object) -> Oddity:
    """Turned by the container; ffmpeg's option counts counter-clockwise."""
    mirror = ("-display_hflip",) if more.get("mirror") else ()
    remux = (("-display_rotation", str(-degrees), *mirror, "-i", "{base}", *COPY, "{out}"),)
    tick = MILLISECOND if suffix == ".mkv" else 1e-5
    return Oddity(f"turned by {degrees}", suffix, turn=degrees, size=size, remux=remux, tick_s=tick, **more)


SHAPE = {
    "rotate_90": _turned(90, sound=AAC),
    "rotate_180": _turned(180, (160, 96)),
    "rotate_270": _turned(270),
    "rotate_90_mkv": _turned(90, suffix=".mkv"),
    "mirrored": _turned(0, (160, 96), mirror=True),
    "mirrored_90": _turned(90, mirror=True),
    "mirrored_270": _turned(270, mirror=True),
    "rotate_90_sei": Oddity(
        "turned by the codec's own message alone", ".ts", turn=90, size=(96, 160), start_s=None, tick_s=2e-5,
        remux=(("-i", "{base}", *COPY, "-bsf:v", "h264_metadata=display_orientation=insert:rotate=270", "{out}"),),
    ),
    "sar_2x1": Oddity("pixels twice as wide as high", sample_aspect=Fraction(2), sound=AAC),
    "sar_4x3": Oddity("pixels of 4:3", sample_aspect=Fraction(4, 3), size=(192, 108)),
    "sar_1x2": Oddity("pixels twice as high as wide: a portrait stored as a square", sample_aspect=Fraction(1, 2), size=(96, 192)),
    "sar_2x1_mkv": Oddity("as above, in Matroska", ".mkv", sample_aspect=Fraction(2), tick_s=MILLISECOND),
    "sar_codec_only": Oddity("told by the codec alone", ".ts", sample_aspect=Fraction(2), start_s=None, tick_s=2e-5),
    "sar_rotate_90": _turned(90, (96, 160), sample_aspect=Fraction(2)),
    "odd_444": Oddity("161x97, no chroma subsampling", size=(161, 97), picture=(*H264[:-1], "yuv444p")),
    "odd_vp9": Oddity("161x97, chroma halved", ".webm", size=(161, 97), picture=VP9, tick_s=MILLISECOND),
    "odd_rotate_90": _turned(90, (97, 161), picture=(*H264[:-1], "yuv444p")),
}  # fmt: skip

HIDDEN = {
    "edit_trim": Oddity(
        "begins at 1.25 s, between key frames: an edit list hides what comes before", sound=AAC, shown=((1.25, 99),),
        picture=(*H264, "-g", "48"), remux=(("-ss", "1.25", "-i", "{base}", *COPY, "{out}"),),
    ),
    "edit_two": Oddity(
        "an edit list with a hole", edits=((0.5, 1.5), (2.25, 3.5)), picture=(*H264, "-bf", "0", "-g", "30", *CLOCK),
    ),
    "edit_late": Oddity(
        "the picture begins 1.5 s after the sound", sound=AAC, start_s=Fraction(3, 2), sound_late_s=Fraction(-3, 2),
        remux=(("-itsoffset", "1.5", "-i", "{base}", "-i", "{base}", "-map", "0:v", "-map", "1:a", "-c", "copy", "{out}"),),
    ),
    "no_edit_list": Oddity(
        "B-frames, and no edit list that would make the first frame's time 0", start_s=None,
        remux=(("-i", "{base}", *COPY, "-use_editlist", "0", "{out}"),),
    ),
    "starts_late_mkv": Oddity(
        "clock begins at 7 s", ".mkv", sound=OPUS, start_s=None, tick_s=MILLISECOND,
        remux=(("-i", "{base}", *COPY, "-output_ts_offset", "7", "{out}"),),
    ),
    "ts": Oddity("transport stream: begins at 1.4 s", ".ts", sound=MP3, start_s=None, tick_s=2e-5),
    "ts_wrap": Oddity(
        "its 33-bit clock runs over after two seconds", ".ts", sound=MP3, start_s=None, tick_s=2e-5,
        remux=(("-i", "{base}", *COPY, "-output_ts_offset", "95440.2", "{out}"),),
    ),
    "ts_joined": Oddity("two recordings in one file", ".ts", sound=MP3, start_s=None, tick_s=2e-5, copies=2),
    "no_duration_mkv": Oddity(
        "live: no duration, no index", ".mkv", sound=AAC, tick_s=MILLISECOND,
        remux=(("-i", "{base}", *COPY, "-f", "matroska", "pipe:1"),),
    ),
    "no_duration_webm": Oddity(
        "live and of varying rate", ".webm", picture=VP8, jitter_ms=(20, 90), sound=OPUS, tick_s=MILLISECOND,
        remux=(("-i", "{base}", *COPY, "-f", "webm", "-live", "1", "pipe:1"),),
    ),
    "fragments": Oddity(
        "in fragments, no duration", sound=AAC,
        remux=(("-i", "{base}", *COPY, "-movflags", "frag_keyframe+delay_moov+default_base_moof", "{out}"),),
    ),
}  # fmt: skip

_BOTH = ("-i", "{base}", "-i", "{other}", "-c", "copy")
BESIDE = {
    "two_videos": Oddity("another video after it", remux=((*_BOTH, "-map", "0:v", "-map", "1:v", "{out}"),)),
    "two_videos_default": Oddity(
        "another video before it, not the default", ".mkv", tick_s=MILLISECOND,
        remux=((*_BOTH, "-map", "1:v", "-map", "0:v", "-disposition:v:0", "0", "-disposition:v:1", "default", "{out}"),),
    ),
    "cover": Oddity(
        "a cover picture", sound=AAC,
        remux=(("-i", "{cover}", "-i", "{base}", "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", "{out}"),),
    ),
    "cover_mkv": Oddity(
        "an attached picture", ".mkv", sound=AAC, tick_s=MILLISECOND,
        remux=(("-i", "{base}", *COPY, "-attach", "{cover}", "-metadata:s:t", "mimetype=image/png", "{out}"),),
    ),
    "two_sounds": Oddity(
        "another sound after it", sound=AAC, remux=((*_BOTH, "-map", "0", "-map", "1:a", "{out}"),),
    ),
    "two_sounds_default": Oddity(
        "another sound before it, not the default", ".mkv", sound=AAC, tick_s=MILLISECOND,
        remux=((*_BOTH, "-map", "0:v", "-map", "1:a", "-map", "0:a", "-disposition:a:0", "0", "-disposition:a:1", "default", "{out}"),),
    ),
}  # fmt: skip

HABITS = {
    "open_gop": Oddity(
        "open groups of pictures", picture=(*H264, "-x264-params", "keyint=20:min-keyint=20:scenecut=0:open-gop=1:bframes=3"),
    ),
    "long_gop": Oddity("one key frame", sound=AAC, picture=(*H264, "-x264-params", "keyint=1000:scenecut=0:bframes=5")),
    "ten_bit": Oddity("ten bits", ".mkv", picture=(*H264[:-1], "yuv420p10le"), tick_s=MILLISECOND),
    "full_444": Oddity("4:4:4", picture=(*H264[:-1], "yuv444p")),
    "interlaced": Oddity("marked as interlaced", picture=(*H264, "-flags", "+ildct+ilme", "-x264-params", "tff=1")),
    "interlaced_mpeg2": Oddity(
        "interlaced MPEG-2 with B-frames", ".ts", Fraction(25), picture=(*MPEG2, "-flags", "+ildct+ilme"), sound=("-c:a", "mp2"),
        start_s=None, tick_s=2e-5,
    ),
    "avi_mpeg4": Oddity("no presentation times, B-frames", ".avi", picture=(*MPEG4, "-bf", "2"), sound=PCM),
    "avi_h264": Oddity("no presentation times, a pyramid of B-frames", ".avi", picture=(*H264, "-bf", "3"), sound=PCM),
    "avi_mjpeg": Oddity("no presentation times, whole pictures", ".avi", picture=("-c:v", "mjpeg", "-q:v", "2"), sound=PCM),
    "flv": Oddity("whole milliseconds", ".flv", sound=AAC, start_s=None, tick_s=MILLISECOND),
    "ogg": Oddity("Theora", ".ogv", picture=("-c:v", "libtheora", "-q:v", "10"), sound=("-c:a", "libvorbis"), start_s=None),
    "mpeg_ps": Oddity(
        "program stream", ".mpg", Fraction(25), picture=MPEG2, sound=("-c:a", "mp2"), start_s=None, tick_s=2e-5,
    ),
    "avi_pause": Oddity(
        "no presentation times: a pause is a run of empty packets", ".avi", pauses=((1, 1500),), sound=PCM,
        picture=("-c:v", "mjpeg", "-q:v", "2", "-enc_time_base", "1/24"),
    ),
    "gif": Oddity("GIF", ".gif", Fraction(25), picture=()),
}  # fmt: skip

ODDITIES: dict[str, Oddity] = TIMING | SHAPE | HIDDEN | BESIDE | HABITS
"""All kinds by name."""
