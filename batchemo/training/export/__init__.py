"""From a trained model to a bundle: graph, card, licences."""
