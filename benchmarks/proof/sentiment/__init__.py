"""Setting 1: film reviews, from prompts to a DPO policy, with a reward that is known.

``python -m benchmarks.proof.sentiment --train TRAIN --test TEST --folder FOLDER`` goes through the
stages of `STAGES`, each of which goes on where it was cut off, and writes
``docs/proof/sentiment.md``.
"""

STAGES = ("sft", "reward", "pools", "search", "runs", "page")
