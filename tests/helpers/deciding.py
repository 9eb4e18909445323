# ruff: noqa: E501
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
    "the encoder's search, by floats": """rec/beam.py rec/gaussian.py codecs/bits_back/irec_search.py
        codecs/transform/rate_control.py""",
    "trains; what decodes are the integers of a model file, by another file":
        "models/causal/network.py models/causal/grow.py models/shared/shared_random.py models/vae_mlp/network.py models/vrnn/network.py",
    "makes a model file; what decodes is models/causal/model.py": "models/causal/export.py",
    "bits for training and reports": "models/shared/logistic_mixture.py",
    "transforms of lossy models, which decide no symbol that a decoder reads":
        "models/shared/float_tensors.py models/hyperprior/gdn.py models/hyperprior/network.py models/lapped_transform/lapped.py models/shared/transforms.py",
    "for people": "codecs/dct/quality.py formats/carriers/jpeg/summary.py formats/describe.py metrics/psnr.py pipeline/report.py",
    "the encoder's choices": """pipeline/batch_compress.py pipeline/effort.py pipeline/alpha_fill.py pipeline/loss.py
        pipeline/selection.py pipeline/history.py pipeline/file.py""",
    "reads and writes files of other formats, and what they hold beside samples": """formats/images/facts.py
        formats/images/facts_base.py formats/images/facts_tiff.py formats/images/faithful.py formats/images/losses.py formats/metadata.py
        formats/images/read.py formats/images/transparency.py formats/images/write.py""",
    "bytes of files and names, no samples": """formats/archive.py formats/batch/files.py pipeline/fetching.py
        formats/member_names.py""",
}  # fmt: skip
EXCUSED = {file: reason for reason, files in EXCUSED_BY_REASON.items() for file in files.split()}

ELSEWHERE = {
    "codecs/bits_back/head.py": {"describe", "describe_tiles"},  # for people
    "entropy/cdf.py": {"make_tables"},  # makes the tables of a new model
    "rec/index_code.py": {"fitted"},  # the encoder's choice
    "rec/settings.py": {"facts"},  # for people
    "exact/convolution.py": {"forward", "_limit", "_Requantise"},  # training and export
    "exact/layers.py": {"QuantisedLinear", "limit_stream", "_Activation", "activate", "ste_round"},  # training
    "models/conv_vae/bitswap.py": {"losses"},  # training
    "models/hyperprior/factorised_prior.py": {"FactorisedPrior", "_row"},  # training and the tables of a new model
    "models/shared/settings.py": {"squash", "residual_bits", "step_size"},  # training and the table of a new model
    "models/hyperprior/slices.py": {"coarser", "finer"},  # training and the factors of a new model
    "models/irec_vae/model.py": {"IrecNet", "_widths", "deviations", "divergence"},  # training, transforms, new tables
    "models/irec_vae/normal_site.py": {"choose", "bits", "target", "divergence"},  # the encoder's choice; reports
    "models/shared/residual_site.py": {"scale", "make_tables", "bits"},  # tables of a new model; reports
    "models/conv_vae/resnet.py": {"losses"},  # training
    "models/lapped_transform/model.py": {"TransformNet", "chosen"},  # training, transforms
    "models/lapped_transform/file.py": {"trainable"},  # training
    "models/conv_vae/grid.py": {"width", "bits", "sample"},  # training
    "models/conv_vae/blocks.py": {"begin_narrow"},  # training
    "models/conv_vae/pixel_head.py": {"bits"},  # training and reports
    "models/shared/sites.py": {"bits", "grid_bits", "_cdf"},  # reports
    "models/toy.py": {"probabilities", "bits", "sample"},  # reports
    "models/vae_mlp/file.py": {"emission_table"},  # the table of a new model
    "models/vrnn/file.py": {"table_tensors"},  # tables of a new model
    "codecs/bits_back/importance.py": {"_mean_bits"},  # reports
    "codecs/bits_back/particle_filter.py": {"_mean_bits"},  # reports
    "pipeline/near_lossless.py": {"_near"},  # for people
}  # fmt: skip
"""Functions and classes of deciding files that decide nothing themselves."""

