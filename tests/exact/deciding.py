"""Files between payload and pixels, those that are not with the reason, and operations that may stand there, too.

A new file is a deciding one until it is excused here; a new operation is refused until it is let through here.
"""

from __future__ import annotations

FOLDERS = ("entropy", "exact", "rec", "codecs", "models", "formats", "pipeline")
"""Folders of deciding files, with all below them; one that is not there has none."""
LENIENT = ("formats", "pipeline")
"""Folders whose files call much that knows no numbers: of their calls, those of libraries of numbers count."""
OUTSIDE = ("hub", "metrics", "system")
"""Folders that a decoder may load, too: they find and read files, and measure for people."""

EXCUSED_BY_REASON = {
    "does not compute: finds and keeps compiled code": "exact/compiled.py",
    "the encoder's search, by floats": """rec/beam.py rec/gaussian.py codecs/irec_search.py
        codecs/transform_rate.py""",
    "trains; what decodes are the integers of a model file, by another file":
        "models/causal.py models/causal_growth.py models/noise.py models/vae_mlp.py models/vrnn.py",
    "makes a model file; what decodes is models/causal_file.py": "models/causal_export.py",
    "bits for training and reports": "models/mixture.py",
    "transforms of lossy models, which decide no symbol that a decoder reads":
        "models/float_tensors.py models/gdn_transforms.py models/lapped.py models/transforms.py",
    "for people": "formats/describe.py formats/distortion.py formats/report.py",
    "the encoder's choices": """formats/batch_writing.py formats/effort.py formats/hidden.py formats/loss.py
        formats/selection.py""",
    "reads and writes files of other formats, and what they hold beside samples": """formats/facts.py
        formats/facts_record.py formats/facts_tiff.py formats/faithful.py formats/losses.py formats/metadata.py
        formats/pillow_plugin.py formats/reading.py formats/transparency.py formats/writing.py""",
    "bytes of files and names, no samples": """formats/archive.py formats/batch_files.py formats/fetching.py
        formats/member_names.py""",
}  # fmt: skip
EXCUSED = {file: reason for reason, files in EXCUSED_BY_REASON.items() for file in files.split()}

ELSEWHERE = {
    "codecs/bits_back/head.py": {"describe", "describe_tiles"},  # for people
    "entropy/cdf.py": {"make_tables"},  # makes the tables of a new model
    "rec/index_code.py": {"fitted"},  # the encoder's choice
    "rec/settings.py": {"facts"},  # for people
    "exact/convolution.py": {"forward", "_limit", "_Settle"},  # training and export
    "exact/layers.py": {"QuantisedLinear", "limit_stream", "_Activation", "activate", "ste_round"},  # training
    "models/bitswap.py": {"losses"},  # training
    "models/factorised.py": {"FactorisedPrior", "_row"},  # training and the tables of a new model
    "models/hyper_code.py": {"HyperNet"},  # training and transforms
    "models/hyper_slices.py": {"coarser", "finer"},  # training and the factors of a new model
    "models/irec_code.py": {"IrecNet", "_widths", "deviations", "divergence"},  # training, transforms, new tables
    "models/normal_site.py": {"choose", "bits", "target", "divergence"},  # the encoder's choice; reports
    "models/residual_site.py": {"scale", "make_tables", "bits"},  # tables of a new model; reports
    "models/resnet_vae.py": {"losses"},  # training
    "models/slices.py": {"squash"},  # training and the table of a new model
    "models/transform_code.py": {"TransformNet", "residual_bits", "chosen", "step_size"},  # training, transforms
    "models/transform_file.py": {"trainable"},  # training
    "models/grid.py": {"width", "bits", "sample"},  # training
    "models/hierarchy.py": {"begin_narrow"},  # training
    "models/pixel_head.py": {"bits"},  # training and reports
    "models/sites.py": {"bits", "grid_bits", "_cdf"},  # reports
    "models/toy.py": {"probabilities", "bits", "sample"},  # reports
    "models/vae_mlp_file.py": {"emission_table"},  # the table of a new model
    "models/vrnn_file.py": {"table_tensors"},  # tables of a new model
    "codecs/importance.py": {"_mean_bits"},  # reports
    "codecs/particle.py": {"_mean_bits"},  # reports
    "formats/near.py": {"report"},  # for people
}  # fmt: skip
"""Functions and classes of deciding files that decide nothing themselves."""

