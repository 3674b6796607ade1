"""Every table of the lake as data: name, type, unit and meaning of each column. Schemas, checks and README come from here."""

from moviegen.contracts.eval_tables import EVAL_METRICS, EVAL_RATES, EVAL_SCORES
from moviegen.contracts.table import Table, column

VIDEOS = Table(
    "videos",
    ("uri",),
    ("ingest",),
    "Raw source files, one row a file, also for those that cannot be opened.",
    (
        column("video_id", "string", "first 32 hex digits of the SHA-256 of the file's bytes"),
        column("uri", "string", "where the file lies, as found under the input folder (absolute path or URL)"),
        column("sha256", "string", "SHA-256 of the file's bytes"),
        column("size_bytes", "int64", "size of the file", "bytes"),
        column("container", "string", "demuxer's name", nullable=True),
        column("video_codec", "string", "codec of the chosen video stream", nullable=True),
        column("audio_codec", "string", "codec of the chosen audio stream", nullable=True),
        column("width", "int32", "width as displayed: rotation and sample aspect applied", "px", True),
        column("height", "int32", "height as displayed", "px", True),
        column("fps_num", "int64", "average frame rate, numerator", nullable=True),
        column("fps_den", "int64", "average frame rate, denominator", nullable=True),
        column("num_frames", "int64", "frames as the header says; null where it does not", "frames", True),
        column("duration", "float64", "duration as the header says; null where it does not", "s", True),
        column("rotation", "int32", "clockwise turn needed for display", "degrees", True),
        column("has_audio", "bool", "an audio stream exists", nullable=True),
        column("source_caption", "string", "caption that came with the file (sidecar .txt or .json)", nullable=True),
        column("status", "string", "`ok` or `failed`"),
        column("error", "string", "class and message of the failure", nullable=True),
    ),
)

SHOTS = Table(
    "shots",
    ("video_id", "shot"),
    ("split",),
    "What lies between two cuts.",
    (
        column("video_id", "string", "the video"),
        column("shot", "int32", "number of the shot in the video, from 0"),
        column("start_pts", "int64", "timestamp of the first frame", "time base of the stream"),
        column("end_pts", "int64", "timestamp after the last frame", "time base of the stream"),
        column("start_frame", "int64", "index of the first frame in presentation order", "frames"),
        column("num_frames", "int64", "frames in the shot", "frames"),
        column("transition", "string", "how it begins: start, cut, dissolve, fade, wipe, slide"),
        column(
            "transition_frames", "int64", "frames at its start that still show the shot before; in no clip", "frames"
        ),
        column("score", "float64", "cut score that opened it", "detector's own", True),
    ),
)

SIGNALS = Table(
    "signals",
    ("video_id", "chunk"),
    ("split",),
    "Per-frame measurements of the one decoding pass, list columns with one value a frame.",
    (
        column("video_id", "string", "the video"),
        column("chunk", "int32", "number of the chunk of a long source, from 0"),
        column("start_frame", "int64", "index of the first frame of the chunk", "frames"),
        column("num_frames", "int64", "frames in the chunk", "frames"),
        column("pts", "list<int64>", "exact presentation timestamp of each frame", "time base of the stream"),
        column("pts_s", "list<float32>", "presentation time of each frame", "s"),
        column("cut_score", "list<float32>", "content change against the frame before", "0..255"),
        column("scene_score", "list<float32>", "ffmpeg's scene score", "0..1"),
        column("difference", "list<float32>", "mean absolute luma difference to the frame before", "8-bit luma levels"),
        column("motion", "list<float32>", "VMAF motion: mean absolute difference of blurred luma", "8-bit luma levels"),
        column(
            "motion_vector",
            "list<float32>",
            "mean length of the codec's motion vectors; NaN on frames without, empty where the codec has none",
            "px/frame",
        ),
        column("luma", "list<float32>", "mean luma", "0..255"),
        column("black", "list<float32>", "share of pixels darker than luma 32 of the video range", "0..1"),
        column(
            "flash", "list<float32>", "mean luma above the frames on both sides: light that comes and goes", "0..255"
        ),
        column("border_top", "list<float32>", "black rows at the top; NaN where the frame does not tell", "px"),
        column("border_bottom", "list<float32>", "black rows at the bottom; NaN where the frame does not tell", "px"),
        column("border_left", "list<float32>", "black columns at the left; NaN where the frame does not tell", "px"),
        column("border_right", "list<float32>", "black columns at the right; NaN where the frame does not tell", "px"),
        column("flow", "list<float32>", "mean optical flow; NaN on frames that were not looked at", "diagonals/s"),
        column("flow_residual", "list<float32>", "mean flow that the camera does not explain", "diagonals/s"),
        column("camera_x", "list<float32>", "shift of the picture to the right by the camera", "diagonals/s"),
        column("camera_y", "list<float32>", "shift of the picture downwards by the camera", "diagonals/s"),
        column("camera_zoom", "list<float32>", "growth of the picture by the camera", "1/s"),
        column("camera_roll", "list<float32>", "turn of the picture clockwise by the camera", "degrees/s"),
        column("camera_inliers", "list<float32>", "share of the picture that follows the camera", "0..1"),
        column(
            "camera_parallax",
            "list<float32>",
            "spread of speeds along the camera's direction, near and far, less that across it; NaN where it cannot be told",
            "camera's speed",
        ),
        column(
            "camera_centre",
            "list<float32>",
            "speed of the slow part of the middle: 0 is a thing the camera follows",
            "camera's speed",
        ),
        column("camera_opposite", "list<float32>", "share of the picture that moves against the camera", "0..1"),
    ),
)

