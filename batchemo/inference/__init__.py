"""From a recording to a result: settings, loaded models, prediction, postprocessing."""
