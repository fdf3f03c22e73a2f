"""The page on which people listen to recordings and label them."""
