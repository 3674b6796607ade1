"""Every table of the lake as data: name, type, unit and meaning of each column. Schemas, checks and README come from here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column. `type`: string, int64, int32, float64, bool, list<float32> or list<int64>."""

    name: str
    type: str
    meaning: str
    unit: str = ""
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table: its key columns, which commands write it, and its columns in order."""

    name: str
    key: tuple[str, ...]
    written_by: tuple[str, ...]
    meaning: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError listing the right names."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name!r}; it has {', '.join(c.name for c in self.columns)}")

    def check_row(self, row: dict) -> None:
        """Raises ValueError when a row's columns, nulls or types are not the table's."""
        expected = {column.name for column in self.columns}
        if set(row) != expected:
            odd = sorted(set(row) ^ expected)
            raise ValueError(f"table {self.name}: columns {odd} are missing or unknown")
        for column in self.columns:
            value = row[column.name]
            if value is None:
                if not column.nullable:
                    raise ValueError(f"table {self.name}: {column.name} is null in {_key_text(self, row)}")
            elif not isinstance(value, _PYTHON_TYPES[column.type]) or (
                column.type != "bool" and isinstance(value, bool)
            ):
                raise ValueError(
                    f"table {self.name}: {column.name} is {type(value).__name__}, wanted {column.type} in {_key_text(self, row)}"
                )


_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "int64": (int,),
    "int32": (int,),
    "float64": (float, int),
    "bool": (bool,),
    "list<float32>": (list, tuple),
    "list<int64>": (list, tuple),
}


def _key_text(table: Table, row: dict) -> str:
    return ", ".join(f"{name}={row.get(name)!r}" for name in table.key)


def _column(name: str, type_: str, meaning: str, unit: str = "", nullable: bool = False) -> Column:
    return Column(name, type_, meaning, unit, nullable)


VIDEOS = Table(
    "videos",
    ("uri",),
    ("ingest",),
    "Raw source files, one row a file, also for those that cannot be opened.",
    (
        _column("video_id", "string", "first 32 hex digits of the SHA-256 of the file's bytes"),
        _column("uri", "string", "where the file lies, as found under the input folder (absolute path or URL)"),
        _column("sha256", "string", "SHA-256 of the file's bytes"),
        _column("size_bytes", "int64", "size of the file", "bytes"),
        _column("container", "string", "demuxer's name", nullable=True),
        _column("video_codec", "string", "codec of the chosen video stream", nullable=True),
        _column("audio_codec", "string", "codec of the chosen audio stream", nullable=True),
        _column("width", "int32", "width as displayed: rotation and sample aspect applied", "px", True),
        _column("height", "int32", "height as displayed", "px", True),
        _column("fps_num", "int64", "average frame rate, numerator", nullable=True),
        _column("fps_den", "int64", "average frame rate, denominator", nullable=True),
        _column("num_frames", "int64", "frames as the header says; null where it does not", "frames", True),
        _column("duration", "float64", "duration as the header says; null where it does not", "s", True),
        _column("rotation", "int32", "clockwise turn needed for display", "degrees", True),
        _column("has_audio", "bool", "an audio stream exists", nullable=True),
        _column("source_caption", "string", "caption that came with the file (sidecar .txt or .json)", nullable=True),
        _column("status", "string", "`ok` or `failed`"),
        _column("error", "string", "class and message of the failure", nullable=True),
    ),
)

SHOTS = Table(
    "shots",
    ("video_id", "shot"),
    ("split",),
    "What lies between two cuts.",
    (
        _column("video_id", "string", "the video"),
        _column("shot", "int32", "number of the shot in the video, from 0"),
        _column("start_pts", "int64", "timestamp of the first frame", "time base of the stream"),
        _column("end_pts", "int64", "timestamp after the last frame", "time base of the stream"),
        _column("start_frame", "int64", "index of the first frame in presentation order", "frames"),
        _column("num_frames", "int64", "frames in the shot", "frames"),
        _column("transition", "string", "how it begins: start, cut, dissolve, fade, wipe, slide"),
        _column(
            "transition_frames", "int64", "frames at its start that still show the shot before; in no clip", "frames"
        ),
        _column("score", "float64", "cut score that opened it", "detector's own", True),
    ),
)

SIGNALS = Table(
    "signals",
    ("video_id", "chunk"),
    ("split",),
    "Per-frame measurements of the one decoding pass, list columns with one value a frame.",
    (
        _column("video_id", "string", "the video"),
        _column("chunk", "int32", "number of the chunk of a long source, from 0"),
        _column("start_frame", "int64", "index of the first frame of the chunk", "frames"),
        _column("num_frames", "int64", "frames in the chunk", "frames"),
        _column("pts", "list<int64>", "exact presentation timestamp of each frame", "time base of the stream"),
        _column("pts_s", "list<float32>", "presentation time of each frame", "s"),
        _column("cut_score", "list<float32>", "content change against the frame before", "0..255"),
        _column("scene_score", "list<float32>", "ffmpeg's scene score", "0..1"),
        _column(
            "difference", "list<float32>", "mean absolute luma difference to the frame before", "8-bit luma levels"
        ),
        _column(
            "motion", "list<float32>", "VMAF motion: mean absolute difference of blurred luma", "8-bit luma levels"
        ),
        _column(
            "motion_vector",
            "list<float32>",
            "mean length of the codec's motion vectors; NaN on frames without, empty where the codec has none",
            "px/frame",
        ),
        _column("luma", "list<float32>", "mean luma", "0..255"),
        _column("black", "list<float32>", "share of pixels darker than luma 32 of the video range", "0..1"),
        _column(
            "flash", "list<float32>", "mean luma above the frames on both sides: light that comes and goes", "0..255"
        ),
        _column("border_top", "list<float32>", "black rows at the top; NaN where the frame does not tell", "px"),
        _column("border_bottom", "list<float32>", "black rows at the bottom; NaN where the frame does not tell", "px"),
        _column("border_left", "list<float32>", "black columns at the left; NaN where the frame does not tell", "px"),
        _column("border_right", "list<float32>", "black columns at the right; NaN where the frame does not tell", "px"),
        _column("flow", "list<float32>", "mean optical flow; NaN on frames that were not looked at", "diagonals/s"),
        _column("flow_residual", "list<float32>", "mean flow that the camera does not explain", "diagonals/s"),
        _column("camera_x", "list<float32>", "shift of the picture to the right by the camera", "diagonals/s"),
        _column("camera_y", "list<float32>", "shift of the picture downwards by the camera", "diagonals/s"),
        _column("camera_zoom", "list<float32>", "growth of the picture by the camera", "1/s"),
        _column("camera_roll", "list<float32>", "turn of the picture clockwise by the camera", "degrees/s"),
        _column("camera_inliers", "list<float32>", "share of the picture that follows the camera", "0..1"),
        _column(
            "camera_parallax",
            "list<float32>",
            "spread of speeds along the camera's direction, near and far, less that across it; NaN where it cannot be told",
            "camera's speed",
        ),
        _column(
            "camera_centre",
            "list<float32>",
            "speed of the slow part of the middle: 0 is a thing the camera follows",
            "camera's speed",
        ),
        _column("camera_opposite", "list<float32>", "share of the picture that moves against the camera", "0..1"),
    ),
)

CHUNKS = Table(
    "chunks",
    ("video_id", "chunk"),
    ("split",),
    "Long sources while they are split: what each chunk gave, until all are joined. Empty between runs.",
    (
        _column("video_id", "string", "the video"),
        _column("chunk", "int32", "number of the chunk, from 0; -1 is the plan"),
        _column("content", "string", "JSON of what was measured; empty where the chunk failed"),
    ),
)

CLIPS = Table(
    "clips",
    ("clip_id",),
    ("split",),
    "Spans inside one shot, 4-16 s: the unit of the dataset.",
    (
        _column("clip_id", "string", "hash of video_id, span and splitter settings"),
        _column("video_id", "string", "the video"),
        _column("shot", "int32", "the shot it lies in"),
        _column("start_pts", "int64", "timestamp of the first frame", "time base"),
        _column("end_pts", "int64", "timestamp after the last frame", "time base"),
        _column("tb_num", "int64", "time base, numerator", "s"),
        _column("tb_den", "int64", "time base, denominator"),
        _column("start_frame", "int64", "index of the first frame in presentation order", "frames"),
        _column("num_frames", "int64", "frames in the clip", "frames"),
        _column("fps_num", "int64", "average frame rate of the source, numerator"),
        _column("fps_den", "int64", "average frame rate of the source, denominator"),
        _column("width", "int32", "width as displayed, without what is cropped", "px"),
        _column("height", "int32", "height as displayed, without what is cropped", "px"),
        _column("crop_top", "int32", "rows at the top that are not the clip's: a border cut off", "px"),
        _column("crop_bottom", "int32", "rows at the bottom", "px"),
        _column("crop_left", "int32", "columns at the left", "px"),
        _column("crop_right", "int32", "columns at the right", "px"),
    ),
)

SCORES = Table(
    "scores",
    ("clip_id", "detector", "metric"),
    ("score",),
    "One number a row: a new detector adds rows, not columns.",
    (
        _column("clip_id", "string", "the clip"),
        _column("detector", "string", "name of the detector"),
        _column("metric", "string", "name of the number, `<detector>.<what>`"),
        _column("score", "float64", "the number, in the unit the detector declares", "the metric's"),
        _column("detector_version", "string", "version, parameters and weights of the detector, hashed"),
    ),
)

EMBEDDINGS = Table(
    "embeddings",
    ("clip_id", "embedder", "place"),
    ("embed",),
    "What a clip looks like as vectors of length one: copies, concepts and search are found from these.",
    (
        _column("clip_id", "string", "the clip"),
        _column("embedder", "string", "name of the embedder"),
        _column("place", "int32", "number of the vector in the clip, from 0, in order of time"),
        _column("vector", "list<float32>", "the vector, of length one; one embedder's all have the same width"),
        _column("embedder_version", "string", "version, parameters and weights of the embedder, hashed"),
    ),
)

SELECTION = Table(
    "selection",
    ("subset", "clip_id"),
    ("filter", "dedup", "resample"),
    "Kept or not, and why: recomputed in seconds from the scores.",
    (
        _column("subset", "string", "name of the selection"),
        _column("clip_id", "string", "the clip"),
        _column("keep", "bool", "in the subset"),
        _column("reason", "string", "name of the first rule that rejected it; empty when kept"),
        _column("detail", "string", "the metric, its score and the bound, for people"),
        _column(
            "skipped", "string", "rules skipped because their metric is missing (`if_missing: keep`), comma separated"
        ),
    ),
)

COPIES = Table(
    "copies",
    ("subset", "clip_id"),
    ("filter",),
    "Near-duplicates that a subset drops, and the clip that stands for each.",
    (
        _column("subset", "string", "name of the selection"),
        _column("clip_id", "string", "the clip dropped"),
        _column("kept_id", "string", "the clip kept in its place, of this batch or of an earlier one"),
        _column(
            "matched_id", "string", "the clip it was compared with: the kept one, or another copy on the way there"
        ),
        _column("similarity", "float64", "mean cosine of the frames that match", "-1..1"),
        _column("share", "float64", "matching frames, of the shorter clip's", "0..1"),
        _column("is_mirrored", "bool", "left and right are swapped"),
    ),
)

CLIP_CONCEPTS = Table(
    "clip_concepts",
    ("subset", "clip_id"),
    ("filter",),
    "What concept a clip is of, and how many such clips resampling keeps; of clips that rules and near-duplicates leave.",
    (
        _column("subset", "string", "name of the selection"),
        _column("clip_id", "string", "the clip"),
        _column("concept", "int32", "number of its concept in this batch, 0 the largest"),
        _column(
            "num_alike", "int64", "clips resampled together: of the concept; all human-centred ones for such a clip"
        ),
        _column("share", "float64", "share of these that resampling keeps", "0..1"),
        _column("is_human", "bool", "human-centred: resampled apart from the concepts"),
    ),
)

RULES = Table(
    "rules",
    ("subset", "position"),
    ("filter",),
    "The rules that made a subset's selection, in the order of its funnel.",
    (
        _column("subset", "string", "name of the selection"),
        _column("position", "int32", "place in the funnel, from 0"),
        _column("rule", "string", "name of the rule, as in `reason`"),
        _column("metric", "string", "the metric it bounds; empty for rules about something else than a score"),
        _column("min", "float64", "lower bound", "the metric's", True),
        _column("max", "float64", "upper bound", "the metric's", True),
        _column("bound", "string", "the bound in words: `motion.vmaf > 2`"),
        _column("if_missing", "string", "what happens without a score: error, keep, reject"),
    ),
)

CAPTIONS = Table(
    "captions",
    ("clip_id", "captioner"),
    ("caption",),
    "Text about a clip.",
    (
        _column("clip_id", "string", "the clip"),
        _column("captioner", "string", "who wrote it: source, template, or a model's name"),
        _column("text", "string", "the caption"),
        _column("camera_motion", "string", "camera motion when confident", nullable=True),
        _column("captioner_version", "string", "version, parameters and weights of the captioner, hashed"),
    ),
)

SHARDS = Table(
    "shards",
    ("path",),
    ("shard",),
    "Committed tars; a reader uses no other.",
    (
        _column("path", "string", "path of the tar below the lake's root"),
        _column("subset", "string", "the selection it holds"),
        _column("bucket", "string", "aspect and frame count, `16x9-f128`"),
        _column("num_samples", "int64", "samples in the tar"),
        _column("size_bytes", "int64", "size of the tar", "bytes"),
        _column("sha256", "string", "SHA-256 of the tar"),
    ),
)

SAMPLES = Table(
    "samples",
    ("subset", "clip_id"),
    ("shard",),
    "Which tar holds which clip.",
    (
        _column("subset", "string", "the selection"),
        _column("clip_id", "string", "the clip, the sample's key in the tar"),
        _column("path", "string", "path of the tar below the lake's root"),
        _column("caption", "string", "the caption that went in"),
        _column("captioner", "string", "who wrote it"),
        _column("width", "int32", "width of the encoded clip", "px"),
        _column("height", "int32", "height of the encoded clip", "px"),
        _column("num_frames", "int64", "frames of the encoded clip", "frames"),
        _column("has_audio", "bool", "the sample carries sound"),
    ),
)

PEOPLE = Table(
    "people",
    ("clip_id",),
    ("personal",),
    "Faces of a clip, a frame a second: who is alone in it, and whether it stays the same person.",
    (
        _column("clip_id", "string", "the clip"),
        _column("pts", "list<int64>", "timestamps of the frames looked at", "time base"),
        _column("num_faces", "list<int64>", "faces in each of them", "faces"),
        _column("num_tracks", "int32", "different faces over all frames, followed from frame to frame", "faces"),
        _column("boxes", "list<float32>", "left, top, right, bottom a frame; empty unless each has one face", "px"),
        _column("identity_step", "float64", "least cosine between neighbouring frames' faces", "cosine", True),
        _column("embedding", "list<float32>", "mean face embedding, of length one; empty without a model"),
    ),
)

SET_SHARDS = Table(
    "set_shards",
    ("path",),
    ("personal", "edits"),
    "Committed tars of the sets: samples of another make than a clip with a caption.",
    (
        _column("path", "string", "path of the tar below the lake's root"),
        _column("kind", "string", "personal or edits"),
        _column("subset", "string", "name of the set"),
        _column("num_samples", "int64", "samples in the tar"),
        _column("size_bytes", "int64", "size of the tar", "bytes"),
        _column("sha256", "string", "SHA-256 of the tar"),
    ),
)

SET_SAMPLES = Table(
    "set_samples",
    ("kind", "subset", "key"),
    ("personal", "edits"),
    "Which tar of a set holds which sample, and of which clip it was made.",
    (
        _column("kind", "string", "personal or edits"),
        _column("subset", "string", "name of the set"),
        _column("key", "string", "the sample's key in the tar"),
        _column("clip_id", "string", "the clip it was made of"),
        _column("task", "string", "paired, cross; animate, segment, backtranslate"),
        _column("text", "string", "caption or instruction"),
        _column("path", "string", "path of the tar below the lake's root"),
    ),
)

FAILURES = Table(
    "failures",
    ("stage", "input_id"),
    ("split", "score", "embed", "caption", "shard", "personal", "edits"),
    "What could not be done, one row an input and stage. Files that cannot be opened are `failed` rows of `videos`.",
    (
        _column(
            "stage",
            "string",
            "the operation: split, score:<detector>, embed:<embedder>, caption:<captioner>, shard:<subset>",
        ),
        _column("input_id", "string", "video_id or clip_id"),
        _column("error", "string", "class of the error"),
        _column("message", "string", "what failed and why"),
    ),
)

EVAL_SCORES = Table(
    "eval_scores",
    ("run", "item", "metric"),
    ("eval",),
    "What an evaluation measured, one row an item and metric; a file that cannot be measured has a row that says why.",
    (
        _column("run", "string", "name of the evaluation"),
        _column("item", "string", "the file's name without suffix, below its folder"),
        _column("metric", "string", "what was measured"),
        _column("status", "string", "ok, failed (why: reason) or skipped (the metric does not apply: reason)"),
        _column("value", "float64", "the score; null unless ok", nullable=True),
        _column("reason", "string", "why there is no value", nullable=True),
        _column("source", "string", "SHA-256 of the file measured", nullable=True),
        _column("reference", "string", "SHA-256 of the file it was compared with", nullable=True),
        _column("weights", "string", "SHA-256 of the network's file; null where none is needed", nullable=True),
        _column("version", "string", "hash of the metric, its version and its settings"),
        _column("tags", "string", "tags of the prompt, separated by commas", nullable=True),
    ),
)

EVAL_METRICS = Table(
    "eval_metrics",
    ("run", "metric"),
    ("eval",),
    "What an evaluation found, one row a metric: the mean of its items or a distance of sets, with its interval.",
    (
        _column("run", "string", "name of the evaluation"),
        _column("metric", "string", "what was measured"),
        _column("kind", "string", "mean (of items) or set (one number of all items)"),
        _column("value", "float64", "the mean, or the distance; null where nothing could be measured", nullable=True),
        _column("low", "float64", "lower end of the 95 % interval; null where there is none", nullable=True),
        _column("high", "float64", "upper end of the interval", nullable=True),
        _column("n", "int64", "items that the value is of"),
        _column("num_failed", "int64", "items that failed"),
        _column("num_skipped", "int64", "items to which the metric does not apply"),
        _column("unit", "string", "unit of the value, empty where it has none"),
        _column("better", "string", "higher, lower, or none: neither is better"),
        _column("weights", "string", "SHA-256 of the network's file; null where none is needed", nullable=True),
        _column("version", "string", "hash of the metric, its version and its settings"),
        _column("note", "string", "what to know before believing it", nullable=True),
    ),
)

EVAL_RATES = Table(
    "eval_rates",
    ("study", "axis", "grouped_by", "group_name"),
    ("eval ab score",),
    "What people prefer: win rates of a blind study, one row an axis and group of items.",
    (
        _column("study", "string", "id of the study"),
        _column("a", "string", "model whose win rate it is"),
        _column("b", "string", "the other"),
        _column("axis", "string", "what was asked"),
        _column("grouped_by", "string", "all, tag or motion_level"),
        _column("group_name", "string", "the tag or the level; empty of all"),
        _column("n", "int64", "items"),
        _column("num_votes", "int64", "votes"),
        _column("win", "float64", "items for a", "%"),
        _column("tie", "float64", "items for neither", "%"),
        _column("loss", "float64", "items for b", "%"),
        _column("net", "float64", "net win rate, -100..100", "points"),
        _column("scale", "string", "net, or win_rate: 0..100, 50 a tie"),
        _column("value", "float64", "on the axis's scale"),
        _column("low", "float64", "lower end of the 95 % interval of value; null of one item", nullable=True),
        _column("high", "float64", "upper end of the interval", nullable=True),
        _column("sigma", "float64", "standard error of value; null of one item", "points", nullable=True),
        _column("verdict", "string", "significant, moderate, on par, or too few"),
        _column("interval_over", "string", "what was drawn again: items, raters or both"),
        _column("resamples", "int64", "how often"),
    ),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        VIDEOS,
        CHUNKS,
        SHOTS,
        SIGNALS,
        CLIPS,
        SCORES,
        EMBEDDINGS,
        SELECTION,
        COPIES,
        CLIP_CONCEPTS,
        RULES,
        CAPTIONS,
        SHARDS,
        SAMPLES,
        PEOPLE,
        SET_SHARDS,
        SET_SAMPLES,
        FAILURES,
        EVAL_SCORES,
        EVAL_METRICS,
        EVAL_RATES,
    )
}
"""Every table of the lake by name."""
