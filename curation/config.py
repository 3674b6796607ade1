"""The one YAML of `moviegen curate`: where the videos are, where the lake is, and what every job is to do."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from moviegen.contracts.shard import check_name
from moviegen.errors import UsageError

from .captioning.cleaning import CleaningConfig
from .captioning.quality import QualityConfig
from .clips import SplitConfig
from .concepts import BalanceConfig
from .dedup import DedupConfig
from .editing import EditsConfig
from .personal import PersonalConfig
from .shards import EncodeConfig
from .sound_buckets import SoundConfig
from .spark_config import SparkConfig

VIDEO_SUFFIXES = (
    "mp4",
    "m4v",
    "mov",
    "mkv",
    "webm",
    "avi",
    "ts",
    "mpg",
    "mpeg",
    "wmv",
    "flv",
    "3gp",
    "ogv",
    "mts",
    "m2ts",
)
"""Files taken as videos by their name; what is inside is found out by probing."""


@dataclass(frozen=True)
class IngestConfig:
    """Which files are inputs."""

    suffixes: tuple[str, ...] = VIDEO_SUFFIXES
    """Endings of file names, without the dot, in any case."""
    read_captions: bool = True
    """Take the text of `<name>.txt`, or `caption` of `<name>.json`, beside a video."""
    follow_links: bool = False
    """Also open files behind symbolic links that lead out of the input folder. Off: such a file fails, as nobody gave what it points at."""


@dataclass(frozen=True)
class ScoreConfig:
    """Which detectors measure the clips."""

    detectors: dict[str, dict] = field(default_factory=lambda: {"probe": {}, "motion": {}, "borders": {}, "jitter": {}})
    """Name (or `module:Class` of your own) -> its parameters. The order is found from their cost and the rules."""
    explore_fraction: float = 0.0
    """Share of clips, 0..1, shown to every detector although a rule has rejected them: thresholds can then be moved later."""

    def __post_init__(self) -> None:
        if not 0 <= self.explore_fraction <= 1:
            raise ValueError(f"score.explore_fraction is {self.explore_fraction}, wanted 0..1")


@dataclass(frozen=True)
class EmbedConfig:
    """Which embedders turn clips into vectors."""

    embedders: dict[str, dict] = field(default_factory=dict)
    """Name (or `module:Class` of your own) -> its parameters: `{fingerprint: {}}`. Copies (`dedup`), concepts and search need them."""


@dataclass(frozen=True)
class FilterConfig:
    """Which clips are kept."""

    rules: Path = Path("filter/paper.yaml")
    """YAML of rules; a relative path is looked for from the current folder, then from the folder of this YAML and those above."""


@dataclass(frozen=True)
class CaptionConfig:
    """Who writes the captions."""

    captioners: dict[str, dict] = field(default_factory=lambda: {"source": {}, "template": {}})
    """Name -> parameters, in order: a clip that has a fit caption of one is not shown to the next. Beside its parameters: `captioner`,
    where the name is another; `share`, of a mix; `captions`, several a clip."""
    audio_captioners: dict[str, dict] = field(default_factory=dict)
    """Who writes what is heard, in six fields [S Table 26]: `{audio_template: {tagger: ..., quality_weights: ...}}`. Beside the video's
    caption, in the sample's `.json`; of several the first that wrote about a clip."""
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    """What a model's captions must be like; `source` and `template` are taken as they are."""
    quality: QualityConfig = field(default_factory=QualityConfig)
    """CLIP's judgement of a model's captions."""
    camera_min_confidence: float | None = None
    """Confidence, 0..1, of the detector `camera` from which the camera's motion is put before the caption; None: never. The paper gives no
    number [S §3.2.1]."""

    def __post_init__(self) -> None:
        if self.camera_min_confidence is not None and not 0 <= self.camera_min_confidence <= 1:
            raise ValueError(f"caption.camera_min_confidence is {self.camera_min_confidence}, wanted 0..1")
        if both := sorted(set(self.captioners) & set(self.audio_captioners)):
            raise ValueError(f"caption: {both[0]!r} is in captioners and in audio_captioners; give one another name")


@dataclass(frozen=True)
class ShardConfig:
    """What the tars hold."""

    bucket_set: Path = Path("../buckets/paper.yaml")
    """YAML of the buckets; found as `filter.rules` is."""
    max_samples: int = 256
    """Samples in a tar at most."""
    encode: EncodeConfig = field(default_factory=EncodeConfig)
    """How a clip is encoded."""

    def __post_init__(self) -> None:
        if self.max_samples < 1:
            raise ValueError(f"shard.max_samples is {self.max_samples}, wanted at least 1")


