-- the strictest set of the paper, for comparison [S Table 38]; `step` is the name of the same rule in our files
select *
from (
    values
    (0, 'duration', '4 s <= duration <= 120 s', 100.0),
    (1, 'resolution', 'width >= 768 and height >= 768', 25.0),
    (2, 'aspect', 'width >= height', 7.0),
    (3, 'text', 'no frame with detection x recognition >= 0.6', 1.94),
    (4, 'border', 'none', 1.87),
    (5, 'scene_change', 'one 12-16 s clip from one scene', 1.78),
    (6, 'aesthetics', 'middle frame >= 4.0', 1.57),
    (7, 'motion', 'score > 2.0 and 0.5 < motion vector < 7', 1.32),
    (8, 'jitter', 'shots a second < 0.85', 1.22),
    (9, 'near_duplicate', 'cosine < 0.99', 1.15),
    (10, 'concept_resampling', '1 / sqrt(n) a cluster', 0.94)
) as paper (position, step, threshold, left_percent)
