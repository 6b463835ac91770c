"""Where batches come from: fields, codecs, sources of examples, feeds that hand them out."""
