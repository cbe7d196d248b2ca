"""The language-model engine: load a model, sample completions, turn completions into features.

Nothing is imported here. ``contract`` holds the plain types and errors and is light; every
other module imports torch and transformers at its top, so import those inside a worker process.
"""
