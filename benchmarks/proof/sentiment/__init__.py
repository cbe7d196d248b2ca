"""Setting 1: film reviews, from prompts to a DPO policy, with a reward that is known.

``python -m benchmarks.proof.sentiment --train TRAIN --test TEST --folder FOLDER`` goes through the
stages of `STAGES`, each of which goes on where it was cut off, and writes
``docs/proof/sentiment.md``; with ``--stages sft reward curves`` it writes the pools that
`benchmarks.proof.reviews` reads.
"""

STAGES = ("sft", "reward", "pools", "search", "runs", "page", "curves")
# Pools for another benchmark, which take longer than those that policies learn from.
ON_REQUEST = ("curves",)