ALLOWED_BY_REASON = {
    "sums of integers": """
        entropy/ans.py _check sum | entropy/cdf.py weights sum | entropy/fast_ans.py agrees sum
        entropy/logarithm.py effective_size sum | entropy/logarithm.py to_frequencies sum
        entropy/plain_ans.py pop_rows cumsum | entropy/plain_ans.py pop_shared cumsum
        entropy/plain_ans.py push_rows cumsum | entropy/plain_ans.py push_shared cumsum
        rec/auxiliary.py values cumsum sum unique | rec/level.py pop cumsum sum
        codecs/bits_back/annealed.py __init__ sum | codecs/causal/batched.py __init__ cumsum
        codecs/causal/batched.py _in_order cumsum | codecs/causal/compiled.py intervals sum
        codecs/classic/codec.py _decode_planes accumulate | codecs/bits_back/chain.py _claim_entries sum
        codecs/classic/png.py filter_rows sum | codecs/bits_back/tiles.py decode sum | codecs/bits_back/trace.py _sum sum
        codecs/transform/codec.py framed_bits sum | models/conv_vae/bitswap.py size sum | models/causal/numpy_network.py trunk sum
        models/hyperprior/factorised_prior.py __post_init__ sum | models/hyperprior/factorised_prior.py _groups unique
        models/irec_vae/normal_site.py _level cumsum | models/conv_vae/pixel_head.py __init__ sum
        models/shared/residual_site.py __post_init__ sum | models/shared/residual_site.py _groups cumsum
        models/shared/residual_site.py of cumsum sum | models/shared/residual_site.py pop sum
        models/shared/sites.py cumulative cumsum | models/shared/sites.py interval cumsum | models/shared/sites.py quantile cumsum sum
        models/shared/sites.py log2 sum | models/shared/sites.py per_row sum | models/lapped_transform/slices.py forward sum
        models/shared/template.py pixels cumsum sum | models/toy.py _choose cumsum sum | models/toy.py _tables sum
        models/lapped_transform/model.py __init__ sum | models/lapped_transform/file.py _config sum
        models/vae_mlp/model.py posterior cumsum
        pipeline/arrangement.py _indices @ unique | pipeline/arrangement.py palette_colours histogram unique
        formats/batch/items.py of_pictures sum | formats/batch/items.py part cumsum | formats/batch/items.py split cumsum
        pipeline/batch_decompress.py _chain sum | pipeline/decompress.py check_pixels sum | pipeline/batch_decompress.py _member sum
        pipeline/batch_decompress.py decompress_batch sum | pipeline/batch_decompress.py item sum | formats/cbor.py count sum
        pipeline/latent.py factor_of histogram | pipeline/batch_decompress.py _decode_chain sum
        formats/batch/npz.py read_sequences sum""",
    "sums that are exact by the bounds of docs/explanation/exactness.md": """
        exact/integers.py __call__ matmul | exact/integers.py __init__ sum | exact/integers.py check_stream sum
        exact/layers.py __call__ linear | models/causal/numpy_network.py _parameters sum | models/conv_vae/pixel_head.py base sum
        models/lapped_transform/slices.py _means sum | models/vae_mlp/refine.py _back @ | models/vae_mlp/refine.py _backward sum
        models/vae_mlp/refine.py _slope @""",
    "sizes of shapes": """
        codecs/dct/codec.py decode sum | codecs/dct/codec.py encode sum | codecs/dct/codec.py work sum
        models/shared/planned.py __init__ sum | models/shared/planned.py __torch_function__ prod
        codecs/mixing/fast.py states prod | codecs/causal/codec.py decode prod | codecs/bits_back/chain.py _claim_entries prod
        codecs/bits_back/chain.py _most prod | codecs/bits_back/chain.py push_groups prod | codecs/classic/codec.py _candidates prod
        codecs/classic/codec.py _decode_bits prod | codecs/classic/codec.py _decode_constant prod
        codecs/classic/codec.py _decode_planes prod | codecs/classic/codec.py _decode_png prod
        codecs/classic/codec.py _decode_png_lzma prod | codecs/classic/codec.py _decode_raw prod
        codecs/classic/codec.py _decode_webp prod | codecs/classic/codec.py decode prod | codecs/bits_back/importance.py pop prod
        codecs/bits_back/irec.py _latents prod | codecs/bits_back/irec.py draw prod | codecs/mixing/codec.py decode prod
        codecs/mixing/codec.py decoding_time prod | codecs/bits_back/particle_filter.py encode_stochastic prod
        codecs/mixing/slow.py states prod | models/conv_vae/blocks.py known_answer prod | formats/batch/items.py pixels prod
        formats/batch/header.py values prod | pipeline/batch_decompress.py _member prod
        pipeline/batch_decompress.py decompress_batch prod | formats/batch/npy.py read_npy prod""",
    "of rdzip's sites and tables, in integers": """
        entropy/cdf.py intervals at | models/conv_vae/pixel_head.py add at
        models/conv_vae/pixel_head.py _walk base
        models/shared/sites.py cumulative at
        models/shared/sites.py interval at | models/shared/sites.py quantile at
        codecs/bits_back/annealed.py __init__ quantile | codecs/bits_back/annealed.py move log2 | codecs/bits_back/annealed.py bits log2
        codecs/bits_back/annealed.py decode place | codecs/bits_back/annealed.py encode place | codecs/bits_back/importance.py _draw quantile
        codecs/bits_back/importance.py _keep log2 | codecs/bits_back/importance.py _frequencies log2 | codecs/bits_back/irec.py _latents quantile
        codecs/bits_back/irec.py draw quantile | codecs/bits_back/particle_filter.py _run log2 | codecs/bits_back/trace.py log2 log2
        codecs/transform/codec.py analyse around | codecs/transform/codec.py region_samples around
        models/conv_vae/blocks.py draw log2 | models/toy.py log2 log2 | models/vae_mlp/model.py known_answer quantile""",
    "of integers whose quotients are never rounded across a whole number: docs/explanation/exactness.md, sections 3, 6 and 8": """
        entropy/cdf.py _stretch /= | entropy/cdf.py weights /= | models/lapped_transform/slices.py forward / | models/lapped_transform/slices.py _means /
        models/vae_mlp/refine.py _refine / | models/vae_mlp/refine.py module 0.6""",
    "of decimals, correctly rounded": """
        entropy/binary.py squash_table exp / Decimal | entropy/binary.py stretch_table / ln Decimal""",
    "float64 in one order: docs/explanation/exactness.md, section 9": """
        models/context_mixing/block_least_squares.py _solve / | models/context_mixing/block_least_squares.py module 0.85 | models/context_mixing/least_squares.py _solve /
        models/context_mixing/least_squares.py _substitute / | models/context_mixing/least_squares.py module 0.8 0.9 0.94 0.97""",
    "float64 in one order: docs/explanation/exactness.md, section 9.1": """
        codecs/dct/blocks.py _distance / | models/dct_mixing/quick_contexts.py inverses / | models/dct_mixing/expectation.py learn / accumulate solve 0.1 | models/dct_mixing/description.py describe /
        models/dct_mixing/expectation.py _mean_inputs / | models/dct_mixing/expectation.py _size_inputs / | models/dct_mixing/expectation.py first_fits 0.1 0.2 0.3
        models/dct_mixing/expectation.py module 0.02 0.0001 1.01 1.02 1.0015 | models/dct_mixing/fits.py module 0.05 0.1
        models/dct_mixing/fits.py solve / 0.001""",
    "constriction, which is tested against plain integers": """
        entropy/ans.py __init__ ()() | entropy/fast_ans.py __init__ AnsCoder Categorical Uniform
        entropy/fast_ans.py height pos | entropy/fast_ans.py pop_shared Categorical
        entropy/fast_ans.py push_rows encode_reverse | entropy/fast_ans.py push_shared Categorical encode_reverse
        entropy/fast_ans.py push_uniform encode_reverse | entropy/fast_ans.py words get_compressed""",
    "rates for reports": """
        codecs/bits_back/annealed.py encode / | codecs/causal/codec.py _bits log2 sum | codecs/bits_back/chain.py encode sum
        codecs/bits_back/chain.py push_groups sum | codecs/mixing/codec.py encode log2 sum | codecs/bits_back/particle_filter.py _coded_bits log2 sum
        codecs/bits_back/tiles.py encode sum | codecs/transform/codec.py _ideal sum""",
    "the encoder's choice, which the file states": """
        codecs/bits_back/chain.py push_groups / | codecs/bits_back/chain.py module 0.1 0.9 | codecs/classic/codec.py repeats /
        codecs/bits_back/tiles.py _first_rows / | codecs/bits_back/tiles.py encode / | models/hyperprior/model.py quantise rint
        models/hyperprior/strided.py setting_of / | models/irec_vae/model.py quantise choose
        models/irec_vae/normal_site.py _parts sum | models/lapped_transform/model.py quantise / | models/lapped_transform/model.py setting_of /
        pipeline/codec_options.py _hundredths / | pipeline/codec_options.py module 6.93 | pipeline/codec_options.py options /
        pipeline/lossy.py _without_loss / | pipeline/lossless.py choose_planes choose""",
    "pixels and transforms of lossy models": """
        codecs/transform/codec.py analyse / | codecs/transform/codec.py synthesise mean""",
    "constants of training": """
        models/conv_vae/grid.py module log | models/conv_vae/blocks.py __init__ 0.3 0.7 | models/hyperprior/slices.py __init__ 0.02
        models/irec_vae/model.py module / log sqrt 0.02 0.29 | models/shared/units.py module 0.06
        models/irec_vae/normal_site.py module 1.02 | models/conv_vae/pixel_head.py __init__ 0.3 0.7
        models/shared/residual_site.py module 0.05 | models/conv_vae/resnet.py __init__ 0.3 uniform_
        models/lapped_transform/slices.py __init__ 0.02 0.7 | models/shared/settings.py module log""",
    "seconds, limits and progress": """
        codecs/classic/codec.py module 0.002 | codecs/mixing/presets.py module 1.3 | models/causal/model.py module 5e-05
        models/causal/model.py pixel_time sum | models/vae_mlp/model.py VaeMlpModel 0.03
        pipeline/batch_decompress.py decompress_batch / | pipeline/lossy.py compress_lossy / | pipeline/lossy.py module 0.02
        formats/carriers/deflate/rebuild.py module 0.01 0.03 | pipeline/lossless.py module 0.4 | pipeline/plane_codecs.py _decode_transform 0.6
        pipeline/coefficients.py compress_coefficients / sum | pipeline/planes.py _samples 0.7""",
}
BY_FOLDER = {
    "formats/carriers/": frozenset(
        {"sum", "prod", "cumsum", "unique", "isin", "require", "integer", "choose", "number"}
    )
}
"""Operations that may stand in all files of a folder: of carriers sums and products of lengths, comparisons of integers,
and checks of their own."""
ALLOWED = {
    (file, function, operation)
    for places in ALLOWED_BY_REASON.values()
    for place in places.replace("\n", "|").split("|")
    if place.strip()
    for file, function, *operations in [place.split()]
    for operation in operations
}