@dataclass(frozen=True)
class LimitConfig:
    """What an input may cost, and how many may fail."""

    max_failed_fraction: float = 0.1
    """Share of the input files, 0..1, that may fail before the run ends with exit code 3."""
    timeout_s: float = 600.0
    """Seconds one input may take in one job."""
    probe_timeout_s: float = 30.0
    """Seconds the probe of one file may take."""
    memory_mb: int = 4096
    """Address space of a decode worker, MiB."""

    def __post_init__(self) -> None:
        if not 0 <= self.max_failed_fraction <= 1:
            raise ValueError(f"limits.max_failed_fraction is {self.max_failed_fraction}, wanted 0..1")


@dataclass(frozen=True)
class CurateConfig:
    """Raw video to shards."""

    lake: Path
    """Folder of the lake; made when it does not exist."""
    input: Path | None = None
    """Folder of videos, searched with its subfolders; needed by `run` and `ingest`."""
    batch: str = "default"
    """Partition of the lake these inputs belong to: new inputs in a new batch leave the old ones alone."""
    subset: str = "default"
    """Name of the selection that the rules make, and of its shards."""
    ingest: IngestConfig = field(default_factory=IngestConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    score: ScoreConfig = field(default_factory=ScoreConfig)
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    filter: FilterConfig = field(default_factory=FilterConfig)
    sound: SoundConfig | None = None
    """Keep clips for what their sound is to their picture, among those that the rules keep; null: whatever is heard."""
    dedup: DedupConfig | None = None
    """Drop near-duplicates among the clips that the rules keep; null: keep them."""
    balance: BalanceConfig | None = None
    """Keep fewer clips of common concepts, among those that are left; null: keep all."""
    caption: CaptionConfig = field(default_factory=CaptionConfig)
    shard: ShardConfig = field(default_factory=ShardConfig)
    personal: PersonalConfig = field(default_factory=PersonalConfig)
    edits: EditsConfig = field(default_factory=EditsConfig)
    limits: LimitConfig = field(default_factory=LimitConfig)
    spark: SparkConfig = field(default_factory=SparkConfig)

    def __post_init__(self) -> None:
        check_name("batch", self.batch)
        check_name("subset", self.subset)
        for name, part in (("dedup", self.dedup), ("balance", self.balance)):
            if part is not None and part.embedder not in self.embed.embedders:
                raise ValueError(
                    f"{name}.embedder is {part.embedder!r}, and embed.embedders has "
                    f"{', '.join(self.embed.embedders) or 'none'}; add it there: embed: {{embedders: {{{part.embedder}: {{}}}}}}"
                )


def find_files(config: CurateConfig, config_files: Path | Sequence[Path] | None = None) -> CurateConfig:
    """The config with the paths of its rules and buckets found: what a `--config` file says from that file's folder, else from the last
    one's. Raises UsageError saying where a file was looked for."""
    files = [config_files] if isinstance(config_files, Path) else list(config_files or ())
    rules = _find("filter.rules", config.filter.rules, files)
    buckets = _find("shard.bucket_set", config.shard.bucket_set, files)
    return dataclasses.replace(
        config,
        filter=dataclasses.replace(config.filter, rules=rules),
        shard=dataclasses.replace(config.shard, bucket_set=buckets),
    )


def _find(name: str, path: Path, config_files: Sequence[Path]) -> Path:
    saying = [file for file in config_files if _says(file, name) == str(path)] or list(config_files)
    folders = [Path.cwd(), *(saying[-1].resolve().parents if saying else ())]
    for folder in [*folders, _OUR_CONFIGS]:
        if (folder / path).is_file():
            return folder / path
    looked = ", ".join(dict.fromkeys(str(folder) for folder in folders[:3]))
    raise UsageError(f"{name}: no file {path} (looked from {looked} and above); give its path with --{name} FILE")


def _says(config_file: Path, name: str) -> str | None:
    """What a YAML file says of a dotted name, as text; None when it says nothing."""
    section, _, key = name.partition(".")
    try:
        content = yaml.safe_load(config_file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):  # the parser has said what is wrong, where something is
        return None
    values = content.get(section) if isinstance(content, dict) else None
    found = values.get(key) if isinstance(values, dict) else None
    return None if found is None else str(found)


_OUR_CONFIGS = Path(__file__).resolve().parents[1] / "configs" / "curation"
"""Where the defaults' relative paths lead, from whatever folder a config of one's own is used; there in a clone of the repository."""