CHUNKS = Table(
    "chunks",
    ("video_id", "chunk"),
    ("split",),
    "Long sources while they are split: what each chunk gave, until all are joined. Empty between runs.",
    (
        column("video_id", "string", "the video"),
        column("chunk", "int32", "number of the chunk, from 0; -1 is the plan"),
        column("content", "string", "JSON of what was measured; empty where the chunk failed"),
    ),
)

CLIPS = Table(
    "clips",
    ("clip_id",),
    ("split",),
    "Spans inside one shot, 4-16 s: the unit of the dataset.",
    (
        column("clip_id", "string", "hash of video_id, span and splitter settings"),
        column("video_id", "string", "the video"),
        column("shot", "int32", "the shot it lies in"),
        column("start_pts", "int64", "timestamp of the first frame", "time base"),
        column("end_pts", "int64", "timestamp after the last frame", "time base"),
        column("tb_num", "int64", "time base, numerator", "s"),
        column("tb_den", "int64", "time base, denominator"),
        column("start_frame", "int64", "index of the first frame in presentation order", "frames"),
        column("num_frames", "int64", "frames in the clip", "frames"),
        column("fps_num", "int64", "average frame rate of the source, numerator"),
        column("fps_den", "int64", "average frame rate of the source, denominator"),
        column("width", "int32", "width as displayed, without what is cropped", "px"),
        column("height", "int32", "height as displayed, without what is cropped", "px"),
        column("crop_top", "int32", "rows at the top that are not the clip's: a border cut off", "px"),
        column("crop_bottom", "int32", "rows at the bottom", "px"),
        column("crop_left", "int32", "columns at the left", "px"),
        column("crop_right", "int32", "columns at the right", "px"),
    ),
)

SCORES = Table(
    "scores",
    ("clip_id", "detector", "metric"),
    ("score",),
    "One number a row: a new detector adds rows, not columns.",
    (
        column("clip_id", "string", "the clip"),
        column("detector", "string", "name of the detector"),
        column("metric", "string", "name of the number, `<detector>.<what>`"),
        column("score", "float64", "the number, in the unit the detector declares", "the metric's"),
        column("detector_version", "string", "version, parameters and weights of the detector, hashed"),
    ),
)

EMBEDDINGS = Table(
    "embeddings",
    ("clip_id", "embedder", "place"),
    ("embed",),
    "What a clip looks like as vectors of length one: copies, concepts and search are found from these.",
    (
        column("clip_id", "string", "the clip"),
        column("embedder", "string", "name of the embedder"),
        column("place", "int32", "number of the vector in the clip, from 0, in order of time"),
        column("vector", "list<float32>", "the vector, of length one; one embedder's all have the same width"),
        column("embedder_version", "string", "version, parameters and weights of the embedder, hashed"),
    ),
)

