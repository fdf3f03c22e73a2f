"""What is read of containers and codecs by ourselves, since libsndfile does not tell."""
