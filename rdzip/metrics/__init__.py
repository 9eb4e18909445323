"""Measures of distortion and of codecs: PSNR, MS-SSIM, BD-rate."""
