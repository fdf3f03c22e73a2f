"""What is learnt from: splits first, then features, augmented copies and batches."""
