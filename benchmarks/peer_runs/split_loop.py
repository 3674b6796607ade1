"""Our detect and split in one Python process, file by file, without Spark and without a lake: `split_loop.py VIDEOS OUT.json`."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def main() -> None:
    """Writes (file name, first frame, number of frames) of each clip."""
    import cv2

    from curation.clips import SplitConfig, split_video
    from moviegen.contracts.clip import file_sha256, video_id_of

    cv2.setNumThreads(1)
    config = SplitConfig(min_clip_s=1.0, start_trim_s=0.0, max_long_shots=None)
    rows = []
    for path in sorted(Path(sys.argv[1]).iterdir()):
        result = split_video(str(path), video_id_of(file_sha256(path)), config)
        rows += [(path.name, clip["start_frame"], clip["num_frames"]) for clip in result.clips]
    Path(sys.argv[2]).write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
