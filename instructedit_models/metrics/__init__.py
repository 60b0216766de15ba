"""What the benchmarks measure edits by: LPIPS, CLIP scores, the background's PSNR and SSIM, and mask IoU."""
