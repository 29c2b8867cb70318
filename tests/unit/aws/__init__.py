"""The seam to AWS, piece by piece."""
