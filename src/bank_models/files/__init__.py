"""Files: safe reading, atomic writing, manifests."""
