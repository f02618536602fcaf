"""orch: drives a language model through research, and believes only what it measured."""