SELECTION = Table(
    "selection",
    ("subset", "clip_id"),
    ("filter", "dedup", "resample"),
    "Kept or not, and why: recomputed in seconds from the scores.",
    (
        column("subset", "string", "name of the selection"),
        column("clip_id", "string", "the clip"),
        column("keep", "bool", "in the subset"),
        column("reason", "string", "name of the first rule that rejected it; empty when kept"),
        column("detail", "string", "the metric, its score and the bound, for people"),
        column(
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
        column("subset", "string", "name of the selection"),
        column("clip_id", "string", "the clip dropped"),
        column("kept_id", "string", "the clip kept in its place, of this batch or of an earlier one"),
        column("matched_id", "string", "the clip it was compared with: the kept one, or another copy on the way there"),
        column("similarity", "float64", "mean cosine of the frames that match", "-1..1"),
        column("share", "float64", "matching frames, of the shorter clip's", "0..1"),
        column("is_mirrored", "bool", "left and right are swapped"),
    ),
)

CLIP_CONCEPTS = Table(
    "clip_concepts",
    ("subset", "clip_id"),
    ("filter",),
    "What concept a clip is of, and how many such clips resampling keeps; of clips that rules and near-duplicates leave.",
    (
        column("subset", "string", "name of the selection"),
        column("clip_id", "string", "the clip"),
        column("concept", "int32", "number of its concept in this batch, 0 the largest"),
        column(
            "num_alike", "int64", "clips resampled together: of the concept; all human-centred ones for such a clip"
        ),
        column("share", "float64", "share of these that resampling keeps", "0..1"),
        column("is_human", "bool", "human-centred: resampled apart from the concepts"),
    ),
)

RULES = Table(
    "rules",
    ("subset", "position"),
    ("filter",),
    "The rules that made a subset's selection, in the order of its funnel.",
    (
        column("subset", "string", "name of the selection"),
        column("position", "int32", "place in the funnel, from 0"),
        column("rule", "string", "name of the rule, as in `reason`"),
        column("metric", "string", "the metric it bounds; empty for rules about something else than a score"),
        column("min", "float64", "lower bound", "the metric's", True),
        column("max", "float64", "upper bound", "the metric's", True),
        column("bound", "string", "the bound in words: `motion.vmaf > 2`"),
        column("if_missing", "string", "what happens without a score: error, keep, reject"),
    ),
)

CAPTIONS = Table(
    "captions",
    ("clip_id", "captioner"),
    ("caption",),
    "Text about a clip.",
    (
        column("clip_id", "string", "the clip"),
        column("captioner", "string", "who wrote it: source, template, or a model's name"),
        column("text", "string", "the caption"),
        column("camera_motion", "string", "camera motion when confident", nullable=True),
        column("captioner_version", "string", "version, parameters and weights of the captioner, hashed"),
    ),
)

SHARDS = Table(
    "shards",
    ("path",),
    ("shard",),
    "Committed tars; a reader uses no other.",
    (
        column("path", "string", "path of the tar below the lake's root"),
        column("subset", "string", "the selection it holds"),
        column("bucket", "string", "aspect and frame count, `16x9-f128`"),
        column("num_samples", "int64", "samples in the tar"),
        column("size_bytes", "int64", "size of the tar", "bytes"),
        column("sha256", "string", "SHA-256 of the tar"),
    ),
)

SAMPLES = Table(
    "samples",
    ("subset", "clip_id"),
    ("shard",),
    "Which tar holds which clip.",
    (
        column("subset", "string", "the selection"),
        column("clip_id", "string", "the clip, the sample's key in the tar"),
        column("path", "string", "path of the tar below the lake's root"),
        column("caption", "string", "the caption that went in"),
        column("captioner", "string", "who wrote it"),
        column("width", "int32", "width of the encoded clip", "px"),
        column("height", "int32", "height of the encoded clip", "px"),
        column("num_frames", "int64", "frames of the encoded clip", "frames"),
        column("has_audio", "bool", "the sample carries sound"),
    ),
)

PEOPLE = Table(
    "people",
    ("clip_id",),
    ("personal",),
    "Faces of a clip, a frame a second: who is alone in it, and whether it stays the same person.",
    (
        column("clip_id", "string", "the clip"),
        column("pts", "list<int64>", "timestamps of the frames looked at", "time base"),
        column("num_faces", "list<int64>", "faces in each of them", "faces"),
        column("num_tracks", "int32", "different faces over all frames, followed from frame to frame", "faces"),
        column("boxes", "list<float32>", "left, top, right, bottom a frame; empty unless each has one face", "px"),
        column("identity_step", "float64", "least cosine between neighbouring frames' faces", "cosine", True),
        column("embedding", "list<float32>", "mean face embedding, of length one; empty without a model"),
    ),
)

SET_SHARDS = Table(
    "set_shards",
    ("path",),
    ("personal", "edits"),
    "Committed tars of the sets: samples of another make than a clip with a caption.",
    (
        column("path", "string", "path of the tar below the lake's root"),
        column("kind", "string", "personal or edits"),
        column("subset", "string", "name of the set"),
        column("num_samples", "int64", "samples in the tar"),
        column("size_bytes", "int64", "size of the tar", "bytes"),
        column("sha256", "string", "SHA-256 of the tar"),
    ),
)

SET_SAMPLES = Table(
    "set_samples",
    ("kind", "subset", "key"),
    ("personal", "edits"),
    "Which tar of a set holds which sample, and of which clip it was made.",
    (
        column("kind", "string", "personal or edits"),
        column("subset", "string", "name of the set"),
        column("key", "string", "the sample's key in the tar"),
        column("clip_id", "string", "the clip it was made of"),
        column("task", "string", "paired, cross; animate, segment, backtranslate"),
        column("text", "string", "caption or instruction"),
        column("path", "string", "path of the tar below the lake's root"),
    ),
)

FAILURES = Table(
    "failures",
    ("stage", "input_id"),
    ("split", "score", "embed", "caption", "shard", "personal", "edits"),
    "What could not be done, one row an input and stage. Files that cannot be opened are `failed` rows of `videos`.",
    (
        column(
            "stage",
            "string",
            "the operation: split, score:<detector>, embed:<embedder>, caption:<captioner>, shard:<subset>",
        ),
        column("input_id", "string", "video_id or clip_id"),
        column("error", "string", "class of the error"),
        column("message", "string", "what failed and why"),
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
