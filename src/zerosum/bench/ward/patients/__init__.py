"""Systems with one mistake each, as people make them. No preset of the package uses them."""
