"""From a trained net to a bundle: graph, card, licences."""
