"""zerosum: train, evaluate, understand and ship generative adversarial networks."""