ALLOWED_BY_REASON = {
    "sums of integers": """
        entropy/ans.py _check sum | entropy/cdf.py weights sum | entropy/fast_ans.py agrees sum
        entropy/logarithm.py effective_size sum | entropy/logarithm.py to_frequencies sum
        entropy/plain_ans.py pop_rows cumsum | entropy/plain_ans.py pop_shared cumsum
        entropy/plain_ans.py push_rows cumsum | entropy/plain_ans.py push_shared cumsum
        rec/auxiliary.py values cumsum sum unique | rec/level.py pop cumsum sum
        codecs/annealed.py __init__ sum | codecs/causal_batch.py __init__ cumsum
        codecs/causal_batch.py _in_order cumsum | codecs/causal_compiled.py intervals sum
        codecs/classic.py _decode_planes accumulate | codecs/chain.py _claim_entries sum
        codecs/pngstream.py filter_rows sum | codecs/tiled.py decode sum | codecs/trace.py _sum sum
        codecs/transform.py framed_bits sum | models/bitswap.py size sum | models/causal_exact.py trunk sum
        models/factorised.py __post_init__ sum | models/factorised.py _groups unique
        models/normal_site.py _level cumsum | models/pixel_head.py __init__ sum
        models/residual_site.py __post_init__ sum | models/residual_site.py _groups cumsum
        models/residual_site.py of cumsum sum | models/residual_site.py pop sum
        models/sites.py cumulative cumsum | models/sites.py interval cumsum | models/sites.py quantile cumsum sum
        models/sites.py log2 sum | models/sites.py per_row sum | models/slices.py forward sum
        models/template.py pixels cumsum sum | models/toy.py _choose cumsum sum | models/toy.py _tables sum
        models/transform_code.py __init__ sum | models/transform_file.py _config sum
        models/transform_file.py from_tensors sum
        models/vae_mlp_exact.py posterior cumsum
        formats/arrangement.py _indices @ unique | formats/arrangement.py palette_colours histogram unique
        formats/batch.py of_pictures sum | formats/batch.py part cumsum | formats/batch.py split cumsum
        formats/batch_reading.py _chain sum | formats/batch_reading.py _member sum
        formats/batch_reading.py decode_batch sum | formats/batch_reading.py item sum | formats/cbor.py count sum
        formats/latent.py factor_of histogram | formats/neural.py decode_chain sum
        formats/sequences.py read_sequences sum""",
    "sums that are exact by the bounds of docs/exactness.md": """
        exact/integers.py __call__ matmul | exact/integers.py __init__ sum | exact/integers.py check_stream sum
        exact/layers.py __call__ linear | models/causal_exact.py _parameters sum | models/pixel_head.py base sum
        models/slices.py _means sum | models/vae_mlp_refine.py _back @ | models/vae_mlp_refine.py _backward sum
        models/vae_mlp_refine.py _slope @""",
    "sizes of shapes": """
        codecs/brisk.py states prod | codecs/causal.py decode prod | codecs/chain.py _claim_entries prod
        codecs/chain.py _most prod | codecs/chain.py push_groups prod | codecs/classic.py _candidates prod
        codecs/classic.py _decode_bits prod | codecs/classic.py _decode_constant prod
        codecs/classic.py _decode_planes prod | codecs/classic.py _decode_png prod
        codecs/classic.py _decode_png_lzma prod | codecs/classic.py _decode_raw prod
        codecs/classic.py _decode_webp prod | codecs/classic.py decode prod | codecs/importance.py pop prod
        codecs/irec.py _latents prod | codecs/irec.py draw prod | codecs/mixing.py decode prod
        codecs/mixing.py decoding_time prod | codecs/particle.py encode_stochastic prod
        codecs/thorough.py states prod | models/hierarchy.py known_answer prod | formats/batch.py pixels prod
        formats/batch_header.py values prod | formats/batch_reading.py _member prod
        formats/batch_reading.py decode_batch prod | formats/npy.py read_npy prod""",
    "of rdzip's sites and tables, in integers": """
        entropy/cdf.py intervals at | models/pixel_head.py add at
        models/pixel_head.py _walk base
        models/sites.py cumulative at
        models/sites.py interval at | models/sites.py quantile at
        codecs/annealed.py __init__ quantile | codecs/annealed.py move log2 | codecs/annealed.py bits log2
        codecs/annealed.py decode place | codecs/annealed.py encode place | codecs/importance.py _draw quantile
        codecs/importance.py _keep log2 | codecs/importance.py _frequencies log2 | codecs/irec.py _latents quantile
        codecs/irec.py draw quantile | codecs/particle.py _run log2 | codecs/trace.py log2 log2
        codecs/transform.py analyse around | codecs/transform.py region_samples around
        models/hierarchy.py draw log2 | models/toy.py log2 log2 | models/vae_mlp_exact.py known_answer quantile""",
    "of integers whose quotients are never rounded across a whole number: docs/exactness.md, sections 3, 6 and 8": """
        entropy/cdf.py _stretch /= | entropy/cdf.py weights /= | models/slices.py forward / | models/slices.py _means /
        models/vae_mlp_refine.py _refine / | models/vae_mlp_refine.py module 0.6""",
    "of decimals, correctly rounded": """
        entropy/binary.py squash_table exp / Decimal | entropy/binary.py stretch_table / ln Decimal""",
    "float64 in one order: docs/exactness.md, section 9": """
        models/block_fit.py _solve / | models/block_fit.py module 0.85 | models/least_squares.py _solve /
        models/least_squares.py _substitute / | models/least_squares.py module 0.8 0.9 0.94 0.97""",
    "constriction, which is tested against plain integers": """
        entropy/ans.py __init__ ()() | entropy/fast_ans.py __init__ AnsCoder Categorical Uniform
        entropy/fast_ans.py height pos | entropy/fast_ans.py pop_shared Categorical
        entropy/fast_ans.py push_rows encode_reverse | entropy/fast_ans.py push_shared Categorical encode_reverse
        entropy/fast_ans.py push_uniform encode_reverse | entropy/fast_ans.py words get_compressed""",
    "rates for reports": """
        codecs/annealed.py encode / | codecs/causal.py _bits log2 sum | codecs/chain.py encode sum
        codecs/chain.py push_groups sum | codecs/mixing.py encode log2 sum | codecs/particle.py _coded_bits log2 sum
        codecs/tiled.py encode sum | codecs/transform.py _ideal sum""",
    "the encoder's choice, which the file states": """
        codecs/chain.py push_groups / | codecs/chain.py module 0.1 0.9 | codecs/classic.py repeats /
        codecs/tiled.py _first_rows / | codecs/tiled.py encode / | models/hyper_code.py quantise rint
        models/hyper_code.py step_of / | models/irec_code.py quantise choose
        models/normal_site.py _parts sum | models/transform_code.py quantise / | models/transform_code.py step_of /
        formats/latent.py _hundredths / | formats/latent.py module 6.93 | formats/latent.py options /
        formats/lossy.py _without_loss / | formats/rdz.py compress_picture choose""",
    "pixels and transforms of lossy models": """
        codecs/transform.py analyse / | codecs/transform.py synthesise mean | models/hyper_code.py module / sqrt""",
    "constants of training": """
        models/grid.py module log | models/hierarchy.py __init__ 0.3 0.7 | models/hyper_slices.py __init__ 0.02
        models/irec_code.py module / log sqrt 0.02 0.29 | models/mixture_units.py module 0.06
        models/normal_site.py module 1.02 | models/pixel_head.py __init__ 0.3 0.7
        models/residual_site.py module 0.05 | models/resnet_vae.py __init__ 0.3 uniform_
        models/slices.py __init__ 0.02 0.7 | models/transform_code.py module log""",
    "seconds, limits and progress": """
        codecs/classic.py module 0.002 | codecs/presets.py module 1.3 | models/causal_file.py module 5e-05
        models/causal_file.py pixel_time sum | models/vae_mlp_exact.py VaeMlpModel 0.03
        formats/batch_reading.py decode_batch / | formats/lossy.py compress_lossy / | formats/lossy.py module 0.02
        formats/rdz.py compress_picture / 0.4 | formats/sections.py _lossy_samples 0.6
        formats/sections.py _samples 0.7""",
}
ALLOWED = {
    (file, function, operation)
    for places in ALLOWED_BY_REASON.values()
    for place in places.replace("\n", "|").split("|")
    if place.strip()
    for file, function, *operations in [place.split()]
    for operation in operations
}
