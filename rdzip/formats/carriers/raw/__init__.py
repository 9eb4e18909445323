"""What carriers of samples that lie open in a file share: rows of bits, samples as pictures, patches, checks."""
