"""NeMo Curator split as documented without a GPU: clips of 4 s, VP9. Runs in its own environment: `nemo_split.py VIDEOS OUT`.

Its shot detector (TransNetV2) needs weights and CUDA, and it takes no x264, so it does not look for shots at all.
"""

import sys


def main(videos: str, out: str) -> None:
    """Fixed stride, transcode, write; Xenna in batch mode, which is the mode that runs on two cores."""
    from nemo_curator.backends.xenna import XennaExecutor
    from nemo_curator.pipeline import Pipeline
    from nemo_curator.stages.video.clipping.clip_extraction_stages import (
        ClipTranscodingStage,
        FixedStrideExtractorStage,
    )
    from nemo_curator.stages.video.io.clip_writer import ClipWriterStage
    from nemo_curator.stages.video.io.video_reader import VideoReader

    pipeline = Pipeline(name="split")
    pipeline.add_stage(VideoReader(input_video_path=videos))
    pipeline.add_stage(
        FixedStrideExtractorStage(clip_len_s=4.0, clip_stride_s=4.0, min_clip_length_s=1.0, limit_clips=0)
    )
    pipeline.add_stage(ClipTranscodingStage(num_cpus_per_worker=1.0, encoder="libvpx-vp9", encoder_threads=1))
    writer = ClipWriterStage(
        output_path=out, input_path=videos, upload_clips=True, dry_run=False, generate_embeddings=False,
        generate_previews=False, generate_captions=False,
    )  # fmt: skip
    pipeline.add_stage(writer)
    pipeline.run(XennaExecutor({"execution_mode": "batch"}))


if __name__ == "__main__":
    main(*sys.argv[1:])
