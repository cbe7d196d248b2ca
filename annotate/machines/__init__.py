"""A model that judges beside people: its questions, its answers, and how far they can be trusted.

Its answers are judgements like a person's, to comparisons of a kind of their own. No figure of
people, no export and no next round has them unless it asks for them.
"""
